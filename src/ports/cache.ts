/**
 * Answers kept for a while. A cache may forget anything at any time and never returns an entry
 * past its time to live. Values are opaque bytes, so that memory and Redis mean the same.
 * Errors never reach the caller: a cache that fails is a miss.
 */
export interface Cache {
  get(key: string): Promise<Uint8Array | undefined>
  /** Keeps `value` for `ttlMs`; larger than the whole cache means it is not kept. */
  set(key: string, value: Uint8Array, ttlMs: number): Promise<void>
  /** Forgets every key that begins with `prefix`. */
  invalidate(prefix: string): Promise<void>
  stats(): { readonly entries: number; readonly bytes: number; readonly evictions: number }
  close(): Promise<void>
}
