import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocketServer } from 'ws'

export interface WebSocketOptions {
  readonly maxPacketBytes: number
  readonly accept: (stream: Duplex) => void
}

const PATH = '/mqtt'

/** Takes the WebSocket connections at `/mqtt` of an HTTP server. Returns what stops it. */
export function attachWebSocket(server: Server, options: WebSocketOptions): () => void {
  const upgrades = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    // One WebSocket message may carry several packets, or a part of one.
    maxPayload: options.maxPacketBytes + 65_536,
    handleProtocols: offered =>
      ['mqtt', 'mqttv3.1'].find(protocol => offered.has(protocol)) ?? false,
  })
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const path = request.url?.split('?', 1)[0]
    if (path !== PATH) {
      if (server.listenerCount('upgrade') === 1) {
        // Nobody else listens to this socket any more, and an error without a listener throws.
        socket.on('error', () => socket.destroy())
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      }
      return
    }
    upgrades.handleUpgrade(request, socket, head, client => {
      options.accept(createWebSocketStream(client))
    })
  }
  server.on('upgrade', upgrade)
  return () => void server.off('upgrade', upgrade)
}
