/** Header blocks beyond this are left to node:http. */
const MAX_HEAD_BYTES = 4096
const MAX_ID_BYTES = 256

const GET_LATEST = Buffer.from('GET /api/telemetry/latest/')
const POST_RECORD = Buffer.from('POST /api/telemetry/')
const VERSION = Buffer.from(' HTTP/1.1\r\n')

const CR = 13
const LF = 10
const SPACE = 32
const COLON = 58

/** Bytes of device ids that need no decoding: the unreserved ones of RFC 3986, and the colon. */
const ID_BYTES = byteSet('-._~:')
/** Bytes of field names that are plain; other tokens are left to node:http. */
const NAME_BYTES = byteSet('-_')

function byteSet(others: string): Uint8Array {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  const set = new Uint8Array(256)
  for (const byte of Buffer.from(letters + others)) set[byte] = 1
  return set
}

/**
 * Recognises one complete, plain request of the lane's routes at a place in a chunk; the fields
 * say where its parts are, until the next read. It judges nothing: what it does not recognise is
 * not wrong, but node:http's. So it may only ever be stricter than node:http.
 */
export class RequestReader {
  isPost = false
  idStart = 0
  idEnd = 0
  /** The body of a POST goes from here to `end`. */
  bodyStart = 0
  /** Where the next request begins. */
  end = 0
  hostStart = 0
  hostEnd = 0
  /** Empty where the client gives none. */
  requestIdStart = 0
  requestIdEnd = 0
  /** The key, from `authorization` or `x-api-key`; `keyStart` is 0 where there is none. */
  keyStart = 0
  keyEnd = 0
  #length = -1
  #hosts = 0
  #types = 0
  /** Of the field being read. */
  #value = 0
  #valueEnd = 0

  readonly #maxBodyBytes: number

  /** Bodies beyond `maxBodyBytes` are left to node:http, to be refused. */
  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes
  }

  /** False: these bytes are not for the lane. */
  read(bytes: Buffer, at: number): boolean {
    this.isPost = bytes[at] === POST_RECORD[0]
    const prefix = this.isPost ? POST_RECORD : GET_LATEST
    if (!startsWith(bytes, at, prefix)) return false
    this.idStart = at + prefix.length
    let i = this.idStart
    while (ID_BYTES[bytes[i]] === 1) i++
    this.idEnd = i
    if (i === this.idStart || i - this.idStart > MAX_ID_BYTES) return false
    if (!startsWith(bytes, i, VERSION)) return false
    this.bodyStart = this.#fields(bytes, i + VERSION.length)
    if (this.bodyStart < 0 || this.#hosts !== 1) return false
    // An empty body has an answer of its own, a GET with a body a meaning of its own.
    if (this.isPost ? this.#length <= 0 : this.#length >= 0) return false
    if (this.#length > this.#maxBodyBytes) return false
    this.end = this.isPost ? this.bodyStart + this.#length : this.bodyStart
    return this.end <= bytes.length
  }

  /** Reads the header fields; returns where the body begins, -1 for what is not plain. */
  #fields(bytes: Buffer, start: number): number {
    this.#length = -1
    this.#hosts = 0
    this.#types = 0
    this.requestIdStart = 0
    this.requestIdEnd = 0
    this.keyStart = 0
    const limit = Math.min(bytes.length, start + MAX_HEAD_BYTES)
    let i = start
    while (i < limit && bytes[i] !== CR) {
      const name = i
      while (i < limit && NAME_BYTES[bytes[i]] === 1) i++
      if (i === name || i >= limit || bytes[i] !== COLON) return -1
      const nameEnd = i++
      while (i < limit && bytes[i] === SPACE) i++
      this.#value = i
      while (i < limit && bytes[i] >= SPACE && bytes[i] < 127) i++
      if (i + 1 >= limit || bytes[i] !== CR || bytes[i + 1] !== LF) return -1
      this.#valueEnd = i
      while (this.#valueEnd > this.#value && bytes[this.#valueEnd - 1] === SPACE) this.#valueEnd--
      if (!this.#field(bytes, name, nameEnd - name)) return -1
      i += 2
    }
    return i + 1 < limit && bytes[i + 1] === LF ? i + 2 : -1
  }

  /** False for fields that change what a request means, and for odd values of those it knows. */
  #field(bytes: Buffer, name: number, length: number): boolean {
    const value = this.#value
    const valueEnd = this.#valueEnd
    switch (length) {
      case 4:
        if (!isText(bytes, name, 'host')) return true
        this.#hosts++
        this.hostStart = value
        this.hostEnd = valueEnd
        return value < valueEnd
      case 6:
        // Who asks from a web page is judged by node:http's hooks.
        return !isText(bytes, name, 'expect') && !isText(bytes, name, 'origin')
      case 7:
        return !isText(bytes, name, 'upgrade') && !isText(bytes, name, 'trailer')
      case 9:
        return !isText(bytes, name, 'x-api-key') || this.#key(value)
      case 10:
        if (!isText(bytes, name, 'connection')) return true
        return valueEnd - value === 10 && isText(bytes, value, 'keep-alive')
      case 12:
        if (isText(bytes, name, 'content-type'))
          return this.#types++ === 0 && isJson(bytes, value, valueEnd)
        return !isText(bytes, name, 'x-request-id') || this.#requestId()
      case 13:
        return !isText(bytes, name, 'authorization') || this.#credentials(bytes)
      case 14:
        return !isText(bytes, name, 'content-length') || this.#contentLength(bytes)
      case 16:
        return !isText(bytes, name, 'content-encoding') && !isText(bytes, name, 'proxy-connection')
      case 17:
        return !isText(bytes, name, 'transfer-encoding')
      default:
        return true
    }
  }

  #requestId(): boolean {
    if (this.requestIdStart !== 0) return false
    this.requestIdStart = this.#value
    this.requestIdEnd = this.#valueEnd
    return true
  }

  /** Basic credentials, and two fields with a key, are left to node:http. */
  #credentials(bytes: Buffer): boolean {
    const value = this.#value
    if (isText(bytes, value, 'bearer ')) return this.#key(value + 7)
    return isText(bytes, value, 'token ') && this.#key(value + 6)
  }

  #key(start: number): boolean {
    if (this.keyStart !== 0 || start >= this.#valueEnd) return false
    this.keyStart = start
    this.keyEnd = this.#valueEnd
    return true
  }

  #contentLength(bytes: Buffer): boolean {
    const digits = this.#valueEnd - this.#value
    if (this.#length >= 0 || digits < 1 || digits > 7) return false
    let length = 0
    for (let i = this.#value; i < this.#valueEnd; i++) {
      const digit = bytes[i] - 48
      if (!(digit >= 0 && digit <= 9)) return false
      length = length * 10 + digit
    }
    this.#length = length
    return true
  }
}

function startsWith(bytes: Buffer, at: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false
  return true
}

/** Case-insensitive; `text` is of lower-case letters and hyphens. */
function isText(bytes: Buffer, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const wanted = text.charCodeAt(i)
    const byte = bytes[at + i]
    if (byte !== wanted && (wanted < 97 || byte !== wanted - 32)) return false
  }
  return true
}

/** `application/json`, with its charset or without: what clients send for JSON. */
function isJson(bytes: Buffer, value: number, valueEnd: number): boolean {
  if (!isText(bytes, value, 'application/json')) return false
  let at = value + 16
  if (at === valueEnd) return true
  if (bytes[at++] !== 59) return false
  if (bytes[at] === SPACE) at++
  return valueEnd - at === 13 && isText(bytes, at, 'charset=utf-8')
}
