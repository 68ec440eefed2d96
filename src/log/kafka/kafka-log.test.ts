import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { kafkaServer } from '../../../test/fixtures/servers.ts'
import { pointCount } from '../../model/batch.ts'
import { WeirError } from '../../ports/errors.ts'
import { logContract, recorder, taggedEntry, until } from '../log.contract.ts'
import { sharedLogContract } from '../shared-log.contract.ts'
import { newAdmin } from './kafka-client.ts'
import { kafkaHarness, testOptions } from './kafka-log.fixture.ts'
import { KafkaLog } from './kafka-log.ts'

const { address, skip } = kafkaServer()

describe('the log on Kafka', { skip, timeout: 300_000 }, () => {
  for (const partitions of [1, 3]) {
    logContract(`kafka, partitions: ${partitions}`, () =>
      Promise.resolve(kafkaHarness(testOptions(address, { partitions }))),
    )
  }
  sharedLogContract('kafka', () => Promise.resolve(kafkaHarness(testOptions(address))))

  it('takes appends that are larger than what the topic takes at once', async () => {
    const options = testOptions(address, { partitions: 2 })
    const admin = newAdmin(options.connection)
    await admin.createTopics({
      ...{ topics: [options.topic], partitions: 2, replicas: -1 },
      configs: [{ name: 'max.message.bytes', value: '60000' }],
    })
    await admin.close()
    const log = await KafkaLog.open(options)
    const { entries, deliver } = recorder()
    await log.subscribe({ group: 'a', from: [], deliver, members: 'everyone' })
    await log.append(Array.from({ length: 5 }, (_, tag) => taggedEntry(tag, 20_000)))
    const points = (): number => entries.reduce((sum, { batch }) => sum + pointCount(batch), 0)
    await until(() => points() >= 100_000)
    assert.equal(points(), 100_000)
    assert.ok(entries.length > 5 * 6)
    await log.close()
    await kafkaHarness(options).remove()
  })

  it('refuses a topic that is compacted: records without keys would be lost', async () => {
    const options = testOptions(address)
    const admin = newAdmin(options.connection)
    await admin.createTopics({
      ...{ topics: [options.topic], partitions: 1, replicas: -1 },
      configs: [{ name: 'cleanup.policy', value: 'compact' }],
    })
    await admin.close()
    await assert.rejects(KafkaLog.open(options), (error: unknown) => {
      assert.ok(error instanceof WeirError)
      assert.equal(error.kind, 'config')
      assert.match(error.message, /cleanup\.policy=compact/)
      return true
    })
    await kafkaHarness(options).remove()
  })

  it('goes on behind what retention has removed, and says how much that was', async () => {
    const options = testOptions(address, { partitions: 1 })
    const log = await KafkaLog.open(options)
    for (let tag = 0; tag < 10; tag++) await log.append([taggedEntry(tag)])
    const admin = newAdmin(options.connection)
    const partitions = [{ partition: 0, offset: 6n }]
    await admin.deleteRecords({ topics: [{ name: options.topic, partitions }] })
    await admin.close()
    const { entries, deliver } = recorder()
    const from = [{ partition: 0, offset: 2 }]
    await log.subscribe({ group: 'a', from, deliver })
    await until(() => entries.length === 4)
    assert.equal(entries[0].position.offset, 6)
    assert.equal(log.status().expired, 4)
    await log.close()
    await kafkaHarness(options).remove()
  })
})

it('waits for a broker, and then says that none came', async () => {
  const options = testOptions('127.0.0.1:1', { requestTimeoutMs: 500, openTimeoutMs: 700 })
  await assert.rejects(KafkaLog.open(options), (error: unknown) => {
    assert.ok(error instanceof WeirError)
    assert.equal(error.kind, 'retryable')
    assert.match(error.message, /^Kafka at 127\.0\.0\.1:1: .*(failed|ECONNREFUSED)/)
    return true
  })
})
