import { ScopeTimes } from '../../kit/scope-times.ts'
import type { Cache, CacheHit, CacheKey, CacheMiss } from '../../ports/cache.ts'
import type { Clock } from '../../ports/clock.ts'

export interface MemoryCacheOptions {
  /** Bound on keys, values and bookkeeping together. */
  readonly maxBytes: number
  readonly clock: Clock
}

interface Entry {
  readonly key: CacheKey
  readonly value: Uint8Array
  readonly expiresAtMs: number
  readonly bytes: number
  /** Read since it last came up for eviction. */
  used: boolean
}

/** What V8 needs beside key and value: entry, place in the maps, typed array and its buffer. */
const ENTRY_OVERHEAD_BYTES = 320
const SCOPE_OVERHEAD_BYTES = 100

/**
 * Least recently used first out, by second chance over the order of a `Map`: a read only marks
 * its entry, and an entry that is marked when its turn comes goes back to the end instead. (To
 * move it at each read costs 2 µs in a large map; the mark costs nothing.) Written here rather
 * than taken from `lru-cache`: the port's clock, copies and scopes would wrap most of that.
 *
 * Expired entries leave when they are asked for or when the bound needs their room, so there is
 * no timer. Which entries a scope has is known by the scope: `invalidate` looks at no others.
 */
export class MemoryCache implements Cache {
  readonly capabilities = { isShared: false }
  readonly #maxBytes: number
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  /** The entries made of a scope: mostly it is one. */
  readonly #ofScope = new Map<string, string | Set<string>>()
  readonly #invalidated = new ScopeTimes()
  #bytes = 0
  #evictions = 0

  constructor({ maxBytes, clock }: MemoryCacheOptions) {
    this.#maxBytes = maxBytes
    this.#clock = clock
  }

  get(key: CacheKey): Promise<CacheHit | CacheMiss> {
    const id = idOf(key)
    const entry = this.#entries.get(id)
    const leftMs = entry === undefined ? 0 : entry.expiresAtMs - this.#clock.nowMs()
    if (entry !== undefined && leftMs > 0) {
      entry.used = true
      return Promise.resolve({ value: entry.value, leftMs, tier: 'memory' })
    }
    if (entry !== undefined) this.#remove(id, entry)
    const last = this.#invalidated.lastOf(key.scopes)
    return Promise.resolve({
      version: String(last),
      keep: (value: Uint8Array, ttlMs: number) => {
        if (this.#invalidated.lastOf(key.scopes) === last) this.#keep(id, key, { value, ttlMs })
        return DONE
      },
    })
  }

  invalidate(scopes: readonly string[]): Promise<void> {
    for (const scope of scopes) {
      this.#invalidated.note(scope)
      const ids = this.#ofScope.get(scope)
      if (ids === undefined) continue
      for (const id of typeof ids === 'string' ? [ids] : [...ids]) {
        const entry = this.#entries.get(id)
        if (entry !== undefined) this.#remove(id, entry)
      }
    }
    return DONE
  }

  clear(): Promise<void> {
    this.#invalidated.noteAll()
    this.#entries.clear()
    this.#ofScope.clear()
    this.#bytes = 0
    return DONE
  }

  stats() {
    return { entries: this.#entries.size, bytes: this.#bytes, evictions: this.#evictions }
  }

  close(): Promise<void> {
    return this.clear()
  }

  #keep(id: string, key: CacheKey, kept: { value: Uint8Array; ttlMs: number }): void {
    const { value, ttlMs } = kept
    const old = this.#entries.get(id)
    if (old !== undefined) this.#remove(id, old)
    let bytes = ENTRY_OVERHEAD_BYTES + 2 * id.length + value.byteLength
    for (const scope of key.scopes) bytes += SCOPE_OVERHEAD_BYTES + 2 * scope.length
    if (bytes > this.#maxBytes || !(ttlMs > 0)) return
    this.#evictTo(this.#maxBytes - bytes)
    // A copy: the caller's bytes may change later, or be a small view that holds a large buffer.
    const copy = new Uint8Array(value)
    const expiresAtMs = this.#clock.nowMs() + ttlMs
    this.#entries.set(id, { key, value: copy, expiresAtMs, bytes, used: false })
    for (const scope of key.scopes) this.#join(scope, id)
    this.#bytes += bytes
  }

  #join(scope: string, id: string): void {
    const ids = this.#ofScope.get(scope)
    if (ids === undefined) this.#ofScope.set(scope, id)
    else if (typeof ids !== 'string') ids.add(id)
    else if (ids !== id) this.#ofScope.set(scope, new Set([ids, id]))
  }

  #remove(id: string, { key, bytes }: Entry): void {
    this.#entries.delete(id)
    this.#bytes -= bytes
    for (const scope of key.scopes) {
      const ids = this.#ofScope.get(scope)
      if (typeof ids === 'object') ids.delete(id)
      if (ids === id || (typeof ids === 'object' && ids.size === 0)) this.#ofScope.delete(scope)
    }
  }

  #evictTo(targetBytes: number): void {
    const nowMs = this.#clock.nowMs()
    for (const [id, entry] of this.#entries) {
      if (this.#bytes <= targetBytes) return
      const isExpired = entry.expiresAtMs <= nowMs
      if (entry.used && !isExpired) {
        entry.used = false
        this.#entries.delete(id)
        this.#entries.set(id, entry)
        continue
      }
      this.#remove(id, entry)
      if (!isExpired) this.#evictions++
    }
  }
}

/** The lengths keep scopes and name apart, whatever they hold. */
function idOf({ scopes, name }: CacheKey): string {
  let id = ''
  for (const scope of scopes) id += `${scope.length}:${scope}`
  return id + name
}

const DONE: Promise<void> = Promise.resolve()
