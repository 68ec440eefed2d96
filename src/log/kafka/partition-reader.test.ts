import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../log.contract.ts'
import { PartitionReader } from './partition-reader.ts'
import { scriptConsumers } from './scripted-consumer.fixture.ts'

const NOT_LEADER = 6

test('a partition whose leader moves is read from the new one', { timeout: 20_000 }, async t => {
  // Partition 1 moves from broker 1 to broker 2; broker 1 says so together with what it has of 0.
  let hasMoved = false
  const leaders = (): number[] => [1, hasMoved ? 2 : 1]
  const readFrom = new Map<number, number>()
  scriptConsumers(t, {
    leaders,
    fetch(node, partition) {
      if (node !== leaders()[partition]) return { errorCode: NOT_LEADER }
      readFrom.set(partition, node)
      return {}
    },
  })
  const taken: number[] = []
  const reader = new PartitionReader({
    connection: { brokers: ['127.0.0.1:1'], clientId: 'weir-test', requestTimeoutMs: 1000 },
    ...{ topic: 'topic', group: 'writer', maxFetchBytes: 1 << 20 },
    take(fetched) {
      taken.push(...fetched.map(({ partition }) => partition))
      return new Map()
    },
    ...{ onExpired: () => assert.fail(), onLost: () => assert.fail() },
  })
  t.after(() => reader.close())
  reader.start(new Map([0, 1].map(partition => [partition, 0])))
  await until(() => readFrom.get(1) === 1)
  hasMoved = true
  taken.length = 0
  await until(() => readFrom.get(1) === 2 && taken.includes(0) && taken.includes(1))
})
