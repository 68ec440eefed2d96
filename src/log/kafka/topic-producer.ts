import { setTimeout as sleep } from 'node:timers/promises'
import {
  NumericMap,
  type API,
  type Base,
  type Connection,
  type MessageRecord,
  protocolErrorsCodesById,
} from '@platformatic/kafka'
import { Backoff } from '../../kit/backoff.ts'
import { WeirError } from '../../ports/errors.ts'
import { apiOf, newClient, type KafkaConnection } from './kafka-client.ts'
import { reasonOf } from './kafka-error.ts'

/** A record to be; null is what Kafka calls a tombstone, which the library's type does not know. */
export type NewRecord = Omit<MessageRecord, 'value'> & { readonly value: Buffer | null }

/** What goes into one record batch of one partition. */
export type RecordBatch = readonly NewRecord[]

export interface TopicProducerOptions {
  readonly connection: KafkaConnection
  readonly topic: string
  /** Told where the broker has put each batch: the offset after its last record. */
  readonly onAppended?: (partition: number, next: number) => void
  /**
   * A batch was put at `base`, before the `end` of what had been acknowledged: brokers have lost
   * records. Called before `send` resolves.
   */
  readonly onLost?: (partition: number, places: { end: number; base: number }) => void
}

interface PartitionAnswer {
  readonly index: number
  readonly errorCode: number
  readonly baseOffset: bigint
  readonly errorMessage: string | null
}
interface ProduceAnswer {
  readonly responses: readonly { readonly partitionResponses: readonly PartitionAnswer[] }[]
}
type Produce = API<
  [acks: number, timeout: number, records: NewRecord[], options: object],
  ProduceAnswer
>
type InitProducerId = API<
  [transaction: null, timeout: number, id: bigint, epoch: number],
  { readonly producerId: bigint; readonly producerEpoch: number }
>

const ACKS_ALL = -1
/** Kafka's codes, as in its protocol guide. */
const CODES = {
  tooLarge: [10, 18],
  refused: [17, 29, 31, 87],
  outOfSequence: [45, 59],
  duplicate: 46,
  oldEpoch: 47,
}
const LAST_EPOCH = 32_767

/** Why a round did not bring all of its batches in. */
interface Trouble {
  readonly error: unknown
  /** Trying again within this append does not help. */
  readonly isFinal: boolean
}

/**
 * An idempotent producer of one topic, with `acks=all` and one batch a partition on its way.
 *
 * What fails is sent again with the same sequence numbers, so the broker keeps it once; until the
 * time is up. Then the epoch is raised: batches of before that are still on their way are refused by
 * the broker behind anything newer (KIP-360), so that what was never acknowledged cannot arrive after
 * what was. The library's own producer takes a new id instead, which fences nothing.
 */
export class TopicProducer {
  readonly #options: TopicProducerOptions
  readonly #client: Base
  #identity: { readonly id: bigint; readonly epoch: number } | undefined
  /** The next sequence number, by `topic:partition`, as the library's encoder asks for it. */
  readonly #sequences = new NumericMap()
  /** Behind the last acknowledged record of each partition. */
  readonly #ends = new Map<number, number>()
  /** Leaders are asked for again. */
  #isStale = false
  /** The broker does not know our sequence any more: it lost records, or forgot the producer. */
  #isLost = false
  readonly #closing = new AbortController()

  constructor(options: TopicProducerOptions) {
    this.#options = options
    this.#client = newClient(options.connection)
  }

  /**
   * Sends the batches of each partition in order; the maps' lists are emptied. One call at a time.
   *
   * @throws WeirError `retryable`: not all, and not necessarily none, of it was appended in time.
   */
  async send(queues: Map<number, RecordBatch[]>, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    const backoff = new Backoff({ firstMs: 50, lastMs: 1000 })
    while (queues.size > 0) {
      const trouble = await this.#round(queues)
      if (this.#isLost) this.#renew()
      if (trouble === undefined) {
        backoff.reset()
        continue
      }
      const leftMs = deadline - performance.now()
      if (trouble.isFinal || leftMs <= 0 || this.#closing.signal.aborted) {
        this.#renew()
        throw notAppended(trouble.error)
      }
      const { signal } = this.#closing
      await sleep(Math.min(backoff.next(), leftMs), undefined, { signal }).catch(() => {})
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#client.close()
  }

  /** One batch of each partition, all at once. */
  async #round(queues: Map<number, RecordBatch[]>): Promise<Trouble | undefined> {
    const { topic } = this.#options
    try {
      const { id, epoch } = await this.#identify()
      const produce: Produce = await apiOf(this.#client, 'Produce')
      const metadata = await this.#client.metadata({ topics: [topic], forceUpdate: this.#isStale })
      this.#isStale = false
      const byLeader = new Map<number, number[]>()
      for (const partition of queues.keys()) {
        const leader = metadata.topics.get(topic)?.partitions[partition]?.leader ?? -1
        byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition])
      }
      const rounds = Array.from(byLeader, async ([leader, partitions]) => {
        const broker = metadata.brokers.get(leader)
        if (broker === undefined) throw new Error(`a partition of ${topic} has no leader now`)
        const connection = await this.#client.connections.get(broker)
        const records = partitions.flatMap(partition => queues.get(partition)?.[0] ?? [])
        const identity = { producerId: id, producerEpoch: epoch, sequences: this.#sequences }
        return this.#settle(await this.#ask(produce, connection, { records, identity }), queues)
      })
      const troubles = (await Promise.allSettled(rounds)).map(round => {
        if (round.status === 'fulfilled') return round.value
        this.#isStale = true
        return { error: round.reason as unknown, isFinal: false }
      })
      return troubles.find(trouble => trouble?.isFinal) ?? troubles.find(Boolean)
    } catch (error) {
      this.#isStale = true
      return { error, isFinal: false }
    }
  }

  #ask(
    produce: Produce,
    connection: Connection,
    { records, identity }: { records: NewRecord[]; identity: object },
  ): Promise<ProduceAnswer> {
    const timeoutMs = Math.ceil(this.#options.connection.requestTimeoutMs * 0.8)
    return new Promise((resolve, reject) => {
      produce(connection, ACKS_ALL, timeoutMs, records, identity, (error, answer) => {
        // Refused partitions come as an error that has the answer with it.
        const said = answer ?? (error as { response?: ProduceAnswer } | null)?.response
        if (said === undefined) reject(error ?? new Error('no answer'))
        else resolve(said)
      })
    })
  }

  #settle({ responses }: ProduceAnswer, queues: Map<number, RecordBatch[]>): Trouble | undefined {
    let trouble: Trouble | undefined
    for (const { index, errorCode, baseOffset, errorMessage } of responses.flatMap(
      ({ partitionResponses }) => partitionResponses,
    )) {
      if (errorCode === 0 || errorCode === CODES.duplicate) {
        this.#acknowledged(index, queues, Number(baseOffset))
        continue
      }
      this.#isStale = true
      const isLost = errorCode === CODES.oldEpoch || CODES.outOfSequence.includes(errorCode)
      if (isLost) this.#isLost = true
      const isFinal = CODES.tooLarge.includes(errorCode) || CODES.refused.includes(errorCode)
      const name = protocolErrorsCodesById[errorCode] ?? errorCode
      const detail = errorMessage ?? `Kafka answers ${name}`
      trouble = { error: new Error(`partition ${index}: ${detail}`), isFinal }
    }
    return trouble
  }

  #acknowledged(partition: number, queues: Map<number, RecordBatch[]>, base: number): void {
    const queue = queues.get(partition)
    const batch = queue?.shift()
    if (queue === undefined || batch === undefined) return
    if (queue.length === 0) queues.delete(partition)
    const key = `${this.#options.topic}:${partition}`
    this.#sequences.set(key, (this.#sequences.getWithDefault(key, 0) + batch.length) & 0x7fffffff)
    // Of a batch that it has had for long the broker does not say where it is.
    if (base < 0) return
    // One that came twice is where it was put at first, which is behind everything before it.
    const end = this.#ends.get(partition) ?? 0
    if (base < end) this.#options.onLost?.(partition, { end, base })
    this.#ends.set(partition, base + batch.length)
    this.#options.onAppended?.(partition, base + batch.length)
  }

  async #identify(): Promise<{ readonly id: bigint; readonly epoch: number }> {
    if (this.#identity !== undefined) return this.#identity
    const init: InitProducerId = await apiOf(this.#client, 'InitProducerId')
    const { brokers } = await this.#client.metadata({ forceUpdate: this.#isStale })
    const connection = await this.#client.connections.getFirstAvailable([...brokers.values()])
    const { producerId, producerEpoch } = await init.async(connection, null, 0, -1n, -1)
    this.#sequences.clear()
    this.#identity = { id: producerId, epoch: producerEpoch }
    return this.#identity
  }

  /** A higher epoch, in which the numbers of all partitions begin anew. */
  #renew(): void {
    this.#isLost = false
    this.#sequences.clear()
    const known = this.#identity
    this.#identity =
      known === undefined || known.epoch >= LAST_EPOCH
        ? undefined
        : { id: known.id, epoch: known.epoch + 1 }
  }
}

function notAppended(cause: unknown): WeirError {
  const message = `Kafka did not take all of it: ${reasonOf(cause)}`
  return new WeirError('retryable', message, { cause, retryAfterMs: 1000 })
}
