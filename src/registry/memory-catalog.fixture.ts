import type { Device } from '../model/device.ts'
import type { Key } from '../model/key.ts'
import type { Product } from '../model/product.ts'
import type { Catalog, Removal } from '../ports/catalog.ts'
import { WeirError } from '../ports/errors.ts'

/** A catalog in memory, for the registry's tests: it outlives registries, waits and fails on demand. */
export class MemoryCatalog implements Catalog {
  readonly stored = new Map<string, Device>()
  readonly #products = new Map<string, Product>()
  readonly noted = new Map<string, Removal>()
  /** While set, every write is refused. */
  failing = false
  /** While set, every write waits for it first. */
  gate: Promise<void> | undefined
  writes = 0

  async *devices(): AsyncIterable<readonly Device[]> {
    const all = [...this.stored.values()]
    for (let at = 0; at < all.length; at += 7) yield all.slice(at, at + 7)
  }

  async saveDevices(devices: readonly Device[]): Promise<void> {
    await this.#write()
    for (const device of devices) this.stored.set(key(device.tenant, device.id), { ...device })
  }

  async touchDevices(
    seen: readonly { tenant: string; id: string; lastSeenMs: number }[],
  ): Promise<void> {
    await this.#write()
    for (const { tenant, id, lastSeenMs } of seen) {
      const device = this.stored.get(key(tenant, id))
      if (device === undefined || (device.lastSeenMs ?? -1) >= lastSeenMs) continue
      this.stored.set(key(tenant, id), { ...device, lastSeenMs })
    }
  }

  async deleteDevice(tenant: string, id: string, removedAtMs: number): Promise<boolean> {
    await this.#write()
    this.noted.set(key(tenant, id), { tenant, id, removedAtMs })
    return this.stored.delete(key(tenant, id))
  }

  removals(): Promise<Removal[]> {
    const removals = [...this.noted].filter(([at]) => !this.stored.has(at))
    return Promise.resolve(removals.map(([, removal]) => removal))
  }

  async forgetRemovals(beforeMs: number): Promise<void> {
    await this.#write()
    for (const [at, { removedAtMs }] of this.noted) {
      if (removedAtMs < beforeMs) this.noted.delete(at)
    }
  }

  products(): Promise<Product[]> {
    return Promise.resolve([...this.#products.values()])
  }

  async createProduct(product: Product): Promise<void> {
    await this.#write()
    const at = key(product.tenant, product.id)
    if (this.#products.has(at)) throw new WeirError('conflict', 'product exists already')
    this.#products.set(at, product)
  }

  keysSince(version: number): Promise<{ version: number; keys: Key[] }> {
    return Promise.resolve({ version, keys: [] })
  }

  createKey(): Promise<void> {
    return Promise.reject(new WeirError('closed', 'no keys here'))
  }

  endKey(): Promise<Key | undefined> {
    return Promise.resolve(undefined)
  }

  touchKeys(): Promise<void> {
    return Promise.resolve()
  }

  forgetKeys(): Promise<void> {
    return Promise.resolve()
  }

  async replaceProduct(product: Product): Promise<void> {
    await this.#write()
    const at = key(product.tenant, product.id)
    if (!this.#products.has(at)) throw new WeirError('not_found', 'there is no such product')
    this.#products.set(at, product)
  }

  async deleteProduct(tenant: string, id: string): Promise<boolean> {
    await this.#write()
    return this.#products.delete(key(tenant, id))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #write(): Promise<void> {
    this.writes++
    await this.gate
    if (this.failing) throw new WeirError('retryable', 'the catalog fails on demand')
  }
}

function key(tenant: string, id: string): string {
  return `${tenant}/${id}`
}
