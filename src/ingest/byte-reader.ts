/** 10^0 … 10^22: the powers of ten that a float64 holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))

const QUOTE = 34
const BACKSLASH = 92
const POINT = 46

/** Bytes to compare with, four at a time. */
export interface FixedBytes {
  readonly length: number
  /** Little-endian. */
  readonly words: Int32Array
  /** The up to three bytes behind them. */
  readonly rest: Uint8Array
}

export function fixedBytes(bytes: Uint8Array): FixedBytes {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const words = new Int32Array(bytes.length >> 2)
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(4 * i, true)
  return { length: bytes.length, words, rest: Uint8Array.from(bytes.subarray(4 * words.length)) }
}

/**
 * Reads JSON tokens straight from bytes, without making strings or objects. It reads what is
 * plain (ASCII strings without escapes, numbers of up to 15 digits) and says so when a token is
 * not: the caller then leaves the body to `JSON.parse`, which knows everything and explains errors.
 */
export class ByteReader {
  // Always a Buffer: where two kinds of arrays come by, every access has to tell them apart.
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  /** The string read last: its bytes are [from, to). */
  from = 0
  to = 0
  /** The number read last. */
  value = 0
  /** Four bytes at a time. */
  #view: DataView = new DataView(new ArrayBuffer(0))

  open(bytes: Buffer): void {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = 0
  }

  /** The next byte that is not white space, without taking it; -1 at the end. */
  peek(): number {
    const { bytes } = this
    let at = this.at
    while (at < bytes.length) {
      const byte = bytes[at]
      if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) {
        this.at = at
        return byte
      }
      at++
    }
    this.at = at
    return -1
  }

  /** Takes the byte if it comes next, after white space. */
  take(byte: number): boolean {
    if (this.bytes[this.at] !== byte && this.peek() !== byte) return false
    this.at++
    return true
  }

  /** Takes exactly these bytes if they come next. */
  takeBytes(expected: FixedBytes): boolean {
    const { words, rest, length } = expected
    const from = this.at
    if (from + length > this.bytes.length) return false
    const view = this.#view
    let at = from
    for (let i = 0; i < words.length; i++, at += 4) {
      if (view.getInt32(at, true) !== words[i]) return false
    }
    for (let i = 0; i < rest.length; i++, at++) if (this.bytes[at] !== rest[i]) return false
    this.at = at
    return true
  }

  /** A string of printable ASCII without escapes, its opening quote taken already. */
  string(): boolean {
    const { bytes } = this
    let at = this.at
    this.from = at
    for (; at < bytes.length; at++) {
      const byte = bytes[at]
      if (byte === QUOTE) {
        this.to = at
        this.at = at + 1
        return true
      }
      if (byte === BACKSLASH || byte < 32 || byte > 126) return false
    }
    return false
  }

  /** Whether the string read last is `text`. */
  isString(text: string): boolean {
    const { from, bytes } = this
    if (this.to - from !== text.length) return false
    for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text.charCodeAt(i)) return false
    return true
  }

  /** Whether the string read last is the `length` bytes of `other` at `at`. */
  isBytes(other: Buffer, at: number, length: number): boolean {
    const { from, bytes } = this
    if (this.to - from !== length) return false
    for (let i = 0; i < length; i++) if (bytes[from + i] !== other[at + i]) return false
    return true
  }

  /** A hash of the string read last: of its length, its first four and its last eight bytes. */
  hash(): number {
    const { from, to } = this
    const length = to - from
    if (length < 4) return this.bytes[from] * 31 + this.bytes[to - 1] * 7 + length
    const view = this.#view
    let hash = Math.imul(view.getInt32(from, true) ^ length, 0x9e3779b1)
    hash = Math.imul(hash ^ view.getInt32(to - 4, true), 0x85ebca6b)
    if (length >= 8) hash = Math.imul(hash ^ view.getInt32(to - 8, true), 0xc2b2ae35)
    return hash ^ (hash >>> 15)
  }

  text(): string {
    return String.fromCharCode.apply(null, this.bytes.subarray(this.from, this.to) as never)
  }

  /**
   * A JSON number. Up to 15 digits and their power of ten are exact as float64, so one division
   * rounds correctly (Clinger 1990); longer fractions are left to `Number`, and long integers,
   * which a float64 may not hold, to the general way.
   */
  number(): boolean {
    const { bytes } = this
    let at = this.at
    const negative = bytes[at] === 45
    if (negative) at++
    const begin = at
    let mantissa = 0
    let digit = bytes[at] - 48
    while (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit
      digit = bytes[++at] - 48
    }
    let digits = at - begin
    if (digits === 0 || (digits > 1 && bytes[begin] === 48)) return false
    let scale = 0
    if (bytes[at] === POINT) {
      const point = at
      digit = bytes[++at] - 48
      while (digit >= 0 && digit <= 9) {
        mantissa = mantissa * 10 + digit
        digit = bytes[++at] - 48
      }
      scale = at - point - 1
      if (scale === 0) return false
      digits += scale
    }
    if (digits > 15 || (bytes[at] | 32) === 101) return scale > 0 && this.#longNumber(at)
    const value = scale === 0 ? mantissa : mantissa / POWERS[scale]
    this.value = negative ? -value : value
    this.at = at
    return true
  }

  /** Integer and fraction end at `end`; an exponent may follow. */
  #longNumber(end: number): boolean {
    const { bytes } = this
    let at = end
    if ((bytes[at] | 32) === 101) {
      at++
      if (bytes[at] === 43 || bytes[at] === 45) at++
      const begin = at
      while (bytes[at] >= 48 && bytes[at] <= 57) at++
      if (at === begin) return false
    }
    const value = Number(String.fromCharCode.apply(null, bytes.subarray(this.at, at) as never))
    if (value - value !== 0) return false
    this.value = value
    this.at = at
    return true
  }
}
