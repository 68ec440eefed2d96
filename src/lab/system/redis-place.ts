import { Redis } from 'ioredis'
import type { Place } from './place.ts'
import type { LabServer } from './servers.ts'

const SCANNED_KEYS = 1000

/** Each step has keys with a prefix of its own, removed after it. */
export async function openRedisPlaces({ address }: LabServer) {
  const client = new Redis(address, { lazyConnect: true, maxRetriesPerRequest: 1 })
  client.on('error', () => {})
  await client.connect()
  return {
    async make(name: string): Promise<Place> {
      const prefix = `${name}:`
      return {
        env: { WEIR_REDIS_URL: address, WEIR_REDIS_KEY_PREFIX: prefix },
        remove: () => removeKeys(client, prefix),
      }
    },
    close: async () => void (await client.quit()),
  }
}

async function removeKeys(client: Redis, prefix: string): Promise<void> {
  let cursor = '0'
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', SCANNED_KEYS)
    if (keys.length > 0) await client.unlink(...keys)
    cursor = next
  } while (cursor !== '0')
}
