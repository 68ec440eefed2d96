/** Bytes that may be held at once, over all requests. */
export interface Budget {
  /**
   * More for a request that holds `held` bytes already. False when there is no room; then nothing
   * was taken.
   */
  take(bytes: number, held: number): boolean
  give(bytes: number): void
  readonly used: number
}

const SMALL_REQUEST_BYTES = 64 * 1024
/** What large requests may fill, so that a few of them (or gzip bombs) do not lock out all others. */
const LARGE_SHARE = 7 / 8

export function createBudget(maxBytes: number): Budget {
  let used = 0
  return {
    take(bytes, held) {
      const isSmall = held + bytes <= SMALL_REQUEST_BYTES
      if (used + bytes > (isSmall ? maxBytes : maxBytes * LARGE_SHARE)) return false
      used += bytes
      return true
    },
    give(bytes) {
      used -= bytes
    },
    get used() {
      return used
    },
  }
}
