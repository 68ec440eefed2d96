import { singleFlight } from '../kit/single-flight.ts'
import type { Cache } from '../ports/cache.ts'

export interface ReadThroughAnswer {
  readonly text: string
  readonly source: 'cache' | 'database'
}

/**
 * Answers that are kept for a while and say so. Whoever asks for what is being read already waits
 * for that answer. Keys must hold the tenant.
 */
export class ReadThrough {
  readonly #cache: Cache
  readonly #ttlMs: number
  readonly #flight = singleFlight<string>()
  #requests = 0
  #hits = 0

  constructor(cache: Cache, ttlMs: number) {
    this.#cache = cache
    this.#ttlMs = ttlMs
  }

  /** Look-ups so far, and those that the cache answered. */
  counts(): { readonly requests: number; readonly hits: number } {
    return { requests: this.#requests, hits: this.#hits }
  }

  async get(question: readonly unknown[], load: () => Promise<string>): Promise<ReadThroughAnswer> {
    this.#requests++
    const key = `kept:${JSON.stringify(question)}`
    const kept = await this.#cache.get(key)
    if (kept !== undefined) {
      this.#hits++
      const text = Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength).toString()
      return { text, source: 'cache' }
    }
    const text = await this.#flight(key, async () => {
      const answer = await load()
      await this.#cache.set(key, Buffer.from(answer), this.#ttlMs)
      return answer
    })
    return { text, source: 'database' }
  }
}
