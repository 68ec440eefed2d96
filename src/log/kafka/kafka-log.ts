import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from '@platformatic/kafka'
import { Backoff } from '../../kit/backoff.ts'
import { closeAll } from '../../kit/close-all.ts'
import { pointCount, type EncodedBatch } from '../../model/batch.ts'
import { BatchSplitter } from '../../model/batch-split.ts'
import type { DeadLetters } from '../../ports/dead-letters.ts'
import { WeirError } from '../../ports/errors.ts'
import type {
  Log,
  LogPosition,
  LogStatus,
  SubscribeOptions,
  Subscription,
} from '../../ports/log.ts'
import { DeadLetterTopic } from './dead-letter-topic.ts'
import { groupIdOf, newAdmin, type KafkaConnection } from './kafka-client.ts'
import { isRefusedLogin, reasonOf, retryable } from './kafka-error.ts'
import { KafkaSubscription } from './kafka-subscription.ts'
import { inBatches, maxFrameBytesOf, recordOf } from './record.ts'
import { TopicProducer, type RecordBatch } from './topic-producer.ts'
import { offsetsOf, openTopic, type Topic } from './topic.ts'

export interface KafkaLogOptions {
  readonly connection: KafkaConnection
  /** Its dead letters are in the topic `….dead-letters`. */
  readonly topic: string
  /** Of the topic, where it is made: */
  readonly partitions: number
  /** 0 in these: as the brokers do. */
  readonly replication: number
  readonly minInsyncReplicas: number
  readonly retentionMs: number
  /** How long an append is tried. */
  readonly appendTimeoutMs: number
  /** How long `open` waits for a broker. */
  readonly openTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly maxFetchBytes: number
}

const REFRESH_INTERVAL_MS = 1000

interface Place {
  first: number
  next: number
}

/**
 * The log on a Kafka topic: batches are divided by device over its partitions, each piece is a record.
 * What a record is, and what Kafka does not promise, is in docs/formats/kafka.md.
 */
export class KafkaLog implements Log {
  readonly capabilities = { deliversBeforeAck: false, keepsEntries: true, isShared: true }
  readonly deadLetters: DeadLetters
  readonly #options: KafkaLogOptions
  readonly #admin: Admin
  readonly #topic: Topic
  readonly #splitter: BatchSplitter
  readonly #producer: TopicProducer
  readonly #deadLetterTopic: DeadLetterTopic
  readonly #subscriptions = new Map<string, KafkaSubscription>()
  /** Per partition, as far as brokers have told. */
  readonly #places: Place[]
  readonly #refresh: NodeJS.Timeout
  #appending: Promise<unknown> = Promise.resolve()
  #pointsAppended = 0
  #expired = 0
  #failure: WeirError | undefined
  /** Of the last append, when it failed. */
  #trouble: string | undefined
  #closing: Promise<void> | undefined

  /**
   * Waits for a broker, and makes the topic where it is missing.
   *
   * @throws WeirError `config` when it never would work, `retryable` when no broker has come.
   */
  static async open(options: KafkaLogOptions): Promise<KafkaLog> {
    const admin = newAdmin(options.connection)
    const deadline = performance.now() + options.openTimeoutMs
    const backoff = new Backoff({ firstMs: 100, lastMs: 1000 })
    for (;;) {
      try {
        const topic = await openTopic(admin, mainTopic(options))
        return new KafkaLog(options, { admin, topic, places: await offsetsOf(admin, topic) })
      } catch (error) {
        const isHopeless = error instanceof WeirError || isRefusedLogin(error)
        if (!isHopeless && performance.now() < deadline) {
          await sleep(backoff.next())
          continue
        }
        await admin.close()
        if (error instanceof WeirError) throw error
        const message = `Kafka at ${options.connection.brokers.join(', ')}: ${reasonOf(error)}`
        throw new WeirError(isHopeless ? 'config' : 'retryable', message, { cause: error })
      }
    }
  }

  private constructor(
    options: KafkaLogOptions,
    { admin, topic, places }: { admin: Admin; topic: Topic; places: Place[] },
  ) {
    this.#options = options
    this.#admin = admin
    this.#topic = topic
    this.#places = places
    const { connection, appendTimeoutMs: timeoutMs } = options
    const maxFrameBytes = maxFrameBytesOf(topic.maxBatchBytes)
    this.#splitter = new BatchSplitter({ partitions: topic.partitions, maxFrameBytes })
    this.#producer = new TopicProducer({
      ...{ connection, topic: topic.name },
      onAppended: (partition, next) => this.#see(partition, next),
      onLost: (partition, { end, base }) => {
        const message = `Kafka has lost records: partition ${partition} had ended at offset ${end}, and a new record is at ${base}`
        this.#failure ??= new WeirError('corrupt', message)
        for (const subscription of this.#subscriptions.values()) void subscription.close()
      },
    })
    this.#deadLetterTopic = new DeadLetterTopic({
      ...{ admin, connection, timeoutMs },
      topic: deadLetterTopic(options, topic.maxBatchBytes),
    })
    this.deadLetters = this.#deadLetterTopic
    this.#refresh = setInterval(() => void this.#lookAtEnds(), REFRESH_INTERVAL_MS)
    this.#refresh.unref()
  }

  append(entries: readonly EncodedBatch[]): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (entries.length === 0) return Promise.resolve()
    // The sequence numbers of the producer are of one append after the other.
    const appended = this.#appending.then(() => this.#append(entries))
    this.#appending = appended.catch(() => {})
    return appended
  }

  /**
   * @throws WeirError `rejected` when `from` is beyond the end (the group has read another topic),
   *   `conflict` when the group has a subscription, `retryable`, `closed`.
   */
  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.#closing !== undefined) throw closed()
    const { group, from } = options
    if (this.#subscriptions.has(group)) {
      throw new WeirError('conflict', `group ${group} has a subscription`)
    }
    await this.#lookAtEnds(`group ${group} cannot subscribe`)
    const begins = this.#places.map(place => ({ ...place }))
    for (const { partition, offset } of from) mustBeIn(begins, { partition, offset }, group)
    const { onAssigned } = options
    const checked: SubscribeOptions =
      onAssigned === undefined
        ? options
        : {
            ...options,
            onAssigned: async partitions => this.#known(await onAssigned(partitions), group),
          }
    const { connection, maxFetchBytes, sessionTimeoutMs } = this.#options
    const subscription = new KafkaSubscription(checked, {
      ...{ connection, topic: this.#topic, maxFetchBytes, sessionTimeoutMs, begins },
      committed: () => this.#committed(group),
      putAside: letters => this.deadLetters.put(letters),
      onSeen: (partition, first, next) => this.#see(partition, next, first),
      onExpired: count => (this.#expired += count),
      fail: reason => {
        this.#failure ??= reason
        void subscription.close()
      },
    })
    this.#subscriptions.set(group, subscription)
    subscription.start()
    return {
      caughtUp: subscription.caughtUp,
      close: async () => {
        await subscription.close()
        if (this.#subscriptions.get(group) === subscription) this.#subscriptions.delete(group)
      },
    }
  }

  /** Never fails because Kafka is away: the store's positions count, and the next commit says more. */
  async commit(group: string, positions: readonly LogPosition[]): Promise<void> {
    for (const { offset } of positions) {
      if (Number.isInteger(offset)) continue
      throw new WeirError('rejected', `group ${group} commits ${offset}, which is no offset`)
    }
    if (this.#closing !== undefined) return
    const subscription = this.#subscriptions.get(group)
    if (subscription !== undefined) return subscription.commit(positions)
    await this.#commitForAll(group, positions)
  }

  status(): LogStatus {
    return {
      partitions: this.#places.map((place, partition) => ({ partition, ...place })),
      pointsAppended: this.#pointsAppended,
      bytes: 0,
      lag: new Map(
        Array.from(this.#subscriptions, ([group, one]) => [group, one.lagOf(this.#places)]),
      ),
      expired: this.#expired,
      ...(this.#failure === undefined ? {} : { failure: this.#failure.message }),
      ...(this.#trouble === undefined ? {} : { trouble: this.#trouble }),
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#release()
    return this.#closing
  }

  async #release(): Promise<void> {
    clearInterval(this.#refresh)
    await this.#appending
    const parts = [...this.#subscriptions.values(), this.#producer, this.#deadLetterTopic]
    await closeAll([...parts, this.#admin].map(part => () => part.close()))
  }

  async #append(entries: readonly EncodedBatch[]): Promise<void> {
    const refusal = this.#failure === undefined ? undefined : this.#refusal()
    if (refusal !== undefined) throw refusal
    const { name, maxBatchBytes } = this.#topic
    const queues = new Map<number, RecordBatch[]>()
    let points = 0
    for (const { batch } of entries) points += pointCount(batch)
    for (const { partition, entries: pieces } of this.#splitter.split(entries)) {
      const records = pieces.map(piece => recordOf(name, partition, piece))
      queues.set(partition, inBatches(records, maxBatchBytes))
    }
    try {
      await this.#producer.send(queues, this.#options.appendTimeoutMs)
    } catch (error) {
      this.#trouble = reasonOf(error)
      throw error
    }
    // It is where the store takes entries for those that it has.
    if (this.#failure?.kind === 'corrupt') throw this.#refusal()
    this.#trouble = undefined
    this.#pointsAppended += points
  }

  #refusal(): WeirError | undefined {
    if (this.#closing !== undefined) return closed()
    if (this.#failure === undefined) return undefined
    const message = `the log has failed: ${this.#failure.message}`
    return new WeirError('closed', message, { cause: this.#failure })
  }

  #see(partition: number, next: number, first = 0): void {
    const place = this.#places[partition]
    if (place === undefined) return
    place.next = Math.max(place.next, next)
    place.first = Math.max(place.first, first)
  }

  /** With a purpose its failure is told; without one it is a look that can be missed. */
  async #lookAtEnds(purpose?: string): Promise<void> {
    try {
      const offsets = await offsetsOf(this.#admin, this.#topic)
      offsets.forEach(({ first, next }, partition) => this.#see(partition, next, first))
    } catch (error) {
      if (purpose !== undefined) throw retryable(purpose, error)
    }
  }

  async #known(positions: readonly LogPosition[], group: string): Promise<readonly LogPosition[]> {
    // Another process may have appended, and stored, after the last look.
    if (positions.some(({ partition, offset }) => offset > (this.#places[partition]?.next ?? 0))) {
      await this.#lookAtEnds(`the end of ${this.#topic.name} is not known`)
    }
    for (const position of positions) {
      // Of partitions that the topic has had for a shorter time than this process nothing is known.
      if (position.partition < this.#places.length) mustBeIn(this.#places, position, group)
    }
    return positions
  }

  async #committed(group: string): Promise<number[]> {
    const offsets = this.#places.map(() => -1)
    try {
      const [found] = await this.#admin.listConsumerGroupOffsets({
        groups: [groupIdOf(this.#topic.name, group)],
      })
      const topic = found?.topics.find(({ name }) => name === this.#topic.name)
      for (const { partitionIndex, committedOffset } of topic?.partitions ?? []) {
        offsets[partitionIndex] = Number(committedOffset)
      }
      return offsets
    } catch (error) {
      throw retryable(`what group ${group} has committed is not known`, error)
    }
  }

  /** For a group that nobody is a member of now; with members Kafka refuses it, and rightly. */
  async #commitForAll(group: string, positions: readonly LogPosition[]): Promise<void> {
    try {
      const committed = await this.#committed(group)
      const newer = positions.filter(
        ({ partition, offset }) => offset > (committed[partition] ?? 0),
      )
      if (newer.length === 0) return
      const partitionOffsets = newer.map(({ partition, offset }) => {
        return { partition, offset: BigInt(offset) }
      })
      const topics = [{ name: this.#topic.name, partitionOffsets }]
      await this.#admin.alterConsumerGroupOffsets({
        groupId: groupIdOf(this.#topic.name, group),
        topics,
      })
    } catch {
      // The next commit says all that this one would have.
    }
  }
}

function mainTopic(options: KafkaLogOptions) {
  const { topic, partitions, retentionMs } = options
  const configs = { 'retention.ms': String(retentionMs) }
  const copies = copiesOf(options)
  return {
    topic,
    partitions,
    cleanup: 'delete' as const,
    ...copies,
    configs: { ...copies.configs, ...configs },
  }
}

function deadLetterTopic(options: KafkaLogOptions, maxBatchBytes: number) {
  const copies = copiesOf(options)
  return {
    ...{ topic: `${options.topic}.dead-letters`, partitions: 1, cleanup: 'compact' as const },
    ...copies,
    // Frames as large as the main topic's, with a reason.
    configs: { ...copies.configs, 'max.message.bytes': String(Math.max(8 << 20, maxBatchBytes)) },
  }
}

function copiesOf({ replication, minInsyncReplicas }: KafkaLogOptions) {
  const configs: Record<string, string> = {}
  if (minInsyncReplicas > 0) configs['min.insync.replicas'] = String(minInsyncReplicas)
  return { replication: replication === 0 ? -1 : replication, configs }
}

function mustBeIn(
  places: readonly Place[],
  { partition, offset }: LogPosition,
  group: string,
): void {
  const next = places[partition]?.next ?? 0
  if (Number.isInteger(offset) && offset >= 0 && offset <= next) return
  const message = `group ${group} wants partition ${partition} from offset ${offset} on, but ${next} comes next there`
  throw new WeirError('rejected', message)
}

function closed(): WeirError {
  return new WeirError('closed', 'the log is closed')
}
