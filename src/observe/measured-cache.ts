import type { Cache, CacheTier } from '../ports/cache.ts'

export interface CacheCounts {
  readonly requests: number
  /** Look-ups that the cache answered, by where it had the answer. */
  readonly hits: ReadonlyMap<CacheTier, number>
  /** Scopes that were invalidated. */
  readonly invalidations: number
}

/** The same cache, counting. */
export function measuredCache(cache: Cache): { readonly cache: Cache; counts(): CacheCounts } {
  const hits = new Map<CacheTier, number>()
  const { health } = cache
  let requests = 0
  let invalidations = 0
  return {
    cache: {
      capabilities: cache.capabilities,
      async get(key) {
        requests++
        const found = await cache.get(key)
        if (found.value !== undefined) hits.set(found.tier, (hits.get(found.tier) ?? 0) + 1)
        return found
      },
      invalidate(scopes) {
        invalidations += scopes.length
        return cache.invalidate(scopes)
      },
      clear: () => cache.clear(),
      stats: () => cache.stats(),
      ...(health === undefined ? {} : { health: () => health.call(cache) }),
      close: () => cache.close(),
    },
    counts: () => ({ requests, hits, invalidations }),
  }
}
