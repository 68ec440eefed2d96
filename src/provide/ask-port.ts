import { createConnection } from 'node:net'

const MOST_MS = 2000
const MOST_BYTES = 64 * 1024

/**
 * What a server of this machine answers to a first message (empty: to the connection), until
 * `isWhole` says so. Undefined when it does not answer in time.
 */
export function askPort(
  port: number,
  message: Uint8Array | string,
  isWhole: (answer: Buffer) => boolean,
): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>()
  const socket = createConnection({ port, host: '127.0.0.1' })
  let answer = Buffer.alloc(0)
  socket.setTimeout(MOST_MS, () => socket.destroy())
  socket.once('connect', () => socket.write(message))
  socket.on('data', chunk => {
    answer = Buffer.concat([answer, chunk])
    if (!isWhole(answer) && answer.length < MOST_BYTES) return
    resolve(answer)
    socket.destroy()
  })
  socket.on('error', () => socket.destroy())
  socket.once('close', () => resolve(undefined))
  return promise
}
