import { timeFromIso, timeFromNumber } from '../model/time.ts'
import type { ByteReader } from './byte-reader.ts'

/** Times as bytes; the date is remembered, because nearly all are of one day. */
export class TimeReader {
  #dayText = ''
  #dayUs = 0

  /** Microseconds of the number that comes next; NaN when it is no plain one. */
  fromNumber(reader: ByteReader): number {
    return reader.number() ? timeFromNumber(reader.value) : NaN
  }

  /** Microseconds of the string that `reader` read last; NaN when it is no time. */
  fromString(reader: ByteReader): number {
    const { bytes, from, to } = reader
    if (
      to - from !== 24 ||
      bytes[from + 10] !== 84 ||
      bytes[from + 13] !== 58 ||
      bytes[from + 16] !== 58 ||
      bytes[from + 19] !== 46 ||
      bytes[from + 23] !== 90 ||
      !this.#sameDay(bytes, from)
    ) {
      return this.#general(reader)
    }
    const hour = two(bytes, from + 11)
    const minute = two(bytes, from + 14)
    const second = two(bytes, from + 17)
    const ms = two(bytes, from + 20) * 10 + (two(bytes, from + 21) % 10)
    if (!(hour < 24 && minute < 60 && second < 60 && ms >= 0)) return NaN
    return this.#dayUs + (hour * 3600 + minute * 60 + second) * 1e6 + ms * 1e3
  }

  #sameDay(bytes: Uint8Array, from: number): boolean {
    const day = this.#dayText
    if (day === '') return false
    for (let i = 9; i >= 0; i--) if (bytes[from + i] !== day.charCodeAt(i)) return false
    return true
  }

  #general(reader: ByteReader): number {
    const text = reader.text()
    const timeUs = timeFromIso(text)
    if (timeUs === timeUs) {
      this.#dayText = text.slice(0, 10)
      this.#dayUs = timeFromIso(this.#dayText)
    }
    return timeUs
  }
}

/** Two ASCII digits, or NaN. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at] - 48
  const ones = bytes[at + 1] - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN
}
