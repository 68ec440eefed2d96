import { randomUUID } from 'node:crypto'
import { describe } from 'node:test'
import { kafkaServer } from '../../../test/fixtures/servers.ts'
import { logContract } from '../log.contract.ts'
import { sharedLogContract, type SharedLogHarness } from '../shared-log.contract.ts'
import { newAdmin } from './kafka-client.ts'
import { KafkaLog } from './kafka-log.ts'
import { TopicProducer } from './topic-producer.ts'

const { address, skip } = kafkaServer()
const connection = { brokers: address.split(','), clientId: 'weir-test', requestTimeoutMs: 10_000 }

function harness(partitions: number): SharedLogHarness {
  const topic = `weir-test-${randomUUID()}`
  const options = {
    ...{ connection, topic, partitions },
    ...{ replication: 1, minInsyncReplicas: 1, retentionMs: 3_600_000 },
    ...{ appendTimeoutMs: 20_000, openTimeoutMs: 60_000, sessionTimeoutMs: 6000 },
    maxFetchBytes: 8 << 20,
  }
  return {
    partitions,
    open: () => KafkaLog.open(options),
    async inject(partition, bytes) {
      const producer = new TopicProducer({ connection, topic })
      const value = Buffer.from(bytes)
      await producer.send(new Map([[partition, [[{ topic, partition, value }]]]]), 20_000)
      await producer.close()
    },
    async remove() {
      const admin = newAdmin(connection)
      const topics = await admin.listTopics()
      const own = topics.filter(name => name.startsWith(topic))
      if (own.length > 0) await admin.deleteTopics({ topics: own })
      await admin.close()
    },
  }
}

describe('the log on Kafka', { skip }, () => {
  logContract('kafka, one partition', () => Promise.resolve(harness(1)))
  logContract('kafka, three partitions', () => Promise.resolve(harness(3)))
  sharedLogContract('kafka', () => Promise.resolve(harness(3)))
})
