/** Bytes that may be held at once, over all requests. */
export interface Budget {
  /** False when there is no room; then nothing was taken. */
  take(bytes: number): boolean
  give(bytes: number): void
  readonly used: number
}

export function createBudget(maxBytes: number): Budget {
  let used = 0
  return {
    take(bytes) {
      if (used + bytes > maxBytes) return false
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
