import type { Cache, CacheHit, CacheKey, CacheMiss, SharedCache } from '../../ports/cache.ts'
import type { ServerHealth } from '../../ports/server-health.ts'

export interface Tiers {
  /** In this process. */
  readonly near: Cache
  readonly far: SharedCache
}

/**
 * A cache in this process in front of one that processes share. What is found at the shared one is
 * kept here for the time that it has left, so that nothing is older than its time to live in all.
 *
 * What another process invalidates is forgotten here as soon as that is heard: usually within a
 * millisecond. While nothing can be heard (no connection, or Redis does not answer), this process
 * keeps nothing of its own: it has forgotten everything and asks the shared cache, or the store.
 * What was looked up before an invalidation was heard is not kept after it (`CacheMiss.keep`).
 */
export class TieredCache implements Cache {
  readonly capabilities = { isShared: true }
  readonly #near: Cache
  readonly #far: SharedCache
  #isFollowing = false

  constructor({ near, far }: Tiers) {
    this.#near = near
    this.#far = far
    far.follow({
      forget: scopes => void (scopes === undefined ? near.clear() : near.invalidate(scopes)),
      following: () => void (this.#isFollowing = true),
      lost: () => {
        this.#isFollowing = false
        void near.clear()
      },
    })
  }

  /** Whether this process hears what others invalidate, and so keeps values of its own. */
  get isFollowing(): boolean {
    return this.#isFollowing
  }

  async get(key: CacheKey): Promise<CacheHit | CacheMiss> {
    if (!this.#isFollowing) return this.#far.get(key)
    const near = await this.#near.get(key)
    if (near.value !== undefined) return near
    const far = await this.#far.get(key)
    if (far.value !== undefined) {
      void near.keep?.(far.value, far.leftMs)
      return far
    }
    const { keep, version } = far
    if (keep === undefined) return far
    return {
      version,
      async keep(value, ttlMs) {
        void near.keep?.(value, ttlMs)
        await keep(value, ttlMs)
      },
    }
  }

  async invalidate(scopes: readonly string[]): Promise<void> {
    const near = this.#near.invalidate(scopes)
    await this.#far.invalidate(scopes)
    await near
    // And again: until now a look-up may have brought the old value from there.
    await this.#near.invalidate(scopes)
  }

  async clear(): Promise<void> {
    await this.#far.clear()
    await this.#near.clear()
  }

  stats() {
    return this.#near.stats()
  }

  health(): ServerHealth {
    return this.#far.health()
  }

  async close(): Promise<void> {
    await this.#far.close()
    await this.#near.close()
  }
}
