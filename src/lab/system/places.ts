import type { Place } from './place.ts'
import { PostgresPlaces, type DatabasePlace } from './postgres-place.ts'
import type { LabServer } from './servers.ts'

/** What a step has on all servers together. */
export interface MadePlaces extends Place {
  readonly database?: DatabasePlace
  settle(): Promise<void>
}

/** A server on which steps have places of their own. */
interface Ground {
  make(name: string): Promise<Place>
  close(): Promise<void>
}

/** Makes places on servers; each server is reached once. */
export class Places {
  readonly #grounds = new Map<LabServer, Promise<Ground>>()

  /** @throws Error where a server cannot be used. */
  async open(servers: readonly LabServer[]): Promise<void> {
    await Promise.all(servers.map(server => this.#ground(server)))
  }

  async make(servers: readonly LabServer[], name: string): Promise<MadePlaces> {
    const made = await Promise.all(
      servers.map(async server => (await this.#ground(server)).make(name)),
    )
    const database = made.find((place): place is DatabasePlace => 'databaseName' in place)
    return {
      env: Object.assign({}, ...made.map(({ env }) => env)) as Record<string, string>,
      ...(database && { database }),
      settle: async () => {
        for (const place of made) await place.settle?.()
      },
      remove: async () => void (await Promise.all(made.map(place => place.remove()))),
    }
  }

  async close(): Promise<void> {
    const grounds = await Promise.allSettled(this.#grounds.values())
    for (const one of grounds) if (one.status === 'fulfilled') await one.value.close()
  }

  #ground(server: LabServer): Promise<Ground> {
    let ground = this.#grounds.get(server)
    if (ground === undefined) {
      ground = openGround(server)
      this.#grounds.set(server, ground)
    }
    return ground
  }
}

async function openGround(server: LabServer): Promise<Ground> {
  if (server.name === 'postgres') return PostgresPlaces.open(server)
  if (server.name === 'redis') return (await import('./redis-place.ts')).openRedisPlaces(server)
  if (server.name === 'kafka') return (await import('./kafka-place.ts')).openKafkaPlaces(server)
  return (await import('./nats-place.ts')).openNatsPlaces(server)
}
