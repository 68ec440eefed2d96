import { nuid } from '@nats-io/transport-node'
import { pointCount, type EncodedBatch } from '../../model/batch.ts'
import { BatchSplitter, type PartitionEntries } from '../../model/batch-split.ts'
import { WeirError } from '../../ports/errors.ts'
import type {
  Log,
  LogPosition,
  LogStatus,
  SubscribeOptions,
  Subscription,
} from '../../ports/log.ts'
import { CommittedPositions } from './committed-positions.ts'
import { durabilityWarning } from './durability.ts'
import { HEADER_BYTES, outgoingEntry } from './entry.ts'
import { GroupState } from './group-state.ts'
import { NatsDeadLetters } from './nats-dead-letters.ts'
import { NatsLink, type NatsServerOptions } from './link.ts'
import { Names } from './names.ts'
import { Partitions } from './partitions.ts'
import { Publisher } from './publisher.ts'
import { ensureStreams, type StreamOptions } from './streams.ts'
import { subscribeTo, type GroupParts, type GroupSubscription } from './group-subscription.ts'
import { Trimmer } from './trimmer.ts'

export interface NatsLogOptions extends NatsServerOptions, StreamOptions {
  /** Before the names of all subjects and streams: one log has it, in all processes. */
  readonly prefix: string
  /** After so long a silence the partitions of a process go to others of its group. */
  readonly leaseMs: number
  /** How long entries stay that every group has committed, for who begins at a position just read. */
  readonly trimDelayMs: number
  /** Where the server answers about itself (`http://HOST:8222`). Empty: it is not asked. */
  readonly monitorUrl: string
  /** What people should know, but nothing stops for. */
  readonly onWarning?: (message: string) => void
}

const REFRESH_INTERVAL_MS = 1000

/**
 * The log on NATS JetStream: a stream for each partition, so that offsets rise by one. Which
 * process of a group reads which partition is in `Membership`; what groups have committed is in
 * `GroupState`. Reasons are in docs/decisions/0025.
 *
 * `append` publishes everything at once and waits for all acknowledgements. Where it fails, some of
 * it may be in the log: points that come again change nothing.
 */
export class NatsLog implements Log {
  readonly capabilities = { deliversBeforeAck: false, keepsEntries: true, isShared: true }
  readonly deadLetters: NatsDeadLetters
  readonly #options: NatsLogOptions
  readonly #link: NatsLink
  readonly #names: Names
  readonly #partitions: Partitions
  readonly #state: GroupState
  readonly #publisher: Publisher
  readonly #splitter: BatchSplitter
  readonly #committed: CommittedPositions
  readonly #trimmer: Trimmer
  readonly #subscribing = new Set<string>()
  readonly #open = new Map<string, GroupSubscription>()
  readonly #appends = new Set<Promise<unknown>>()
  readonly #refreshing: NodeJS.Timeout
  readonly #id = nuid.next()
  #points = 0
  #failure: string | undefined
  #closing: Promise<void> | undefined

  /** @throws WeirError `config` (refused, no JetStream, streams that do not fit), `retryable`. */
  static async open(options: NatsLogOptions): Promise<NatsLog> {
    const link = await NatsLink.open(options)
    try {
      const names = new Names(options.prefix)
      const count = await ensureStreams(link.manager, names, options)
      const partitions = new Partitions(link, names, count)
      await partitions.refresh()
      const state = await GroupState.open(link, names)
      const log = new NatsLog(options, { link, names, partitions, state })
      const warning = await durabilityWarning(link, options)
      if (warning !== undefined) options.onWarning?.(warning)
      return log
    } catch (error) {
      await link.close()
      throw unavailable(error)
    }
  }

  private constructor(
    options: NatsLogOptions,
    parts: { link: NatsLink; names: Names; partitions: Partitions; state: GroupState },
  ) {
    const { link, names, partitions, state } = parts
    this.#options = options
    this.#link = link
    this.#names = names
    this.#partitions = partitions
    this.#state = state
    this.#publisher = new Publisher(link)
    this.deadLetters = new NatsDeadLetters({ link, names, publisher: this.#publisher })
    this.#splitter = new BatchSplitter({
      partitions: partitions.count,
      maxFrameBytes: link.maxPayload - HEADER_BYTES,
    })
    this.#committed = new CommittedPositions({ link, names, state })
    const { trimDelayMs } = options
    this.#trimmer = new Trimmer({ link, names, state, partitions, trimDelayMs })
    this.#refreshing = setInterval(() => void this.#refresh(), REFRESH_INTERVAL_MS)
    this.#refreshing.unref()
  }

  append(entries: readonly EncodedBatch[]): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (entries.length === 0) return Promise.resolve()
    const append = this.#append(this.#splitter.split(entries))
    this.#appends.add(append)
    const done = (): void => void this.#appends.delete(append)
    append.then(done, done)
    return append
  }

  /**
   * @throws WeirError `rejected` when `from` is not in the log, `conflict` when the group has a
   *   subscription in this process, `retryable`, `closed`.
   */
  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.#closing !== undefined) throw closed()
    const { group } = options
    if (!/^[\w-]+$/.test(group)) throw new WeirError('rejected', `${group} is no name of a group`)
    if (this.#subscribing.has(group) || this.#open.has(group)) {
      throw new WeirError('conflict', `group ${group} has a subscription`)
    }
    this.#subscribing.add(group)
    try {
      const subscription = await subscribeTo(options, this.#partsOf(group))
      this.#open.set(group, subscription)
      return {
        caughtUp: subscription.caughtUp,
        close: async () => {
          await subscription.close()
          if (this.#open.get(group) === subscription) this.#open.delete(group)
        },
      }
    } catch (error) {
      throw unavailable(error)
    } finally {
      this.#subscribing.delete(group)
    }
  }

  /**
   * Remembered at once and told to the others soon: what is told late is only trimmed late.
   *
   * @throws WeirError `rejected` for what is no offset.
   */
  async commit(group: string, positions: readonly LogPosition[]): Promise<void> {
    for (const { offset } of positions) {
      if (Number.isInteger(offset)) continue
      throw new WeirError('rejected', `group ${group} commits ${offset}, which is no offset`)
    }
    this.#committed.commit(group, positions)
  }

  status(): LogStatus {
    const failure = this.#failed
    const trouble = this.#absence()
    const lag = new Map<string, number>()
    for (const [group, { lag: entries }] of this.#open) lag.set(group, entries)
    return {
      partitions: this.#partitions.status(),
      pointsAppended: this.#points,
      bytes: this.#partitions.bytes,
      lag,
      ...(failure === undefined ? {} : { failure }),
      ...(trouble === undefined ? {} : { trouble }),
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#release()
    return this.#closing
  }

  async #append(parts: readonly PartitionEntries[]): Promise<void> {
    const messages = parts.flatMap(({ partition, entries }) => {
      const { subject } = this.#names.entries(partition)
      return entries.map(entry => outgoingEntry(subject, entry))
    })
    const acks = await this.#publisher.publish(messages)
    let at = 0
    for (const { partition, entries } of parts) {
      for (const { batch } of entries) {
        this.#points += pointCount(batch)
        this.#partitions.appended(partition, acks[at++].sequence)
      }
    }
  }

  async #refresh(): Promise<void> {
    if (!this.#link.isUp) return
    try {
      await this.#partitions.refresh()
      for (const subscription of this.#open.values()) subscription.passTrimmed()
    } catch {
      // Appends and the connection tell what is wrong; the next refresh is soon.
    }
  }

  async #release(): Promise<void> {
    clearInterval(this.#refreshing)
    await Promise.allSettled(this.#appends)
    for (const subscription of this.#open.values()) await subscription.close()
    await this.#trimmer.close()
    await this.#committed.close()
    this.#publisher.close()
    this.#state.close()
    await this.#link.close()
  }

  get #failed(): string | undefined {
    return this.#failure ?? this.#link.failure ?? this.#partitions.lost
  }

  #refusal(): WeirError | undefined {
    if (this.#closing !== undefined) return closed()
    const failure = this.#failed
    return failure === undefined ? undefined : new WeirError('closed', failure)
  }

  #partsOf(group: string): GroupParts {
    return {
      ...{ link: this.#link, names: this.#names, state: this.#state, id: this.#id },
      ...{ partitions: this.#partitions, deadLetters: this.deadLetters },
      leaseMs: this.#options.leaseMs,
      committed: (partition: number) => this.#committed.of(group, partition),
      onWarning: message => this.#options.onWarning?.(message),
      onFailure: error => {
        this.#failure ??= `group ${group} failed on delivery: ${messageOf(error)}`
      },
    }
  }

  #absence(): string | undefined {
    const { downMs, requestTimeoutMs } = this.#link
    if (downMs <= requestTimeoutMs) return undefined
    return `NATS is away for ${Math.round(downMs / 1000)} s`
  }
}

function closed(): WeirError {
  return new WeirError('closed', 'the log is closed')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function unavailable(error: unknown): unknown {
  if (error instanceof WeirError) return error
  return new WeirError('retryable', `NATS: ${messageOf(error)}`, { cause: error })
}
