/**
 * Splits the bytes that a server sends into responses: status and end, nothing else. It knows
 * bodies with Content-Length, chunked ones, and those that end with the connection (RFC 9112).
 */
export interface ResponseParser {
  /** Takes bytes as they arrive. False: this is not HTTP, and nothing that follows can be. */
  feed(bytes: Uint8Array, from: number, to: number): boolean
  /** Whether nothing of a response that is not complete was fed. */
  isBetween(): boolean
  /** The server has ended the connection, and with it a body without a length. */
  end(): void
}

/** `closes`: the server will take no further request on this connection. */
export type OnResponse = (status: number, bodyBytes: number, closes: boolean) => void

const HEAD = 0
const BODY = 1
const CHUNK_SIZE = 2
const CHUNK_DATA = 3
const TRAILER = 4
const GARBAGE = 5

const UNTIL_LAST_CHUNK = -1
const UNTIL_END = -2
/** Of a head, or a line of a chunked body. */
const MAX_CARRY_BYTES = 65_536

const VERSION = Buffer.from('http/1.')
const CONTENT_LENGTH = Buffer.from('content-length:')
const CHUNKED = Buffer.from('transfer-encoding: chunked')
const CLOSE = Buffer.from('connection: close')

export function responseParser(onResponse: OnResponse): ResponseParser {
  return new Parser(onResponse)
}

class Parser implements ResponseParser {
  readonly #onResponse: OnResponse
  readonly #head = { length: 0, closes: false }
  #state = HEAD
  /** A head or a line of a chunked body that has not arrived as a whole. */
  #carry: Buffer | undefined
  #status = 0
  #remaining = 0
  #bodyBytes = 0

  constructor(onResponse: OnResponse) {
    this.#onResponse = onResponse
  }

  feed(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#carry === undefined) {
      const at = this.#consume(bytes, from, to)
      if (at < to) this.#carry = Buffer.from(bytes.subarray(at, to))
    } else {
      const joined = Buffer.concat([this.#carry, bytes.subarray(from, to)])
      this.#carry = undefined
      const at = this.#consume(joined, 0, joined.length)
      if (at < joined.length) this.#carry = joined.subarray(at)
    }
    if (this.#state === GARBAGE) return false
    return this.#carry === undefined || this.#carry.length <= MAX_CARRY_BYTES
  }

  isBetween(): boolean {
    return this.#state === HEAD && this.#carry === undefined
  }

  end(): void {
    if (this.#state === BODY && this.#remaining === Infinity) this.#done()
  }

  #consume(bytes: Uint8Array, from: number, to: number): number {
    let at = from
    while (at < to && this.#state !== GARBAGE) {
      if (this.#state === HEAD) {
        const end = headEnd(bytes, at, to)
        if (end < 0) {
          if (!mayBeHead(bytes, at, to)) this.#state = GARBAGE
          return at
        }
        this.#begin(bytes, at, end)
        at = end
      } else if (this.#state === BODY || this.#state === CHUNK_DATA) {
        at += this.#takeBody(to - at)
      } else {
        const end = nextLine(bytes, at, to)
        if (end > to) return at
        this.#takeLine(bytes.subarray(at, end))
        at = end
      }
    }
    return at
  }

  #begin(bytes: Uint8Array, from: number, end: number): void {
    this.#status = startsWith(bytes, from, VERSION) ? number(bytes, from + 9, from + 12) : 0
    if (this.#status < 100) {
      this.#state = GARBAGE
      return
    }
    this.#bodyBytes = 0
    readHead(bytes, { from, end }, this.#head)
    const hasNone = this.#status < 200 || this.#status === 204 || this.#status === 304
    this.#remaining = hasNone ? 0 : this.#head.length
    if (this.#remaining === UNTIL_LAST_CHUNK) this.#state = CHUNK_SIZE
    else if (this.#remaining === UNTIL_END) {
      this.#state = BODY
      this.#remaining = Infinity
      this.#head.closes = true
    } else if (this.#remaining > 0) this.#state = BODY
    else this.#done()
  }

  #takeBody(available: number): number {
    const taken = Math.min(this.#remaining, available)
    this.#remaining -= taken
    this.#bodyBytes += taken
    if (this.#remaining === 0) {
      if (this.#state === BODY) this.#done()
      else this.#state = CHUNK_SIZE
    }
    return taken
  }

  /** Of a chunked body: the size of a chunk, the end of its data, or a trailer. */
  #takeLine(line: Uint8Array): void {
    const isEmpty = line.length === 2
    if (this.#state === TRAILER) {
      if (isEmpty) this.#done()
    } else if (!isEmpty) {
      // The empty line is the one that ends a chunk's data.
      this.#remaining = Number.parseInt(Buffer.from(line).toString('latin1'), 16)
      if (this.#remaining >= 0) this.#state = this.#remaining === 0 ? TRAILER : CHUNK_DATA
      else this.#state = GARBAGE
    }
  }

  #done(): void {
    this.#state = HEAD
    // 1xx is not the answer yet.
    if (this.#status >= 200) this.#onResponse(this.#status, this.#bodyBytes, this.#head.closes)
  }
}

/** What a head says: the length of the body or how it ends, and whether the connection does. */
function readHead(
  bytes: Uint8Array,
  { from, end }: { from: number; end: number },
  into: { length: number; closes: boolean },
): void {
  into.length = UNTIL_END
  into.closes = bytes[from + VERSION.length] === 0x30
  for (let at = nextLine(bytes, from, end); at < end; at = nextLine(bytes, at, end)) {
    const first = bytes[at] | 0x20
    if (first === 0x63) {
      if (startsWith(bytes, at, CONTENT_LENGTH)) {
        if (into.length === UNTIL_END) into.length = number(bytes, at + CONTENT_LENGTH.length, end)
      } else if (startsWith(bytes, at, CLOSE)) into.closes = true
    } else if (first === 0x74 && startsWith(bytes, at, CHUNKED)) into.length = UNTIL_LAST_CHUNK
  }
}

/** Whether what is there of a head is the beginning of one. */
function mayBeHead(bytes: Uint8Array, from: number, to: number): boolean {
  return startsWith(bytes, from, VERSION.subarray(0, Math.min(VERSION.length, to - from)))
}

/** Just behind the empty line that ends a head; -1 when it is not there yet. */
function headEnd(bytes: Uint8Array, from: number, to: number): number {
  for (let i = from + 3; i < to; i++) {
    if (bytes[i] === 10 && bytes[i - 1] === 13 && bytes[i - 2] === 10 && bytes[i - 3] === 13)
      return i + 1
  }
  return -1
}

/** Just behind the next line feed, or `to + 1` when there is none. */
function nextLine(bytes: Uint8Array, from: number, to: number): number {
  for (let i = from; i < to; i++) if (bytes[i] === 10) return i + 1
  return to + 1
}

function startsWith(bytes: Uint8Array, at: number, lower: Uint8Array): boolean {
  for (let i = 0; i < lower.length; i++) {
    const byte = bytes[at + i]
    if ((byte >= 65 && byte <= 90 ? byte | 0x20 : byte) !== lower[i]) return false
  }
  return true
}

/** The decimal number that begins behind any blanks. */
function number(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && bytes[at] === 32) at++
  let value = 0
  for (; at < to && bytes[at] >= 48 && bytes[at] <= 57; at++) value = value * 10 + bytes[at] - 48
  return value
}
