import { createServer } from 'node:net'

const FIRST = 10_000
const LAST = 32_000

/**
 * A port of this machine that is free now, below the range from which the system hands out ports
 * for connections: while a server is down between two starts, no connection can take its place.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (await isFreePort(port)) return port
  }
}

export async function isFreePort(port: number): Promise<boolean> {
  const server = createServer()
  const isFree = await new Promise<boolean>(resolve => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
  if (isFree) await new Promise(resolve => server.close(resolve))
  return isFree
}
