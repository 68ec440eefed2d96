/** Scopes that are remembered one by one. */
const MAX_SCOPES = 20_000

/**
 * When each scope was invalidated last, as a number that rises with each invalidation. What has been
 * forgotten counts as invalidated as late as any that has: so a read of long ago may not be kept,
 * and never is one that should not.
 */
export class ScopeTimes {
  readonly #times = new Map<string, number>()
  #floor = 0
  #now = 0

  note(scope: string): void {
    this.#times.delete(scope)
    this.#times.set(scope, ++this.#now)
    if (this.#times.size > MAX_SCOPES) this.#forgetHalf()
  }

  noteAll(): void {
    this.#times.clear()
    this.#floor = ++this.#now
  }

  /** When one of them was invalidated last, or later. */
  lastOf(scopes: readonly string[]): number {
    let last = this.#floor
    for (const scope of scopes) last = Math.max(last, this.#times.get(scope) ?? 0)
    return last
  }

  #forgetHalf(): void {
    for (const [scope, time] of this.#times) {
      if (this.#times.size <= MAX_SCOPES / 2) return
      this.#times.delete(scope)
      this.#floor = time
    }
  }
}
