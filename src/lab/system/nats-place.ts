import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { Place } from './place.ts'
import type { LabServer } from './servers.ts'

/** Each step has streams with a prefix of its own, removed after it. */
export async function openNatsPlaces({ address }: LabServer) {
  const urls = address
    .split(',')
    .map(text => new URL(text.includes('://') ? text : `nats://${text}`))
  const [{ username, password }] = urls
  const login =
    username === ''
      ? {}
      : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
  const connection = await connect({ servers: urls.map(({ host }) => host), ...login })
  const manager = await jetstreamManager(connection)
  return {
    async make(name: string): Promise<Place> {
      return {
        env: { WEIR_NATS_SERVERS: address, WEIR_NATS_PREFIX: name },
        async remove() {
          for await (const stream of manager.streams.names()) {
            if (stream.startsWith(`${name}-`)) await manager.streams.delete(stream)
          }
        },
      }
    },
    close: () => connection.close(),
  }
}
