import { setTimeout as sleep } from 'node:timers/promises'
import { Backoff } from '../../kit/backoff.ts'
import { FrameError } from '../../model/frame.ts'
import type { NewDeadLetter } from '../../ports/dead-letters.ts'
import { WeirError } from '../../ports/errors.ts'
import type { LogEntry, LogPosition, SubscribeOptions, Subscription } from '../../ports/log.ts'
import { GroupMember } from './group-member.ts'
import type { KafkaConnection } from './kafka-client.ts'
import { PartitionReader, type Fetched } from './partition-reader.ts'
import { entryOf } from './record.ts'
import type { Topic } from './topic.ts'

/** What a subscription needs of its log. */
export interface SubscriptionContext {
  readonly connection: KafkaConnection
  readonly topic: Topic
  readonly maxFetchBytes: number
  readonly sessionTimeoutMs: number
  /** What the log has, per partition, when the subscription begins. */
  readonly begins: readonly { readonly first: number; readonly next: number }[]
  /** The offsets that the group has committed; -1 where it has none. */
  readonly committed: () => Promise<readonly number[]>
  /** Keeps what is no entry; resolves when it is durable. */
  readonly putAside: (letters: readonly NewDeadLetter[]) => Promise<void>
  /** Brokers have told more of a partition. */
  readonly onSeen: (partition: number, first: number, next: number) => void
  readonly onExpired: (count: number) => void
  /** The subscription has stopped because of this. */
  readonly fail: (reason: WeirError) => void
}

/** One group's way through the topic in this process. */
export class KafkaSubscription implements Subscription {
  readonly caughtUp: Promise<void>
  readonly #options: SubscribeOptions
  readonly #context: SubscriptionContext
  readonly #reader: PartitionReader
  readonly #member: GroupMember | undefined
  readonly #closing = new AbortController()
  /** What was asked for at the call to `subscribe`. */
  readonly #wanted: ReadonlyMap<number, number>
  /** Records behind the last entry that are none: a commit of the one means the other too. */
  readonly #skipped = new Map<number, { readonly from: number; readonly to: number }>()
  /** Where each partition began that this process has had. */
  readonly #from = new Map<number, number>()
  readonly #commits = new Map<number, number>()
  #committing: Promise<void> | undefined
  #hasPartitions = false
  #closed: Promise<void> | undefined
  #caughtUp: (() => void) | undefined

  constructor(options: SubscribeOptions, context: SubscriptionContext) {
    this.#options = options
    this.#context = context
    this.#wanted = new Map(options.from.map(({ partition, offset }) => [partition, offset]))
    const { connection, topic, maxFetchBytes, sessionTimeoutMs } = context
    const { group } = options
    this.#reader = new PartitionReader({
      ...{ connection, topic: topic.name, group, maxFetchBytes },
      take: fetched => this.#take(fetched),
      onExpired: context.onExpired,
      onLost: (partition, position, end) => {
        const message = `Kafka has lost records: group ${group} was at offset ${position} of partition ${partition}, which ends at ${end} now`
        this.#fail(new WeirError('corrupt', message))
      },
    })
    if (options.members !== 'everyone') {
      this.#member = new GroupMember({
        ...{ connection, topic: topic.name, group, sessionTimeoutMs },
        onRevoked: () => this.#reader.halt(),
        onAssigned: (partitions, kept) => this.#assigned(partitions, kept),
      })
    }
    this.caughtUp = new Promise(resolve => (this.#caughtUp = resolve))
  }

  /** Begins; called once. */
  start(): void {
    if (this.#member !== undefined) return this.#member.start()
    const positions = this.#context.begins.map(({ first }, partition): [number, number] => {
      return [partition, this.#wanted.get(partition) ?? first]
    })
    this.#read(new Map(positions))
  }

  /**
   * Tells the group's offsets to Kafka, for lag tools and for members that have no other positions. One
   * commit is on its way at a time; those that come meanwhile are one. What fails comes with the next.
   */
  commit(positions: readonly LogPosition[]): Promise<void> {
    for (const { partition, offset } of positions) {
      const skipped = this.#skipped.get(partition)
      const upTo = skipped !== undefined && offset >= skipped.from ? skipped.to : offset
      const next = Math.max(offset, upTo)
      if (next > (this.#commits.get(partition) ?? -1)) this.#commits.set(partition, next)
    }
    this.#committing ??= this.#commitAll().finally(() => (this.#committing = undefined))
    return this.#committing
  }

  /** Entries that were not committed yet of the partitions that are read here. */
  lagOf(ends: readonly { readonly first: number; readonly next: number }[]): number {
    const partitions = this.#member?.ownedLast ?? [...this.#reader.positions.keys()]
    return partitions.reduce((sum, partition) => {
      // Of a partition that was added since the topic was opened nothing is known.
      const { first, next } = ends[partition] ?? { first: 0, next: 0 }
      const read = this.#reader.positions.get(partition) ?? first
      // What was before the first position here has been committed by somebody.
      const from = Math.max(this.#commits.get(partition) ?? 0, this.#from.get(partition) ?? first)
      return sum + Math.max(0, next - (this.#member === undefined ? read : from))
    }, 0)
  }

  close(): Promise<void> {
    this.#closed ??= this.#release()
    return this.#closed
  }

  async #release(): Promise<void> {
    this.#closing.abort()
    this.#reader.halt()
    // What cannot be committed now is committed by whoever goes on.
    const { requestTimeoutMs } = this.#context.connection
    await Promise.race([this.#committing, sleep(requestTimeoutMs, undefined, { ref: false })])
    await Promise.all([this.#member?.close(), this.#reader.close()])
    this.#caughtUp?.()
  }

  async #commitAll(): Promise<void> {
    let told = new Map<number, number>()
    const isTold = (): boolean =>
      [...this.#commits].every(([partition, offset]) => told.get(partition) === offset)
    // Of what comes in this turn one commit is made.
    await new Promise(resolve => setImmediate(resolve))
    while (!isTold()) {
      told = new Map(this.#commits)
      try {
        await this.#member?.commit(told)
      } catch {
        // The store's positions are what counts; Kafka is told with the next commit.
        return
      }
    }
  }

  async #assigned(partitions: readonly number[], kept: ReadonlySet<number>): Promise<void> {
    const before = await this.#reader.stop()
    const positions = new Map<number, number>()
    for (const partition of kept) {
      const position = before.get(partition)
      if (position !== undefined) positions.set(partition, position)
    }
    const asked = partitions.filter(partition => !positions.has(partition))
    const backoff = new Backoff({ firstMs: 100, lastMs: 2000 })
    while (asked.length > 0 && !this.#closing.signal.aborted) {
      // Others may have got them by now.
      if (!asked.every(partition => this.#member?.owned.includes(partition))) return
      try {
        for (const [partition, offset] of await this.#begins(asked)) {
          positions.set(partition, offset)
          // Others may have gone on since this process had it: what was committed then is old.
          this.#commits.set(partition, Math.max(offset, this.#commits.get(partition) ?? 0))
        }
        break
      } catch (error) {
        if (error instanceof WeirError && error.kind !== 'retryable') return this.#fail(error)
        const { signal } = this.#closing
        await sleep(backoff.next(), undefined, { signal }).catch(() => {})
      }
    }
    if (!this.#closing.signal.aborted) this.#read(positions)
  }

  /** Where partitions begin that this process has just been given. */
  async #begins(partitions: readonly number[]): Promise<Map<number, number>> {
    const { begins, committed } = this.#context
    const { onAssigned, group } = this.#options
    const positions = new Map<number, number>()
    if (onAssigned === undefined) {
      const offsets = await committed()
      for (const partition of partitions) {
        // Another member may have gone on since. What is not kept any more the reader finds out.
        const known = Math.max(this.#wanted.get(partition) ?? -1, offsets[partition] ?? -1)
        positions.set(partition, known >= 0 ? known : (begins[partition]?.first ?? 0))
      }
      return positions
    }
    const wanted = new Map(
      (await onAssigned(partitions)).map(({ partition, offset }) => [partition, offset]),
    )
    for (const partition of partitions) {
      positions.set(partition, wanted.get(partition) ?? begins[partition]?.first ?? 0)
    }
    for (const [partition, offset] of positions) {
      if (Number.isInteger(offset) && offset >= 0) continue
      throw new WeirError('rejected', `group ${group} wants offset ${offset} of ${partition}`)
    }
    return positions
  }

  #read(positions: ReadonlyMap<number, number>): void {
    this.#hasPartitions = true
    for (const [partition, offset] of positions) {
      if (!this.#from.has(partition)) this.#from.set(partition, offset)
    }
    this.#reader.start(positions)
    this.#lookIfCaughtUp(new Map())
  }

  async #take(fetched: readonly Fetched[]): Promise<ReadonlyMap<number, number>> {
    const next = new Map<number, number>()
    const entries: LogEntry[] = []
    const letters: NewDeadLetter[] = []
    for (const { partition, batches, first, end } of fetched) {
      this.#context.onSeen(partition, first, end)
      const position = this.#reader.positions.get(partition) ?? 0
      next.set(partition, this.#sort({ partition, position, batches }, { entries, letters }))
    }
    if (letters.length > 0) await this.#putAside(letters)
    if (entries.length > 0) {
      try {
        await this.#options.deliver(entries)
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause)
        const message = `group ${this.#options.group} failed on delivery: ${reason}`
        this.#fail(new WeirError('closed', message, { cause }))
        throw cause
      }
    }
    this.#lookIfCaughtUp(next)
    return next
  }

  /** Entries and what is none, from `position` on; returns the offset after the last record. */
  #sort(
    { partition, position, batches }: Pick<Fetched, 'partition' | 'batches'> & { position: number },
    into: { readonly entries: LogEntry[]; readonly letters: NewDeadLetter[] },
  ): number {
    let next = position
    for (const batch of batches) {
      const { attributes, firstOffset, firstTimestamp, lastOffsetDelta, records } = batch
      const base = Number(firstOffset)
      // Marks of transactions are no records of anybody's.
      const isControl = (attributes & CONTROL_BATCH) !== 0
      for (const record of isControl ? [] : records) {
        const offset = base + record.offsetDelta
        if (offset < position) continue
        const source = { partition, offset }
        const entry = entryOf(record.value)
        if (!(entry instanceof FrameError)) {
          const appendedMs = Number(firstTimestamp + record.timestampDelta)
          into.entries.push({ ...entry, position: source, appendedMs })
          continue
        }
        const { from } = this.#skipped.get(partition) ?? { from: offset }
        const isNext = this.#skipped.get(partition)?.to === offset
        this.#skipped.set(partition, { from: isNext ? from : offset, to: offset + 1 })
        const bytes = new Uint8Array(record.value ?? [])
        const { group } = this.#options
        into.letters.push({ bytes, reason: `no entry: ${entry.message}`, source, group })
      }
      next = Math.max(next, base + lastOffsetDelta + 1)
    }
    return next
  }

  /**
   * Until they are kept, nothing behind them is delivered. Who only watches leaves it to the group.
   *
   * @throws WeirError `closed`: they are not kept, and come again to whoever goes on.
   */
  async #putAside(letters: readonly NewDeadLetter[]): Promise<void> {
    if (this.#member === undefined) return
    const backoff = new Backoff({ firstMs: 100, lastMs: 5000 })
    const { signal } = this.#closing
    for (;;) {
      try {
        return await this.#context.putAside(letters)
      } catch (cause) {
        await sleep(backoff.next(), undefined, { signal }).catch(() => {})
        if (!signal.aborted) continue
        throw new WeirError('closed', 'what is no entry was not put aside', { cause })
      }
    }
  }

  #lookIfCaughtUp(latest: ReadonlyMap<number, number>): void {
    if (!this.#hasPartitions || this.#caughtUp === undefined) return
    for (const [partition, position] of this.#reader.positions) {
      // A partition that was added since has nothing of before.
      const next = this.#context.begins.at(partition)?.next ?? 0
      if ((latest.get(partition) ?? position) < next) return
    }
    this.#caughtUp()
    this.#caughtUp = undefined
  }

  #fail(reason: WeirError): void {
    this.#reader.halt()
    this.#context.fail(reason)
  }
}

const CONTROL_BATCH = 1 << 5
