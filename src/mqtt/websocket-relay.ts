import type { Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pipeline, type Duplex } from 'node:stream'
import type { IsForeign } from '../kit/foreign-pages.ts'
import { attachUpgrades } from './websocket.ts'

export interface RelayOptions {
  readonly maxPacketBytes: number
  readonly isForeign?: IsForeign | undefined
  /** Where the broker listens without TLS; undefined: nowhere, and clients are told to try again. */
  readonly broker: { readonly host: string; readonly port: number } | undefined
}

/**
 * Takes MQTT over WebSocket for a broker in another process of this machine, which shares the HTTP
 * address and so gets only some of the connections: what a client sends goes on to the broker's own
 * port, unread. A client is taken when the broker has been reached; else it is answered 503. What is
 * returned stops it and ends its connections, whose clients find their broker again.
 */
export function attachWebSocketRelay(server: Server, options: RelayOptions): () => void {
  const { broker, ...admission } = options
  const open = new Set<Socket>()
  const detach = attachUpgrades(server, {
    ...admission,
    decide(take, refuse) {
      if (broker === undefined) return refuse()
      const link = connect({ ...broker, noDelay: true })
      open.add(link)
      link.once('close', () => open.delete(link))
      link.once('error', refuse)
      link.once('connect', () => {
        link.off('error', refuse)
        take(client => relay(client, link))
        // The client may have gone meanwhile, and then nobody takes it.
        link.on('error', () => link.destroy())
      })
    },
  })
  return () => {
    detach()
    for (const link of open) link.destroy()
  }
}

/** Either end takes the other with it; how fast each may send, the other one says. */
function relay(client: Duplex, link: Socket): void {
  const end = (): void => {
    client.destroy()
    link.destroy()
  }
  pipeline(client, link, end)
  pipeline(link, client, end)
}
