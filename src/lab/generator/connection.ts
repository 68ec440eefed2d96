import type { Socket } from 'node:net'
import { responseParser } from './response-parser.ts'
import { openSocket, type Address } from './socket.ts'

/** Of the request that a connection carries. */
export interface InFlight {
  kind: number
  owner: number
  /** Since the start of the run. */
  intendedMs: number
  writtenMs: number
}

export interface ConnectionEvents {
  /** It can take a request: it has connected, and nothing was given to it meanwhile. */
  opened(connection: Connection): void
  /** The whole answer is there; the connection is idle, or closed where the server said so. */
  answered(connection: Connection, status: number): void
  /** It is closed. `reason` where that was in the middle of a request or of connecting. */
  closed(connection: Connection, reason: string | undefined): void
}

interface Found {
  answers: number
  status: number
  closes: boolean
}

type State = 'closed' | 'opening' | 'idle' | 'busy'

/**
 * One keep-alive connection with at most one request in flight, over a socket, without node:http:
 * a request is a write of bytes that its caller made, of the answer only the status is looked at.
 */
export class Connection {
  readonly inFlight: InFlight = { kind: 0, owner: 0, intendedMs: 0, writtenMs: 0 }
  /** Of the requests that it carries, one after the other. */
  readonly bytes: Buffer
  /** Its request has neither an answer nor was it given up; kept by whoever sends. */
  isCarrying = false
  /** Since when it could take a request; since the start of the run. */
  idleSinceMs = 0
  state: State = 'closed'
  readonly #address: Address
  readonly #events: ConnectionEvents
  #socket: Socket | undefined

  constructor(address: Address, maxBytes: number, events: ConnectionEvents) {
    this.#address = address
    this.#events = events
    this.bytes = Buffer.allocUnsafeSlow(maxBytes)
  }

  open(): void {
    this.state = 'opening'
    // What is answered is told when all bytes are read: an answer too many must not be taken for
    // that of the next request.
    const found: Found = { answers: 0, status: 0, closes: false }
    const parser = responseParser((status, _, closes) => {
      found.answers++
      found.status = status
      found.closes = closes
    })
    const socket = openSocket(this.#address, (bytes, length) => {
      if (this.#socket !== socket) return
      if (this.state !== 'busy') return this.#close('an answer without a request')
      if (!parser.feed(bytes, 0, length)) return this.#close('an answer that is not HTTP')
      if (found.answers === 0) return
      if (found.answers > 1 || !parser.isBetween()) return this.#close('more than one answer')
      found.answers = 0
      this.#answered(found)
    })
    this.#socket = socket
    socket.on('end', () => {
      if (this.#socket !== socket) return
      // An answer without a length ends here, and its connection with it.
      if (this.state === 'busy') parser.end()
      if (found.answers === 1) this.#answered(found)
      else this.#close('the server closed the connection')
    })
    this.#listen(socket)
  }

  /** Only while it is idle or opening; the bytes stay as they are until the answer. */
  send(request: Uint8Array): void {
    this.state = 'busy'
    this.#socket!.write(request)
  }

  /** Closes it without a word to anybody. */
  abandon(): void {
    this.state = 'closed'
    this.#socket?.destroy()
    this.#socket = undefined
  }

  #listen(socket: Socket): void {
    socket.on('connect', () => {
      if (this.#socket !== socket || this.state !== 'opening') return
      this.state = 'idle'
      this.#events.opened(this)
    })
    socket.on('error', error => {
      if (this.#socket === socket) this.#close(error.message)
    })
    socket.on('close', () => {
      if (this.#socket === socket) this.#close('the connection was closed')
    })
  }

  #answered({ status, closes }: Found): void {
    if (closes) this.abandon()
    else this.state = 'idle'
    this.#events.answered(this, status)
    // Whoever it belongs to may have opened it anew, with the next request already in it.
    if (closes && this.state === 'closed') this.#events.closed(this, undefined)
  }

  #close(reason: string): void {
    const wasIdle = this.state === 'idle'
    this.abandon()
    this.#events.closed(this, wasIdle ? undefined : reason)
  }
}
