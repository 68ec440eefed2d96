const DAY_MS = 86_400_000
/** Two ASCII digits of each number below 100, one after the other. */
const PAIRS = Buffer.from(
  Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0')).join(''),
)
/** Numbers with so many decimals at most are written digit by digit. */
const MAX_DECIMALS = 6
const POWERS = Float64Array.from({ length: MAX_DECIMALS + 1 }, (_, digits) => 10 ** digits)
/** Below, a number times 10^6 is a whole number that is exact. */
const MAX_SCALED = 2 ** 53
const MAX_SMALL = 2 ** 31
/** More than any time or number takes. */
const ROOM_BYTES = 40

/**
 * JSON written as bytes, for answers with many numbers and times: no string a value, no UTF-8
 * encoding at the end. One is used for many texts, by one caller at a time.
 */
export class JsonWriter {
  #bytes: Buffer
  #at = 0
  #day = -1
  readonly #date = Buffer.alloc(11)

  constructor(capacity = 16_384) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity)
  }

  /** Begins a text; forgets what a writer that failed has left. */
  begin(): void {
    this.#at = 0
  }

  /** JSON, or a part of it, as it is; ASCII only. */
  ascii(text: string): void {
    this.#reserve(text.length)
    const bytes = this.#bytes
    let at = this.#at
    if (text.length > ROOM_BYTES) at += bytes.write(text, at, 'latin1')
    else for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
    this.#at = at
  }

  /** JSON, or a part of it, in UTF-8, as it is: what is written often is best encoded once. */
  bytes(json: Uint8Array): void {
    this.#reserve(json.length)
    const bytes = this.#bytes
    let at = this.#at
    for (let i = 0; i < json.length; i++) bytes[at++] = json[i]
    this.#at = at
  }

  /** A string value. */
  string(value: string): void {
    const json = JSON.stringify(value)
    this.#reserve(3 * json.length)
    this.#at += this.#bytes.write(json, this.#at)
  }

  /** A number that parses back to the same bits, -0 too; what is not finite becomes null. */
  number(value: number): void {
    this.#reserve(ROOM_BYTES)
    if (value === 0) {
      if (1 / value < 0) this.#bytes[this.#at++] = 45
      this.#bytes[this.#at++] = 48
      return
    }
    const size = value < 0 ? -value : value
    // The decimals of a scaled sensor value: where one division gives the value back, its digits
    // parse to it, because parsing rounds as the division does.
    for (let digits = 0; digits <= MAX_DECIMALS; digits++) {
      const scaled = Math.round(size * POWERS[digits])
      if (!(scaled < MAX_SCALED)) break
      if (scaled / POWERS[digits] !== size) continue
      if (value < 0) this.#bytes[this.#at++] = 45
      this.#decimal(scaled, digits)
      return
    }
    this.ascii(value - value === 0 ? String(value) : 'null')
  }

  /** A time as a string value: ISO 8601 in UTC, milliseconds, or microseconds when there are any. */
  time(timeUs: number): void {
    this.#reserve(ROOM_BYTES)
    const ms = Math.floor(timeUs / 1000)
    const micros = timeUs - 1000 * ms
    const day = Math.floor(ms / DAY_MS)
    if (day !== this.#day) {
      this.#date.write(new Date(day * DAY_MS).toISOString(), 0, 11, 'latin1')
      this.#day = day
    }
    const bytes = this.#bytes
    let at = this.#at
    bytes[at++] = 34
    for (let i = 0; i < 11; i++) bytes[at++] = this.#date[i]
    const rest = ms - day * DAY_MS
    const seconds = (rest / 1000) | 0
    const minutes = (seconds / 60) | 0
    const hours = (minutes / 60) | 0
    at = pair(bytes, at, hours)
    bytes[at++] = 58
    at = pair(bytes, at, minutes - 60 * hours)
    bytes[at++] = 58
    at = pair(bytes, at, seconds - 60 * minutes)
    bytes[at++] = 46
    at = triple(bytes, at, rest - 1000 * seconds)
    if (micros !== 0) at = triple(bytes, at, micros)
    bytes[at++] = 90
    bytes[at++] = 34
    this.#at = at
  }

  /** The bytes written since `begin`, which are the caller's. */
  take(): Buffer<ArrayBuffer> {
    const bytes = Buffer.allocUnsafeSlow(this.#at)
    this.#bytes.copy(bytes, 0, 0, this.#at)
    return bytes
  }

  /** A whole number below 2^53, the last `digits` of it behind a point. */
  #decimal(scaled: number, digits: number): void {
    const bytes = this.#bytes
    const from = this.#at
    let places = countDigits(scaled)
    if (places <= digits) places = digits + 1
    let at = from + places + (digits > 0 ? 1 : 0)
    this.#at = at
    let rest = scaled
    let left = digits
    while (rest >= MAX_SMALL) {
      const next = Math.floor(rest / 10)
      if (left === 0 && digits > 0) bytes[--at] = 46
      left--
      bytes[--at] = 48 + (rest - 10 * next)
      rest = next
    }
    let small = rest | 0
    while (at > from) {
      if (left === 0 && digits > 0) bytes[--at] = 46
      left--
      const next = (small / 10) | 0
      bytes[--at] = 48 + (small - 10 * next)
      small = next
    }
  }

  #reserve(extra: number): void {
    const needed = this.#at + extra
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

function countDigits(whole: number): number {
  let digits = 1
  let bound = 10
  while (whole >= bound) {
    digits++
    bound *= 10
  }
  return digits
}

function pair(bytes: Buffer, at: number, number: number): number {
  bytes[at] = PAIRS[2 * number]
  bytes[at + 1] = PAIRS[2 * number + 1]
  return at + 2
}

function triple(bytes: Buffer, at: number, number: number): number {
  const hundreds = (number / 100) | 0
  bytes[at] = 48 + hundreds
  return pair(bytes, at + 1, number - 100 * hundreds)
}
