import { setTimeout as sleep } from 'node:timers/promises'

export interface RefresherOptions {
  /** Learns what is new. Calls `begin` when it asks: who comes later may mean what it does not see. */
  readonly ask: (begin: () => void) => Promise<void>
  /** Between the beginnings of two questions at least. */
  readonly gapMs: number
  /** How long somebody waits for an answer. */
  readonly patienceMs: number
}

/**
 * Asks for all who want to know what is new now: each gets an answer that was asked for after the
 * call, and all who wait share it, so that many calls cost little.
 */
export class Refresher {
  readonly #options: RefresherOptions
  #asking: Promise<void> | undefined
  #beganAtMs = -Infinity

  constructor(options: RefresherOptions) {
    this.#options = options
  }

  /** Never rejects: what cannot be learned in time is not learned. */
  async refresh(): Promise<void> {
    this.#asking ??= this.#ask().catch(() => undefined)
    const asking = this.#asking
    const patience = new AbortController()
    const { signal } = patience
    const timeout = sleep(this.#options.patienceMs, undefined, { signal }).catch(() => undefined)
    await Promise.race([asking, timeout])
    patience.abort()
  }

  async #ask(): Promise<void> {
    const { ask, gapMs } = this.#options
    await sleep(Math.max(0, this.#beganAtMs + gapMs - performance.now()))
    try {
      await ask(() => this.#begin())
    } catch (error) {
      // Also where it failed before it began: the next call asks again.
      this.#begin()
      throw error
    }
  }

  #begin(): void {
    this.#asking = undefined
    this.#beganAtMs = performance.now()
  }
}
