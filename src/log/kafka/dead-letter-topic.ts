import { crc32 } from 'node:zlib'
import type { Admin } from '@platformatic/kafka'
import {
  deadLetterId,
  type DeadLetter,
  type DeadLetters,
  type NewDeadLetter,
} from '../../ports/dead-letters.ts'
import { newConsumer, type KafkaConnection } from './kafka-client.ts'
import { reasonOf, retryable } from './kafka-error.ts'
import { inBatches, maxFrameBytesOf } from './record.ts'
import { TopicProducer, type NewRecord } from './topic-producer.ts'
import { offsetsOf, openTopic, type Topic, type TopicOptions } from './topic.ts'

export interface DeadLetterTopicOptions {
  readonly admin: Admin
  readonly connection: KafkaConnection
  /** Made when the first letter comes. */
  readonly topic: TopicOptions
  readonly timeoutMs: number
}

interface Kept {
  readonly offset: number
  readonly key: string
  readonly value: Buffer | null
  readonly headers: ReadonlyMap<string, string>
  readonly timestampMs: number
}

/**
 * Dead letters as a compacted topic of one partition: the key is the letter's id, a record without a
 * value removes it. It is read whole, twice: first for what was removed.
 */
export class DeadLetterTopic implements DeadLetters {
  readonly #options: DeadLetterTopicOptions
  readonly #producer: TopicProducer
  #topic: Promise<Topic> | undefined
  #sending: Promise<unknown> = Promise.resolve()

  constructor(options: DeadLetterTopicOptions) {
    this.#options = options
    const { connection } = options
    this.#producer = new TopicProducer({ connection, topic: options.topic.topic })
  }

  put(letters: readonly NewDeadLetter[]): Promise<void> {
    return this.#send(letters, letterRecord)
  }

  async *list(): AsyncGenerator<DeadLetter> {
    // The newest record of each: a letter that was removed may have come once more.
    const newest = new Map<string, number>()
    let end = -1
    for await (const { key, offset } of this.#read()) newest.set(key, (end = offset))
    for await (const { key, value, headers, timestampMs, offset } of this.#read()) {
      if (offset > end) return
      if (newest.get(key) !== offset || value === null) continue
      yield {
        id: key,
        bytes: new Uint8Array(value),
        reason: headers.get('reason') ?? '',
        group: headers.get('group') ?? '',
        source: {
          partition: Number(headers.get('partition')),
          offset: Number(headers.get('offset')),
        },
        atMs: timestampMs,
      }
    }
  }

  async remove(ids: readonly string[]): Promise<void> {
    await this.#send(ids, ({ name: topic }, id) => {
      return { topic, partition: 0, key: Buffer.from(id), value: null }
    })
  }

  async close(): Promise<void> {
    await this.#sending
    await this.#producer.close()
  }

  #send<Item>(
    items: readonly Item[],
    recordOf: (topic: Topic, item: Item) => NewRecord,
  ): Promise<void> {
    const { timeoutMs } = this.#options
    const sent = this.#sending.then(async () => {
      if (items.length === 0) return
      const topic = await this.#open()
      const records = items.map(item => recordOf(topic, item))
      const batches = inBatches(records, topic.maxBatchBytes)
      await this.#producer.send(new Map([[0, batches]]), timeoutMs)
    })
    this.#sending = sent.catch(() => {
      // What it takes at once may be less than it was.
      this.#topic = undefined
    })
    return sent
  }

  async #open(): Promise<Topic> {
    const { admin, topic } = this.#options
    try {
      return await (this.#topic ??= openTopic(admin, topic))
    } catch (error) {
      this.#topic = undefined
      throw retryable('the topic of dead letters is not there', error)
    }
  }

  /** Every record that is there at the call, oldest first. */
  async *#read(): AsyncGenerator<Kept> {
    const { admin, connection, topic } = this.#options
    const topics = await this.#ask(() => admin.listTopics())
    if (!topics.includes(topic.topic)) return
    const { name, id } = await this.#open()
    const [{ first, next }] = await this.#ask(() => offsetsOf(admin, { name, partitions: 1 }))
    const consumer = newConsumer(connection, { topic: name, group: 'list' })
    consumer.topics.track(name)
    try {
      for (let offset = first; offset < next;) {
        const before = offset
        for (const kept of await this.#ask(() => fetchFrom(consumer, { name, id, offset }))) {
          if (kept.offset >= next) return
          if (kept.offset >= before && kept.key !== '') yield kept
          offset = Math.max(offset, kept.end)
        }
        if (offset === before) return
      }
    } finally {
      await consumer.close(true)
    }
  }

  async #ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    try {
      return await question()
    } catch (error) {
      throw retryable(`the dead letters cannot be read (${reasonOf(error)})`, error)
    }
  }
}

/** With all the rest it is within what a record may take beside its value. */
const MAX_REASON_BYTES = 300

/**
 * Somebody may have put a record into the log that is larger than what this topic takes: it is cut,
 * for what is behind it must not wait for ever.
 */
function letterRecord(
  { name: topic, maxBatchBytes }: Topic,
  { bytes, reason, source, group }: NewDeadLetter,
): NewRecord {
  const most = maxFrameBytesOf(maxBatchBytes)
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, most))
  const cut = value.length < bytes.length ? ` (the first ${most} of ${bytes.length} bytes)` : ''
  const { partition, offset } = source
  const headers = { reason: beginningOf(reason) + cut, group, partition, offset }
  return {
    ...{ topic, partition: 0, value },
    key: Buffer.from(deadLetterId(source, crc32(bytes))),
    headers: new Map(
      Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(String(text))]),
    ),
  }
}

/** Whole characters. */
function beginningOf(reason: string): string {
  const { read } = new TextEncoder().encodeInto(reason, new Uint8Array(MAX_REASON_BYTES))
  return reason.slice(0, read)
}

const FETCH_BYTES = 4 << 20

/** `end`: the offset after its batch. */
interface Read extends Kept {
  readonly end: number
}

type KafkaConsumer = ReturnType<typeof newConsumer>

async function fetchFrom(
  consumer: KafkaConsumer,
  { name, id, offset }: { name: string; id: string; offset: number },
): Promise<Read[]> {
  const metadata = await consumer.metadata({ topics: [name] })
  const node = metadata.topics.get(name)?.partitions[0]?.leader ?? -1
  const { responses } = await consumer.fetch({
    ...{ node, minBytes: 1, maxBytes: FETCH_BYTES, maxWaitTime: 250 },
    topics: [
      {
        topicId: id,
        partitions: [
          {
            ...{ partition: 0, currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
            ...{ fetchOffset: BigInt(offset), partitionMaxBytes: FETCH_BYTES },
          },
        ],
      },
    ],
  })
  const batches = responses
    .flatMap(({ partitions }) => partitions)
    .flatMap(one => one.records ?? [])
  return batches.flatMap(({ firstOffset, lastOffsetDelta, firstTimestamp, records }): Read[] => {
    const end = Number(firstOffset) + lastOffsetDelta + 1
    // Compaction leaves batches without records, which end somewhere all the same.
    if (records.length === 0) return [{ ...nothing, offset: end - 1, end }]
    return records.map(({ key, value, headers, offsetDelta, timestampDelta }) => ({
      key: String(key),
      value,
      headers: new Map(headers.map(([header, text]) => [String(header), String(text)])),
      timestampMs: Number(firstTimestamp + timestampDelta),
      offset: Number(firstOffset) + offsetDelta,
      end,
    }))
  })
}

const nothing = { key: '', value: null, headers: new Map<string, string>(), timestampMs: 0 }
