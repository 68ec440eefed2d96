import { Admin } from '@platformatic/kafka'
import type { Place } from './place.ts'
import type { LabServer } from './servers.ts'

/** Each step has a topic of its own, removed after it. */
export async function openKafkaPlaces({ address }: LabServer) {
  const admin = new Admin({
    clientId: 'weir-lab',
    bootstrapBrokers: address.split(','),
    retries: 3,
  })
  return {
    async make(name: string): Promise<Place> {
      return {
        env: { WEIR_KAFKA_BROKERS: address, WEIR_KAFKA_TOPIC: name },
        remove: () => removeTopics(admin, name),
      }
    },
    close: async () => admin.close(),
  }
}

/** With that of its dead letters, if there is one. */
async function removeTopics(admin: Admin, name: string): Promise<void> {
  const topics = (await admin.listTopics()).filter(
    topic => topic === name || topic.startsWith(`${name}.`),
  )
  if (topics.length > 0) await admin.deleteTopics({ topics })
}
