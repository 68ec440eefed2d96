import { randomUUID } from 'node:crypto'
import type { SharedLogHarness } from '../shared-log.contract.ts'
import { newAdmin, type KafkaConnection } from './kafka-client.ts'
import { KafkaLog, type KafkaLogOptions } from './kafka-log.ts'
import { TopicProducer } from './topic-producer.ts'

/** Options for tests; each has a topic of its own unless it says. */
export function testOptions(
  address: string,
  { requestTimeoutMs = 10_000, ...changes }: Partial<KafkaLogOptions & KafkaConnection> = {},
): KafkaLogOptions {
  return {
    connection: { brokers: address.split(','), clientId: 'weir-test', requestTimeoutMs },
    ...{ topic: `weir-test-${randomUUID()}`, partitions: 3, retentionMs: 3_600_000 },
    ...{ replication: 0, minInsyncReplicas: 0, maxFetchBytes: 8 << 20 },
    ...{ appendTimeoutMs: 20_000, openTimeoutMs: 60_000, sessionTimeoutMs: 6000 },
    ...changes,
  }
}

export function kafkaHarness(options: KafkaLogOptions): SharedLogHarness {
  const { connection, topic, partitions } = options
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
