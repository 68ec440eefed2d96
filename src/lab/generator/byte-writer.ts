const DAY_MS = 86_400_000
const DASH = 0x2d
const DOT = 0x2e
const ZERO = 0x30

/** Writes the changing parts of a request behind each other; whoever made the bytes made room. */
export class ByteWriter {
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  /** The day of `#date`, whose text is the same for most times. */
  #day = NaN
  #date: Uint8Array = Buffer.alloc(0)

  put(piece: Uint8Array): void {
    const { bytes } = this
    let { at } = this
    const { length } = piece
    if (length > 24) bytes.set(piece, at)
    else for (let i = 0; i < length; i++) bytes[at + i] = piece[i]
    at += length
    this.at = at
  }

  /** Of a whole number from 0, at least so many digits. */
  digits(value: number, minDigits: number): void {
    let count = 1
    for (let power = 10; value >= power; power *= 10) count++
    this.#fixed(value, Math.max(count, minDigits))
  }

  /** `value` ÷ 10 to the power of `decimals`, with all its decimals. */
  decimal(value: number, decimals: number): void {
    let rest = value
    if (rest < 0) {
      this.bytes[this.at++] = DASH
      rest = -rest
    }
    if (decimals === 0) return this.digits(rest, 1)
    const scale = 10 ** decimals
    const whole = Math.floor(rest / scale)
    this.digits(whole, 1)
    this.bytes[this.at++] = DOT
    this.#fixed(rest - whole * scale, decimals)
  }

  /** ISO 8601 in UTC with milliseconds, from milliseconds since 1970; `colon` is what separates. */
  time(ms: number, colon: Uint8Array): void {
    const day = Math.floor(ms / DAY_MS)
    if (day !== this.#day) {
      this.#day = day
      this.#date = Buffer.from(new Date(day * DAY_MS).toISOString().slice(0, 11))
    }
    this.put(this.#date)
    const seconds = Math.floor((ms - day * DAY_MS) / 1000)
    this.#fixed(Math.floor(seconds / 3600), 2)
    this.put(colon)
    this.#fixed(Math.floor(seconds / 60) % 60, 2)
    this.put(colon)
    this.#fixed(seconds % 60, 2)
    this.bytes[this.at++] = DOT
    this.#fixed(Math.floor(ms - day * DAY_MS) % 1000, 3)
    this.bytes[this.at++] = 0x5a
  }

  #fixed(value: number, width: number): void {
    let rest = value
    for (let i = this.at + width - 1; i >= this.at; i--) {
      const next = Math.floor(rest / 10)
      this.bytes[i] = ZERO + (rest - next * 10)
      rest = next
    }
    this.at += width
  }
}
