import type { Key } from '../model/key.ts'
import type { Catalog } from '../ports/catalog.ts'
import { WeirError } from '../ports/errors.ts'

type KeyCatalog = Pick<
  Catalog,
  'capabilities' | 'keysSince' | 'createKey' | 'endKey' | 'touchKeys' | 'forgetKeys'
>

/** The keys of a catalog in memory, for tests: it outlives rings, like a file, and fails on demand. */
export class MemoryKeys implements KeyCatalog {
  readonly #keys = new Map<string, { key: Key; version: number }>()
  #version = 0
  failing = false
  /** How often somebody asked for changes. */
  polls = 0
  readonly capabilities: { isShared: boolean }

  constructor({ isShared = false } = {}) {
    this.capabilities = { isShared }
  }

  keysSince(version: number): Promise<{ version: number; keys: Key[] }> {
    this.polls++
    return this.#turn(() => ({
      version: this.#version,
      keys: [...this.#keys.values()].filter(row => row.version > version).map(row => row.key),
    }))
  }

  createKey(key: Key): Promise<void> {
    return this.#turn(() => {
      if (this.#keys.has(key.id)) throw new WeirError('conflict', 'the key exists')
      this.#put(key)
    })
  }

  endKey: Catalog['endKey'] = (tenant, id, { how, atMs }) =>
    this.#turn(() => {
      const key = this.#keys.get(id)?.key
      if (key?.tenant !== tenant) return undefined
      const { revokedAtMs, expiresAtMs } = key
      if (how === 'revoke') this.#put({ ...key, revokedAtMs: revokedAtMs ?? atMs })
      else this.#put({ ...key, expiresAtMs: Math.min(expiresAtMs ?? Infinity, atMs) })
      return this.#keys.get(id)?.key
    })

  touchKeys: Catalog['touchKeys'] = used =>
    this.#turn(() => {
      for (const { id, lastUsedMs } of used) {
        const row = this.#keys.get(id)
        if (row !== undefined) row.key = { ...row.key, lastUsedMs }
      }
    })

  forgetKeys(): Promise<void> {
    return this.#turn(() => {})
  }

  #put(key: Key): void {
    this.#keys.set(key.id, { key, version: ++this.#version })
  }

  async #turn<T>(work: () => T): Promise<T> {
    await Promise.resolve()
    if (this.failing) throw new WeirError('retryable', 'the catalog fails on demand')
    return work()
  }
}
