/** Microseconds of one unit; a nanosecond is less, and is seen to by itself. */
const UNIT_US: Readonly<Record<Precision, number>> = {
  ns: 1e-3,
  us: 1,
  ms: 1e3,
  s: 1e6,
  m: 60e6,
  h: 3600e6,
}

/** The unit of the times of a body. */
export type Precision = 'ns' | 'us' | 'ms' | 's' | 'm' | 'h'

/** Times of lines: digits in a known unit, however many, exact to the microsecond. */
export class LineTime {
  readonly precision: Precision
  readonly #unitUs: number
  /** Digits behind the microseconds. */
  readonly #cut: number

  constructor(precision: Precision) {
    this.precision = precision
    this.#unitUs = UNIT_US[precision]
    this.#cut = precision === 'ns' ? 3 : 0
  }

  /**
   * Microseconds of the digits in [from, to), nanoseconds rounded half up as everywhere; beyond
   * every bound when there are too many. NaN when other bytes are among them, or none is.
   */
  read(bytes: Buffer, from: number, to: number): number {
    const middle = to - this.#cut
    let units = 0
    for (let at = from; at < middle; at++) {
      const digit = bytes[at] - 48
      if (!(digit >= 0 && digit <= 9)) return NaN
      // Beyond 2^53 it is no longer exact, but it is too late a time then anyway.
      units = units * 10 + digit
    }
    if (this.#cut === 0) return to > from ? units * this.#unitUs : NaN
    let rest = 0
    for (let at = middle > from ? middle : from; at < to; at++) {
      const digit = bytes[at] - 48
      if (!(digit >= 0 && digit <= 9)) return NaN
      rest = rest * 10 + digit
    }
    if (to === from) return NaN
    return rest >= 500 ? units + 1 : units
  }
}
