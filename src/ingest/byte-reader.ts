/** 10^0 … 10^22: the powers of ten that a float64 holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))

const QUOTE = 34
const BACKSLASH = 92
const POINT = 46

/**
 * Reads JSON tokens straight from bytes, without making strings or objects. It reads what is
 * plain (ASCII strings without escapes, numbers of up to 15 digits) and says so when a token is
 * not: the caller then leaves the body to `JSON.parse`, which knows everything and explains errors.
 */
export class ByteReader {
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  /** The string read last: its bytes are [from, to). */
  from = 0
  to = 0
  /** The number read last. */
  value = 0

  open(bytes: Uint8Array): void {
    this.bytes = bytes
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
  takeBytes(expected: Uint8Array): boolean {
    const { bytes, at } = this
    const { length } = expected
    if (at + length > bytes.length) return false
    for (let i = 0; i < length; i++) if (bytes[at + i] !== expected[i]) return false
    this.at = at + length
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

  /** A hash of the string read last: of its length, its first four and its last eight bytes. */
  hash(): number {
    const { bytes, from, to } = this
    let hash = to - from
    const head = Math.min(to, from + 4)
    for (let i = from; i < head; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193)
    for (let i = Math.max(head, to - 8); i < to; i++) {
      hash = Math.imul(hash ^ bytes[i], 0x01000193)
    }
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
