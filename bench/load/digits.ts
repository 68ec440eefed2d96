/**
 * Rewrites numbers of fixed width inside bytes that are built once, so that every request carries
 * new values and times for a few nanoseconds each. The generator shares the cores with the server.
 */

/** The four ASCII digits of 0 to 9999, one after the other. */
const FOUR = new Uint8Array(40_000)
for (let n = 0; n < 10_000; n++) {
  FOUR[4 * n] = 48 + Math.floor(n / 1000)
  FOUR[4 * n + 1] = 48 + (Math.floor(n / 100) % 10)
  FOUR[4 * n + 2] = 48 + (Math.floor(n / 10) % 10)
  FOUR[4 * n + 3] = 48 + (n % 10)
}

type PutDigits = (bytes: Uint8Array, at: number, value: number) => void

/** Writes whole numbers of this many digits, with leading zeros. */
export function putDigits(width: number): PutDigits {
  return (bytes, at, value) => {
    let rest = value
    for (let i = at + width - 1; i >= at; i--) {
      const next = Math.floor(rest / 10)
      bytes[i] = 48 + (rest - next * 10)
      rest = next
    }
  }
}

/** Milliseconds since 1970. */
export const putTime = putDigits(13)

/** Writes hundredths (1000 to 9999) as `dd.dd`; the point is there already. */
export function putHundredths(bytes: Uint8Array, at: number, value: number): void {
  const digits = 4 * value
  bytes[at] = FOUR[digits]
  bytes[at + 1] = FOUR[digits + 1]
  bytes[at + 3] = FOUR[digits + 2]
  bytes[at + 4] = FOUR[digits + 3]
}

/** Many quantised walks between 10.00 and 99.99, as hundredths, with steps of at most 0.03. */
export interface Walks {
  /** Moves walk `index` on and returns it. */
  next(index: number): number
}

export function walks(count: number, seed: number): Walks {
  let state = (seed * 2654435761 + 88675123) | 0 || 1
  const values = new Int16Array(count)
  for (let i = 0; i < count; i++) values[i] = 2000 + ((i * 7919) % 6000)
  return {
    next(index) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      let value = values[index] + ((state >>> 8) % 7) - 3
      if (value < 1000) value = 1003
      else if (value > 9999) value = 9996
      values[index] = value
      return value
    },
  }
}
