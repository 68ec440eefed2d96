import { singleFlight } from '../kit/single-flight.ts'
import type { Cache, CacheKey } from '../ports/cache.ts'

export interface KeptAnswer {
  readonly value: Uint8Array
  /** It was kept, and not read for this. */
  readonly isKept: boolean
}

/**
 * Answers through a cache. Whoever asks for what is being read already waits for that answer, unless
 * something of it has been written since that read began.
 */
export class KeptAnswers {
  readonly #cache: Cache
  readonly #flight = singleFlight<Uint8Array>()

  constructor(cache: Cache) {
    this.#cache = cache
  }

  async get(key: CacheKey, ttlMs: number, read: () => Promise<Uint8Array>): Promise<KeptAnswer> {
    const found = await this.#cache.get(key)
    if (found.value !== undefined) return { value: found.value, isKept: true }
    const { version, keep } = found
    const value = await this.#flight(JSON.stringify([key.scopes, key.name, version]), async () => {
      const answer = await read()
      // Nobody waits for the cache to have it.
      void keep?.(answer, ttlMs)
      return answer
    })
    return { value, isKept: false }
  }
}
