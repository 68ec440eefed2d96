import type { Cache } from '../../ports/cache.ts'
import type { Clock } from '../../ports/clock.ts'

export interface MemoryCacheOptions {
  /** Bound on keys, values and bookkeeping together. */
  readonly maxBytes: number
  readonly clock: Clock
}

interface Entry {
  readonly value: Uint8Array
  readonly expiresAtMs: number
  readonly bytes: number
  /** Read since it last came up for eviction. */
  used: boolean
}

/** What V8 needs beside key and value: entry, place in the map, typed array and its buffer. */
const ENTRY_OVERHEAD_BYTES = 320

/**
 * Least recently used first out, by second chance over the order of a `Map`: a read only marks
 * its entry, and an entry that is marked when its turn comes goes back to the end instead. (To
 * move it at each read costs 2 µs in a large map; the mark costs nothing.) Written here rather
 * than taken from `lru-cache`: the port's clock, copies and prefixes would wrap most of that.
 *
 * Expired entries leave when they are asked for or when the bound needs their room, so there is
 * no timer. `invalidate` looks at every key (about 40 ns each): it is for writes by people; what
 * changes with every point is kept fresh by a short time to live, or a version in its key.
 */
export function memoryCache({ maxBytes, clock }: MemoryCacheOptions): Cache {
  const entries = new Map<string, Entry>()
  let bytes = 0
  let evictions = 0

  const remove = (key: string): void => {
    const entry = entries.get(key)
    if (entry === undefined) return
    entries.delete(key)
    bytes -= entry.bytes
  }
  const evictTo = (targetBytes: number): void => {
    const nowMs = clock.nowMs()
    for (const [key, entry] of entries) {
      if (bytes <= targetBytes) return
      const expired = entry.expiresAtMs <= nowMs
      entries.delete(key)
      if (entry.used && !expired) {
        entry.used = false
        entries.set(key, entry)
        continue
      }
      bytes -= entry.bytes
      if (!expired) evictions++
    }
  }
  return {
    get(key) {
      const entry = entries.get(key)
      if (entry === undefined) return MISS
      if (entry.expiresAtMs <= clock.nowMs()) {
        remove(key)
        return MISS
      }
      entry.used = true
      return Promise.resolve(entry.value)
    },
    set(key, value, ttlMs) {
      remove(key)
      const size = ENTRY_OVERHEAD_BYTES + 2 * key.length + value.byteLength
      if (size > maxBytes || !(ttlMs > 0)) return DONE
      evictTo(maxBytes - size)
      // A copy: the caller's bytes may change later, or be a small view that holds a large buffer.
      const copy = new Uint8Array(value)
      const expiresAtMs = clock.nowMs() + ttlMs
      entries.set(key, { value: copy, expiresAtMs, bytes: size, used: false })
      bytes += size
      return DONE
    },
    invalidate(prefix) {
      for (const key of entries.keys()) if (key.startsWith(prefix)) remove(key)
      return DONE
    },
    stats: () => ({ entries: entries.size, bytes, evictions }),
    close() {
      entries.clear()
      bytes = 0
      return DONE
    },
  }
}

const MISS: Promise<undefined> = Promise.resolve(undefined)
const DONE: Promise<void> = Promise.resolve()
