import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Base, kGetApi } from '@platformatic/kafka'
import { TopicProducer, type NewRecord } from './topic-producer.ts'

type Done = (error: Error | null, answer?: unknown) => void

/** Each batch of partition 0 is answered with the next of these: an error code, and where it was put. */
function producing(t: TestContext, answers: [errorCode: number, base: number][]) {
  const produce = (...all: unknown[]): void => {
    const [errorCode, base] = answers.shift() ?? []
    const partition = { index: 0, errorCode, baseOffset: BigInt(base ?? -1), errorMessage: null }
    const done = all.at(-1) as Done
    done(null, { responses: [{ partitionResponses: [partition] }] })
  }
  const initialize = { async: () => Promise.resolve({ producerId: 1n, producerEpoch: 0 }) }
  t.mock.method(Base.prototype, kGetApi, (name: string, done: Done) => {
    done(null, name === 'Produce' ? produce : initialize)
  })
  t.mock.method(Base.prototype, 'metadata', () =>
    Promise.resolve({
      brokers: new Map([[1, {}]]),
      topics: new Map([['topic', { partitions: [{ leader: 1 }] }]]),
    }),
  )
  const connection = (): Promise<object> => Promise.resolve({})
  t.mock.getter(Base.prototype, 'connections', () => {
    return { get: connection, getFirstAvailable: connection }
  })
  const lost: object[] = []
  const ends: number[] = []
  const producer = new TopicProducer({
    connection: { brokers: ['127.0.0.1:1'], clientId: 'weir-test', requestTimeoutMs: 1000 },
    topic: 'topic',
    onAppended: (_partition, next) => ends.push(next),
    onLost: (partition, places) => lost.push({ partition, ...places }),
  })
  const record: NewRecord = { topic: 'topic', partition: 0, value: Buffer.from('x') }
  const send = (records: number): Promise<void> =>
    producer.send(new Map([[0, [Array.from({ length: records }, () => record)]]]), 1000)
  return { send, lost, ends }
}

test('a record that is put before what was acknowledged tells that brokers have lost some', async t => {
  const { send, lost, ends } = producing(t, [
    [0, 10],
    [0, 20],
    [0, 12],
  ])
  await send(3)
  await send(2)
  assert.deepEqual([lost, ends], [[], [13, 22]])
  await send(1)
  assert.deepEqual(lost, [{ partition: 0, end: 22, base: 12 }])
})

test('a batch that came twice is no loss, wherever the broker says that it is', async t => {
  const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20
  const DUPLICATE = 46
  const { send, lost, ends } = producing(t, [
    [0, 10],
    [NOT_ENOUGH_REPLICAS_AFTER_APPEND, -1],
    // Others have appended since; it is where it was at first.
    [0, 11],
    [DUPLICATE, -1],
    [0, 30],
  ])
  for (let i = 0; i < 4; i++) await send(1)
  assert.deepEqual([lost, ends], [[], [11, 12, 31]])
})
