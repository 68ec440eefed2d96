import { Backoff } from '../../kit/backoff.ts'
import type { DeadLetters } from '../../ports/dead-letters.ts'
import { WeirError } from '../../ports/errors.ts'
import type { LogPosition, SubscribeOptions, Subscription } from '../../ports/log.ts'
import { Delivery } from './delivery.ts'
import type { BadRecord } from './entry.ts'
import type { GroupState } from './group-state.ts'
import type { NatsLink } from './link.ts'
import { Membership } from './membership.ts'
import type { Names } from './names.ts'
import type { Partitions } from './partitions.ts'

export interface GroupSubscription extends Subscription {
  /** Entries of its partitions that it has not committed, or that were not delivered to everyone. */
  readonly lag: number
  /** Called now and then: what was trimmed before it was delivered does not come any more. */
  passTrimmed(): void
}

export interface GroupParts {
  readonly link: NatsLink
  readonly names: Names
  readonly state: GroupState
  readonly partitions: Partitions
  readonly deadLetters: DeadLetters
  /** This process. */
  readonly id: string
  readonly leaseMs: number
  /** How far the group has committed a partition, as far as this process knows. */
  readonly committed: (partition: number) => number | undefined
  readonly onWarning: (message: string) => void
  readonly onFailure: (error: unknown) => void
}

const AGAIN = { firstMs: 100, lastMs: 5000 }

/** @throws WeirError `rejected` when `from` is not in the log. */
export async function subscribeTo(
  options: SubscribeOptions,
  parts: GroupParts,
): Promise<GroupSubscription> {
  await parts.partitions.refresh()
  for (const position of options.from) mustBeKept(position, { ...options, ...parts })
  return options.members === 'everyone' ? everyone(options, parts) : divided(options, parts)
}

function everyone(options: SubscribeOptions, parts: GroupParts): GroupSubscription {
  const { link, names, partitions, onWarning, onFailure } = parts
  const delivery = new Delivery({
    ...{ link, names, deliver: options.deliver, onFailure },
    isHeld: () => true,
    // The group that is divided puts them aside, once.
    onBad: async records =>
      onWarning(`${records.length} records are skipped: ${records[0].reason}`),
  })
  for (const [partition, { first, next }] of partitions.all.entries()) {
    const offset = options.from.find(position => position.partition === partition)?.offset ?? first
    // What is gone is in the store, where the caller's position comes from.
    delivery.add({ partition, offset: Math.max(offset, first) }, next)
  }
  return {
    caughtUp: delivery.caughtUp(),
    get lag() {
      return sumOf(delivery.places(), ({ partition, next }) => behind(partition, next, partitions))
    },
    passTrimmed: () => pass(delivery, partitions),
    close: () => delivery.close(),
  }
}

function divided(options: SubscribeOptions, parts: GroupParts): GroupSubscription {
  const { group, deliver } = options
  const { link, names, partitions, state, deadLetters, id, leaseMs } = parts
  let isClosed = false
  const onFailure = (error: unknown): void => {
    if (isClosed && error instanceof WeirError && error.kind === 'closed') return
    parts.onFailure(error)
    // Others of the group may do better.
    close().catch(() => {})
  }
  const again = <T>(work: () => Promise<T>): Promise<T> => retried(work, () => isClosed)
  const delivery = new Delivery({
    ...{ link, names, deliver, onFailure },
    isHeld: () => !membership.isLate,
    onBad: async records => {
      parts.onWarning(`${records.length} records are put aside: ${records[0].reason}`)
      await again(() => deadLetters.put(records.map(record => letterOf(record, group))))
    },
  })
  const membership: Membership = new Membership({
    ...{ link, names, state, group, id, leaseMs, onFailure },
    partitions: partitions.count,
    onRevoked: revoked => delivery.remove(revoked),
    onResumed: () => delivery.run(),
    onAssigned: async assigned => {
      const begins = await again(async () => {
        await partitions.refresh()
        return (await options.onAssigned?.(assigned)) ?? []
      })
      for (const partition of assigned) {
        const { first = 0, next = 0 } = partitions.of(partition) ?? {}
        // Another process may have gone on since, and what all have committed be trimmed.
        const given = offsetIn(options.from, partition) ?? 0
        const known = Math.max(given, parts.committed(partition) ?? 0, first)
        const offset = offsetIn(begins, partition) ?? known
        mustBeKept({ partition, offset }, { ...options, partitions })
        delivery.add({ partition, offset }, next)
      }
    },
  })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    isClosed = true
    closing ??= membership.close().then(() => delivery.close())
    return closing
  }
  return {
    caughtUp: membership.settled.then(() => delivery.caughtUp()),
    get lag() {
      return sumOf(delivery.places(), ({ partition, begun }) =>
        behind(partition, parts.committed(partition) ?? begun, partitions),
      )
    },
    passTrimmed: () => pass(delivery, partitions),
    close,
  }
}

function pass(delivery: Delivery, partitions: Partitions): void {
  for (const { partition, next } of delivery.places()) {
    const { first = 0 } = partitions.of(partition) ?? {}
    if (first > next) delivery.pass(partition, first)
  }
}

function behind(partition: number, offset: number, partitions: Partitions): number {
  return Math.max((partitions.of(partition)?.next ?? 0) - offset, 0)
}

function sumOf<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((sum, item) => sum + count(item), 0)
}

function offsetIn(positions: readonly LogPosition[], partition: number): number | undefined {
  return positions.find(position => position.partition === partition)?.offset
}

function letterOf({ position: source, bytes, reason }: BadRecord, group: string) {
  return { source, bytes, reason, group }
}

/**
 * Tries again while it may work later.
 *
 * @throws WeirError `closed` when nobody wants it any more.
 */
async function retried<T>(work: () => Promise<T>, isOver: () => boolean): Promise<T> {
  const backoff = new Backoff(AGAIN)
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (isOver()) throw ended(error)
      if (error instanceof WeirError && error.kind !== 'retryable') throw error
    }
    await new Promise(resolve => setTimeout(resolve, backoff.next()))
    if (isOver()) throw ended()
  }
}

function ended(cause?: unknown): WeirError {
  return new WeirError('closed', 'the subscription is closed', { cause })
}

function mustBeKept(
  { partition, offset }: LogPosition,
  {
    group,
    onAssigned,
    partitions,
  }: Pick<SubscribeOptions, 'group' | 'onAssigned'> & {
    readonly partitions: Partitions
  },
): void {
  const { first, next } = partitions.of(partition) ?? { first: 0, next: 0 }
  // Only a store needs all that it has not; others begin with what there is.
  const isGone = offset < first && onAssigned !== undefined
  if (Number.isInteger(offset) && !isGone && offset >= 0 && offset <= next) return
  const kept = first === next ? `nothing, and ${next} comes next` : `${first} to ${next - 1}`
  throw new WeirError(
    'rejected',
    `group ${group} wants partition ${partition} from offset ${offset} on, but the log keeps ${kept}`,
  )
}
