export interface BackoffOptions {
  /** The longest first wait. */
  readonly firstMs: number
  /** No wait is longer. */
  readonly lastMs: number
  /** From 0 to below 1; tests hand in their own. */
  readonly random?: () => number
}

/**
 * How long to wait before the next try: twice as long as before each time, up to a bound, and by
 * chance between half of that and all of it, so that many who lost the same server do not come back
 * in step.
 */
export class Backoff {
  readonly #options: BackoffOptions
  #ceilingMs: number

  constructor(options: BackoffOptions) {
    this.#options = options
    this.#ceilingMs = options.firstMs
  }

  /** Milliseconds until the next try. */
  next(): number {
    const { lastMs, random = Math.random } = this.#options
    const ceilingMs = this.#ceilingMs
    this.#ceilingMs = Math.min(2 * ceilingMs, lastMs)
    return Math.round((ceilingMs / 2) * (1 + random()))
  }

  /** It worked: the next wait is a first one again. */
  reset(): void {
    this.#ceilingMs = this.#options.firstMs
  }
}
