import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Admin } from '@platformatic/kafka'
import type { NewDeadLetter } from '../../ports/dead-letters.ts'
import { DeadLetterTopic } from './dead-letter-topic.ts'
import { maxFrameBytesOf } from './record.ts'
import { TopicProducer, type NewRecord, type RecordBatch } from './topic-producer.ts'

/** Letters to a topic that takes so many bytes at once, and what is sent to it. */
function lettersTo(t: TestContext, topicTakes: () => number) {
  const sent: NewRecord[] = []
  t.mock.method(TopicProducer.prototype, 'send', async (queues: Map<number, RecordBatch[]>) => {
    for (const batch of queues.get(0) ?? []) {
      const bytes = batch.reduce((sum, { key, value, headers }) => {
        const own = [...((headers ?? new Map()) as Map<Buffer, Buffer>)].flat()
        const parts = [key as Buffer, value ?? Buffer.alloc(0), ...own]
        return sum + parts.reduce((all, part) => all + part.length + 5, 20)
      }, 100)
      if (bytes > topicTakes()) throw new Error('MESSAGE_TOO_LARGE')
      sent.push(...batch)
    }
  })
  const connection = { brokers: ['127.0.0.1:1'], clientId: 'weir-test', requestTimeoutMs: 1000 }
  const metadata = { id: 'id', partitionsCount: 1, partitions: [{ leader: 1 }] }
  const admin = {
    metadata: () => Promise.resolve({ topics: new Map([['dead', metadata]]) }),
    describeConfigs: () => {
      const configs = [{ name: 'max.message.bytes', value: String(topicTakes()) }]
      return Promise.resolve([{ configs }])
    },
  }
  const topic = { topic: 'dead', partitions: 1, replication: 1, configs: {} }
  const letters = new DeadLetterTopic({
    ...{ admin: admin as unknown as Admin, connection, timeoutMs: 1000 },
    topic: { ...topic, cleanup: 'compact' },
  })
  t.after(() => letters.close())
  return { letters, sent }
}

const letter = (bytes: number, offset = 0): NewDeadLetter => ({
  ...{ bytes: new Uint8Array(bytes), reason: '語'.repeat(1000), group: 'writer' },
  source: { partition: 0, offset },
})

const reasonOf = ({ headers }: NewRecord): string =>
  [...((headers ?? new Map()) as Map<Buffer, Buffer>)]
    .filter(([name]) => String(name) === 'reason')
    .map(([, text]) => String(text))
    .join()

test('a letter that is larger than what its topic takes is cut, and says so', async t => {
  const { letters, sent } = lettersTo(t, () => 20_000)
  await letters.put([letter(maxFrameBytesOf(20_000)), letter(100_000, 1)])
  const most = maxFrameBytesOf(20_000)
  assert.deepEqual(
    sent.map(({ value }) => value?.length),
    [most, most],
  )
  assert.match(reasonOf(sent[0]), /^語+$/)
  assert.match(reasonOf(sent[1]), /^語+ \(the first \d+ of 100000 bytes\)$/)
})

test('many letters are divided into what the topic takes, whatever their reasons', async t => {
  const { letters, sent } = lettersTo(t, () => 20_000)
  await letters.put(Array.from({ length: 500 }, (_, offset) => letter(10, offset)))
  assert.equal(sent.length, 500)
})

test('a topic that takes less than it did is asked again', async t => {
  let takes = 100_000
  const { letters, sent } = lettersTo(t, () => takes)
  await letters.put([letter(50_000)])
  takes = 20_000
  await assert.rejects(letters.put([letter(50_000, 1)]))
  await letters.put([letter(50_000, 1)])
  assert.equal(sent.length, 2)
})
