/** Scopes that are remembered; beyond that all are in doubt. */
const MAX_SCOPES = 10_000

/** Scopes of which it is not known whether Redis has taken their invalidation. */
export class DoubtfulScopes {
  /** With when each was put in. */
  readonly #scopes = new Map<string, number>()
  #all: number | undefined
  #stamp = 0

  get isEmpty(): boolean {
    return this.#all === undefined && this.#scopes.size === 0
  }

  get isAll(): boolean {
    return this.#all !== undefined
  }

  has(scopes: readonly string[]): boolean {
    if (this.isEmpty) return false
    return this.#all !== undefined || scopes.some(scope => this.#scopes.has(scope))
  }

  /** What `settle` takes: what is put in from now on is not settled by it. */
  begin(): number {
    return ++this.#stamp
  }

  add(scopes: readonly string[]): void {
    const stamp = ++this.#stamp
    if (this.#all !== undefined) {
      // What is under way for all of them may have been before these.
      this.#all = stamp
      return
    }
    for (const scope of scopes) this.#scopes.set(scope, stamp)
    if (this.#scopes.size > MAX_SCOPES) this.addAll()
  }

  addAll(): number {
    this.#scopes.clear()
    return (this.#all = ++this.#stamp)
  }

  /** They have been invalidated, by what was sent at `stamp`. */
  settle(scopes: readonly string[], stamp: number): void {
    if (this.#scopes.size === 0) return
    for (const scope of scopes) {
      if ((this.#scopes.get(scope) ?? Infinity) < stamp) this.#scopes.delete(scope)
    }
  }

  settleAll(stamp: number): void {
    if (this.#all === stamp) this.#all = undefined
  }

  some(count: number): string[] {
    return this.#scopes.keys().take(count).toArray()
  }
}
