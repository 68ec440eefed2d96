import type { Socket } from 'node:net'
import { RepeatedText } from './repeated-text.ts'

/** Answers outstanding of one connection; a client that pipelines more is not read meanwhile. */
const MAX_WAITING = 64
/** A client that leaves more than this unread is not read either. */
const MAX_UNREAD_BYTES = 256 * 1024
/** Answers to one chunk are joined up to this. */
const MAX_JOINED_CHARACTERS = 64 * 1024
/** How long a stop waits for a client to take its last answers. */
const CLOSE_TIMEOUT_MS = 2000

/** The place of an answer in the order of its connection. */
export interface Slot {
  /** Undefined until it is known. */
  answer: string | undefined
}

export interface ConnectionOptions {
  readonly keepAliveMs: number
  /**
   * Answers one request at the beginning of `bytes.subarray(at)` by `connection.put` or, later,
   * `connection.settle`. Returns where the next begins; -1 when these bytes are not for the lane.
   */
  readonly serve: (connection: LaneConnection, bytes: Buffer, at: number) => number
  /** Gives the socket to node:http; the bytes are what was read and not answered. */
  readonly handOver: (socket: Socket, bytes: Buffer) => void
  /** The socket is not the lane's any more. */
  readonly onGone: (connection: LaneConnection) => void
}

/**
 * One socket while it is the lane's. It answers in the order of the requests, reads no faster than
 * its client reads, and keeps nothing of a request that it does not know: at the first such one,
 * when all answers are out, the socket goes to node:http for good.
 */
export class LaneConnection {
  readonly key = new RepeatedText()
  readonly host = new RepeatedText()
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  /** Requests whose answers wait for themselves or for those before. */
  readonly #slots: Slot[] = []
  /** Read and not served: the socket is paused while there is any. */
  #held: Buffer | undefined
  /** What is held is for node:http. */
  #foreign = false
  /** Answers to the chunk being served. */
  #out = ''
  #serving = false
  #ended = false
  #closing = false

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    socket.setTimeout(options.keepAliveMs)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('drain', this.#proceed)
    socket.on('timeout', this.#onTimeout)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  /** Answers now, or as soon as those before are answered. */
  put(answer: string): void {
    if (this.#slots.length > 0) this.#slots.push({ answer })
    else this.#write(answer)
  }

  /** Keeps the place of a request that is answered later, by `settle`. */
  wait(): Slot {
    const slot: Slot = { answer: undefined }
    this.#slots.push(slot)
    return slot
  }

  settle(slot: Slot, answer: string): void {
    slot.answer = answer
    const slots = this.#slots
    if (slots[0] !== slot) return
    let known = 0
    while (known < slots.length && slots[known].answer !== undefined) {
      this.#out += slots[known++].answer
    }
    slots.splice(0, known)
    if (this.#serving) return
    this.#flush()
    this.#proceed()
  }

  /** Whether the connection ends with this answer. */
  isLast(slot: Slot): boolean {
    return this.#closing && this.#slots.at(-1) === slot
  }

  /** Answers what was begun, then ends: at a stop. */
  close(): void {
    this.#closing = true
    this.#held = undefined
    this.#socket.pause()
    this.#socket.setTimeout(CLOSE_TIMEOUT_MS)
    this.#proceed()
  }

  #onData = (chunk: Buffer): void => this.#serve(chunk)

  #serve(chunk: Buffer): void {
    const { serve } = this.#options
    let at = 0
    this.#serving = true
    while (at < chunk.length && this.#hasRoom()) {
      const next = serve(this, chunk, at)
      if (next < 0) {
        this.#foreign = true
        break
      }
      at = next
    }
    this.#serving = false
    this.#flush()
    if (at === chunk.length) return
    this.#held = at === 0 ? chunk : chunk.subarray(at)
    if (this.#foreign && this.#slots.length === 0) this.#handOver()
    else this.#socket.pause()
  }

  #hasRoom(): boolean {
    return this.#slots.length < MAX_WAITING && this.#socket.writableLength < MAX_UNREAD_BYTES
  }

  #write(answer: string): void {
    this.#out += answer
    if (!this.#serving || this.#out.length >= MAX_JOINED_CHARACTERS) this.#flush()
  }

  #flush(): void {
    const out = this.#out
    if (out === '') return
    this.#out = ''
    if (this.#socket.writable) this.#socket.write(out)
  }

  /** Something was answered or read by the client: goes on with what had to wait for it. */
  #proceed = (): void => {
    const held = this.#held
    if (this.#closing || this.#ended) {
      if (this.#slots.length === 0) this.#socket.destroySoon()
    } else if (held !== undefined && this.#foreign) {
      if (this.#slots.length === 0) this.#handOver()
    } else if (held !== undefined && this.#hasRoom()) {
      this.#held = undefined
      this.#serve(held)
      if (this.#held === undefined && !this.#foreign) this.#socket.resume()
    }
  }

  #handOver(): void {
    const socket = this.#socket
    const held = this.#held as Buffer
    this.#held = undefined
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('drain', this.#proceed)
    socket.off('timeout', this.#onTimeout)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
    socket.setTimeout(0)
    this.#options.onGone(this)
    this.#options.handOver(socket, held)
  }

  /** The client sends no more; it may still read. */
  #onEnd = (): void => {
    this.#ended = true
    this.#proceed()
  }

  #onTimeout = (): void => {
    if (this.#slots.length === 0) this.#socket.destroy()
  }

  #onError = (): void => {
    this.#socket.destroy()
  }

  #onClose = (): void => {
    this.#held = undefined
    this.#ended = true
    this.#options.onGone(this)
  }
}
