import { Duplex } from 'node:stream'

export interface ClientStreamOptions {
  readonly socket: Duplex
  /** The engine is ready for more. */
  readonly onRoom: () => void
  /** The engine closed the connection, or it broke. */
  readonly onDestroy: (error: Error | null) => void
}

const FLUSH_BYTES = 64 * 1024

type Done = (error?: Error | null) => void

/**
 * What the broker's engine takes for the client's socket: it is given the packets that the door
 * leaves to it, and what it writes goes to the socket between the door's own acknowledgements.
 */
export class ClientStream extends Duplex {
  readonly #options: ClientStreamOptions
  #blocked: Done | undefined
  #pending: Buffer[] = []
  #pendingBytes = 0

  constructor(options: ClientStreamOptions) {
    super({ highWaterMark: 64 * 1024, autoDestroy: true })
    this.#options = options
  }

  /** Bytes that the client has not taken yet. */
  get queuedBytes(): number {
    return this.writableLength + this.#pendingBytes + this.#options.socket.writableLength
  }

  /** Writes a packet of the door's own, behind what the engine has written. */
  send(packet: Buffer): void {
    if (this.#pending.length > 0) {
      this.#pending.push(packet)
      this.#pendingBytes += packet.length
    } else if (!this.#options.socket.writableEnded) this.#options.socket.write(packet)
  }

  /** The socket can be written to again. */
  drained(): void {
    const done = this.#blocked
    this.#blocked = undefined
    done?.()
  }

  override _read(): void {
    this.#options.onRoom()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#queue(chunk, done)
  }

  // A packet is written in pieces between cork and uncork: as one write, whole, to the socket.
  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#queue(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.flush()
    this.#blocked = undefined
    this.#options.onDestroy(error)
    // The reason is logged by the door; as an event of this stream nobody would be there for it.
    done(null)
  }

  // The engine writes each delivery by itself; those of one turn go to the socket as one.
  #queue(bytes: Buffer, done: Done): void {
    if (this.#pending.length === 0) setImmediate(() => this.flush())
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes > FLUSH_BYTES) this.flush()
    if (this.#options.socket.writableNeedDrain) this.#blocked = done
    else done()
  }

  /** Hands everything over to the socket. */
  flush(): void {
    const { socket } = this.#options
    if (this.#pending.length === 0) return
    const bytes = this.#pending.length === 1 ? this.#pending[0] : Buffer.concat(this.#pending)
    this.#pending = []
    this.#pendingBytes = 0
    if (!socket.destroyed && !socket.writableEnded) socket.write(bytes)
  }
}
