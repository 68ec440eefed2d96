/**
 * Splits the bytes that a server sends into responses: status and end, nothing else. It knows
 * Content-Length and chunked bodies, which is what a keep-alive server may answer with.
 */
export interface ResponseParser {
  /** Takes bytes as they arrive. */
  feed(bytes: Uint8Array, from: number, to: number): void
}

const HEAD = 0
const BODY = 1
const CHUNK_SIZE = 2
const CHUNK_DATA = 3
const TRAILER = 4

const UNTIL_LAST_CHUNK = -1

const CONTENT_LENGTH = Buffer.from('content-length:')
const CHUNKED = Buffer.from('transfer-encoding: chunked')

export function responseParser(
  onResponse: (status: number, bodyBytes: number) => void,
): ResponseParser {
  let state = HEAD
  /** A head or a line of a chunked body that has not arrived as a whole. */
  let carry: Buffer | undefined
  let status = 0
  let remaining = 0
  let bodyBytes = 0

  const done = (): void => {
    state = HEAD
    // 1xx is not the answer yet.
    if (status >= 200) onResponse(status, bodyBytes)
  }

  const begin = (bytes: Uint8Array, from: number, end: number): void => {
    status = number(bytes, from + 9, from + 12)
    bodyBytes = 0
    remaining = bodyLength(bytes, from, end)
    if (remaining === UNTIL_LAST_CHUNK) state = CHUNK_SIZE
    else if (remaining > 0) state = BODY
    else done()
  }

  const consume = (bytes: Uint8Array, from: number, to: number): number => {
    let at = from
    while (at < to) {
      if (state === HEAD) {
        const end = headEnd(bytes, at, to)
        if (end < 0) return at
        begin(bytes, at, end)
        at = end
      } else if (state === BODY || state === CHUNK_DATA) {
        const taken = Math.min(remaining, to - at)
        at += taken
        remaining -= taken
        bodyBytes += taken
        if (remaining > 0) continue
        if (state === BODY) done()
        else state = CHUNK_SIZE
      } else {
        const end = nextLine(bytes, at, to)
        if (end > to) return at
        const empty = end - at === 2
        if (state === TRAILER) {
          if (empty) done()
        } else if (!empty) {
          // The empty line is the one that ends a chunk's data.
          remaining = Number.parseInt(Buffer.from(bytes.subarray(at, end)).toString('latin1'), 16)
          state = remaining === 0 ? TRAILER : CHUNK_DATA
        }
        at = end
      }
    }
    return at
  }

  return {
    feed(bytes, from, to) {
      if (carry === undefined) {
        const at = consume(bytes, from, to)
        if (at < to) carry = Buffer.from(bytes.subarray(at, to))
        return
      }
      const joined = Buffer.concat([carry, bytes.subarray(from, to)])
      carry = undefined
      const at = consume(joined, 0, joined.length)
      if (at < joined.length) carry = joined.subarray(at)
    },
  }
}

/** What the head says of the body: its length, or `UNTIL_LAST_CHUNK`. */
function bodyLength(bytes: Uint8Array, from: number, end: number): number {
  let length = 0
  for (let at = nextLine(bytes, from, end); at < end; at = nextLine(bytes, at, end)) {
    const first = bytes[at] | 0x20
    if (first === 0x63 && startsWith(bytes, at, CONTENT_LENGTH)) {
      length = number(bytes, at + CONTENT_LENGTH.length, end)
    } else if (first === 0x74 && startsWith(bytes, at, CHUNKED)) return UNTIL_LAST_CHUNK
  }
  return length
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
