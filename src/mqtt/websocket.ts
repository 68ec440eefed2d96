import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocketServer } from 'ws'
import type { IsForeign } from '../kit/foreign-pages.ts'

interface Admission {
  readonly maxPacketBytes: number
  /** Whether the page of another site asks, which may not; absent: nobody looks. */
  readonly isForeign?: IsForeign | undefined
}

export interface WebSocketOptions extends Admission {
  readonly accept: (stream: Duplex) => void
}

export interface UpgradeOptions extends Admission {
  /** Decides on a client at `/mqtt`: one of the two is called, once. */
  readonly decide: (take: (accept: (stream: Duplex) => void) => void, refuse: () => void) => void
}

const PATH = '/mqtt'
const NOT_HERE = 'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
const WHY_FOREIGN = 'where no key is asked for, web pages of other sites may not connect'
const FOREIGN = [
  ...['HTTP/1.1 403 Forbidden', 'Connection: close', 'Content-Type: text/plain; charset=utf-8'],
  ...[`Content-Length: ${WHY_FOREIGN.length}`, '', WHY_FOREIGN],
].join('\r\n')
const WHY_NOT_NOW = 'the broker is in another process, which cannot be reached; its own port may be'
/** Another try may come to the process that has the broker. */
const NOT_NOW = [
  'HTTP/1.1 503 Service Unavailable',
  ...['Connection: close', 'Retry-After: 1', 'Content-Type: text/plain; charset=utf-8'],
  ...[`Content-Length: ${WHY_NOT_NOW.length}`, '', WHY_NOT_NOW],
].join('\r\n')

/** Takes the WebSocket connections at `/mqtt` of an HTTP server. Returns what stops it. */
export function attachWebSocket(
  server: Server,
  { accept, ...admission }: WebSocketOptions,
): () => void {
  return attachUpgrades(server, { ...admission, decide: take => take(accept) })
}

/** The same, where it is not known at once whether a client can be taken. */
export function attachUpgrades(server: Server, options: UpgradeOptions): () => void {
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
    // Nobody else listens to this socket any more, and an error without a listener throws.
    const onError = (): void => void socket.destroy()
    if (path !== PATH) {
      if (server.listenerCount('upgrade') === 1) {
        socket.on('error', onError)
        socket.end(NOT_HERE)
      }
      return
    }
    socket.on('error', onError)
    if (options.isForeign?.(request.headers) === true) {
      socket.end(FOREIGN)
      return
    }
    options.decide(
      accept => {
        socket.off('error', onError)
        upgrades.handleUpgrade(request, socket, head, client => {
          accept(createWebSocketStream(client))
        })
      },
      () => void socket.end(NOT_NOW),
    )
  }
  server.on('upgrade', upgrade)
  return () => void server.off('upgrade', upgrade)
}
