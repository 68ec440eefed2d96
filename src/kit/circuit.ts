import { Backoff } from './backoff.ts'

export interface CircuitOptions {
  /** Failures in a row that open it. */
  readonly failures: number
  /** The longest wait until the first probe; each further wait is longer, up to `lastMs`. */
  readonly firstMs: number
  readonly lastMs: number
  readonly nowMs: () => number
  /** From 0 to below 1; tests hand in their own. */
  readonly random?: () => number
}

/**
 * Says whether to ask somebody who may be down. After some failures in a row nobody asks for a
 * while; then one does (the probe), and when that works all do again.
 */
export class Circuit {
  readonly #options: CircuitOptions
  readonly #backoff: Backoff
  #failures = 0
  #isOpen = false
  #isProbing = false
  #probeAtMs = 0

  constructor(options: CircuitOptions) {
    this.#options = options
    this.#backoff = new Backoff(options)
  }

  /** Nobody is to ask now, but for the probe. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Whether to ask; who is told so says afterwards how it went. */
  allows(): boolean {
    if (!this.#isOpen) return true
    if (this.#isProbing || this.#options.nowMs() < this.#probeAtMs) return false
    this.#isProbing = true
    return true
  }

  succeeded(): void {
    this.#failures = 0
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#isProbing = false
    this.#backoff.reset()
  }

  failed(): void {
    this.#failures++
    if (this.#isOpen ? !this.#isProbing : this.#failures < this.#options.failures) return
    this.#isOpen = true
    this.#isProbing = false
    this.#probeAtMs = this.#options.nowMs() + this.#backoff.next()
  }
}
