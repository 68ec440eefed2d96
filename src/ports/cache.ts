import type { ServerHealth } from './server-health.ts'

/**
 * What an answer is kept under. `scopes` say what it was made of: it is forgotten as soon as one of
 * them is invalidated. At least one; each holds the tenant. `name` tells answers of the same scopes
 * apart.
 */
export interface CacheKey {
  readonly scopes: readonly string[]
  readonly name: string
}

/** Where a value was found: in this process, or at a server that processes share. */
export type CacheTier = 'memory' | 'shared'

export interface CacheHit {
  /** Not to be changed: the cache may hold the same bytes. */
  readonly value: Uint8Array
  /** Milliseconds until it is no answer any more. */
  readonly leftMs: number
  readonly tier: CacheTier
}

export interface CacheMiss {
  readonly value?: undefined
  /**
   * The same as long as none of the scopes is invalidated: those who missed the same version may
   * share one read of what they missed. While the cache cannot be reached it knows of this process's
   * invalidations only.
   */
  readonly version: string
  /**
   * Keeps for `ttlMs` what was read after the look-up; nothing, when one of the scopes has been
   * invalidated since the look-up, by any process: what was read may be older than that. A value
   * larger than the cache takes is not kept. Absent: the cache can take nothing now.
   */
  readonly keep?: (value: Uint8Array, ttlMs: number) => Promise<void>
}

/** What a cache can do, as data: compositions that cannot work are refused by it. */
export interface CacheCapabilities {
  /** Several processes see the same values, and what one of them invalidates no other returns. */
  readonly isShared: boolean
}

/** What this process holds; a cache elsewhere counts nothing here. */
export interface CacheStats {
  readonly entries: number
  readonly bytes: number
  readonly evictions: number
}

/**
 * Answers kept for a while. A cache may forget anything at any time and never returns an entry past
 * its time to live. Values are opaque bytes, so that memory and Redis mean the same.
 *
 * Called from the doors' thread. Errors never reach the caller, and no call takes longer than the
 * deadline that the cache is configured with: a cache that fails or is slow is a miss.
 */
export interface Cache {
  readonly capabilities: CacheCapabilities
  get(key: CacheKey): Promise<CacheHit | CacheMiss>
  /**
   * Forgets everything made of one of the scopes. Called after a write has been committed and before
   * it is acknowledged: what this process looks up after it has resolved was read after the write.
   * Of other processes the same holds, unless the cache is not shared, or could not be reached: then
   * they may return what they had until its time to live is over.
   */
  invalidate(scopes: readonly string[]): Promise<void>
  /** Forgets everything, as if every scope had been invalidated. */
  clear(): Promise<void>
  stats(): CacheStats
  /** How its server does; absent where there is none. */
  health?(): ServerHealth
  close(): Promise<void>
}

/** Told of what the other processes do to a shared cache. */
export interface CacheFollower {
  /** Another process has invalidated these; undefined: everything. */
  readonly forget: (scopes: readonly string[] | undefined) => void
  /** From now on `forget` is called for whatever others invalidate. */
  readonly following: () => void
  /** From now on it may not be; called within seconds of the loss. */
  readonly lost: () => void
}

/** A cache at a server, which tells each process what the others have invalidated. */
export interface SharedCache extends Cache {
  /** Begins to tell; `close` ends it. Called once. */
  follow(follower: CacheFollower): void
  health(): ServerHealth
}
