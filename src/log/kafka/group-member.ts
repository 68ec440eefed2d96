import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer } from '@platformatic/kafka'
import { Backoff } from '../../kit/backoff.ts'
import { newConsumer, type KafkaConnection } from './kafka-client.ts'

export interface GroupMemberOptions {
  readonly connection: KafkaConnection
  readonly topic: string
  readonly group: string
  /** A member that is silent for so long has its partitions given to others. */
  readonly sessionTimeoutMs: number
  /** Partitions are being divided anew: what this member had may be another's any moment. */
  readonly onRevoked: () => void
  /**
   * What this member has from now on. `kept`: no other had those in between. Never concurrently; of
   * several that wait only the last is told.
   */
  readonly onAssigned: (partitions: readonly number[], kept: ReadonlySet<number>) => Promise<void>
}

/**
 * A member of a consumer group, with what its topic's partitions are divided by (the classic protocol,
 * KIP-62); it fetches nothing. One that was thrown out or that lost its coordinator joins again.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions
  readonly #closing = new AbortController()
  #consumer: Consumer | undefined
  #owned: readonly number[] = []
  #generation = -2
  #isMember = false
  /** Of an assignment that was not told yet. */
  #untold: ReadonlySet<number> | undefined
  #telling: Promise<void> = Promise.resolve()
  #done: Promise<void> | undefined

  constructor(options: GroupMemberOptions) {
    this.#options = options
  }

  /** The partitions that are this member's now. */
  get owned(): readonly number[] {
    return this.#isMember ? this.#owned : []
  }

  /** Those that were it last, while it is not known whose they are now. */
  get ownedLast(): readonly number[] {
    return this.#owned
  }

  start(): void {
    this.#done ??= this.#stayIn()
  }

  /**
   * Commits for the group; what is not of this member is left out.
   *
   * @throws what the library throws; the next commit says all that this one would have.
   */
  async commit(positions: ReadonlyMap<number, number>): Promise<void> {
    const { topic } = this.#options
    const offsets = this.owned
      .filter(partition => positions.has(partition))
      .map(partition => ({
        ...{ topic, partition, leaderEpoch: -1 },
        offset: BigInt(positions.get(partition) ?? 0),
      }))
    if (offsets.length > 0) await this.#consumer?.commit({ offsets })
  }

  /** Leaves, so that others have its partitions at once. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#isMember = false
    await this.#consumer?.close(true).catch(() => {})
    await this.#done
    await this.#telling
  }

  async #stayIn(): Promise<void> {
    const { connection, topic, group, sessionTimeoutMs } = this.#options
    const { signal } = this.#closing
    const backoff = new Backoff({ firstMs: 200, lastMs: 2000 })
    let memberId: string | null = null
    while (!signal.aborted) {
      const consumer = newConsumer(connection, { topic, group, sessionTimeoutMs })
      this.#consumer = consumer
      const attempt = new AbortController()
      const lost = this.#lossOf(consumer, attempt.signal)
      consumer.topics.track(topic)
      // As the member it was, if the group still knows it: a new one has to wait until that is out.
      consumer.memberId = memberId
      try {
        await consumer.joinGroup({})
        backoff.reset()
        await lost
      } catch {
        // It is tried again; who waits sees no partitions, and the lag.
      }
      attempt.abort()
      this.#revoke()
      if (signal.aborted) return
      memberId = consumer.memberId
      // A connection that does not answer is not waited for.
      await Promise.race([
        consumer.close(true).catch(() => {}),
        sleep(connection.requestTimeoutMs, undefined, { signal }).catch(() => {}),
      ])
      await sleep(backoff.next(), undefined, { signal }).catch(() => {})
    }
  }

  /** Resolves when the member cannot come back by itself; nobody waits for it after the signal. */
  #lossOf(consumer: Consumer, signal: AbortSignal): Promise<void> {
    consumer.on('consumer:group:rebalance', () => this.#revoke())
    consumer.on('consumer:group:join', ({ generationId = -2, assignments = [] }) => {
      this.#assign(
        generationId,
        assignments.flatMap(({ partitions }) => partitions),
      )
    })
    return new Promise(resolve => {
      // The library says so when joining again has failed; it does not try further.
      consumer.on('error', () => resolve())
      consumer.on('consumer:heartbeat:stalled', () => resolve())
      consumer.on('client:close', () => resolve())
      this.#closing.signal.addEventListener('abort', () => resolve(), { once: true, signal })
    })
  }

  #revoke(): void {
    this.#isMember = false
    this.#options.onRevoked()
  }

  #assign(generation: number, partitions: readonly number[]): void {
    if (this.#closing.signal.aborted) return
    const before = new Set(generation === this.#generation + 1 ? this.#owned : [])
    const untold = this.#untold
    const kept = new Set(
      partitions.filter(partition => before.has(partition) && untold?.has(partition) !== false),
    )
    this.#untold = kept
    this.#generation = generation
    this.#owned = [...partitions]
    this.#isMember = true
    this.#options.onRevoked()
    this.#telling = this.#telling.then(async () => {
      if (this.#generation !== generation || this.#closing.signal.aborted) return
      this.#untold = undefined
      await this.#options.onAssigned(partitions, kept)
    })
  }
}
