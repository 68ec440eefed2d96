import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as NetServer } from 'node:net'

const LOOK_INTERVAL_MS = 20

/**
 * Lets a server run dry: it takes no new connections, and each one that is open ends with the
 * answer to its next request (`Connection: close`), so that a client never sends a request into a
 * connection that is being closed. Resolves when none is left, or after `timeoutMs`: then the rest
 * is idle, and is the caller's to close.
 */
export async function drain(server: Server, timeoutMs: number): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
    response.shouldKeepAlive = false
  })
  // node:http's own `close` would end the idle connections at once.
  NetServer.prototype.close.call(server, () => resolve())
  const deadline = performance.now() + timeoutMs
  const timer = setInterval(() => {
    if (performance.now() > deadline) resolve()
  }, LOOK_INTERVAL_MS)
  await closed
  clearInterval(timer)
}
