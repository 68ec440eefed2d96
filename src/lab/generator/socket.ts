import net from 'node:net'

export interface Address {
  readonly host: string
  readonly port: number
}

const READ_BYTES = 65_536
/** All sockets read into it: what was read is used up before the next one reads. */
const readBuffer = Buffer.allocUnsafe(READ_BYTES)

/**
 * A socket that begins to connect. The bytes handed to `receive` are valid during the call only.
 */
export function openSocket(
  { host, port }: Address,
  receive: (bytes: Uint8Array, length: number) => void,
): net.Socket {
  const onread = {
    buffer: readBuffer,
    callback(length: number, buffer: Uint8Array) {
      receive(buffer, length)
      return true
    },
  }
  return net.connect({ host, port, noDelay: true, onread })
}
