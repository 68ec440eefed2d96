import type { Device } from '../model/device.ts'
import type { Key } from '../model/key.ts'
import type { Product } from '../model/product.ts'
import type { Catalog, CatalogChanges, ContactFeed, Removal, SeenDevice } from '../ports/catalog.ts'
import { WeirError } from '../ports/errors.ts'

interface Versioned<T> {
  readonly version: number
  readonly value: T
}

/**
 * A catalog in memory, for the registry's tests: it outlives registries, several may share it, and
 * it waits and fails on demand.
 */
export class MemoryCatalog implements Catalog {
  readonly capabilities: { isShared: boolean }
  readonly contacts: ContactFeed | undefined
  readonly stored = new Map<string, Device>()
  readonly noted = new Map<string, Removal>()
  readonly #products = new Map<string, Versioned<Product>>()
  readonly #removedProducts = new Map<string, Versioned<{ tenant: string; id: string }>>()
  /** Of what is stored and noted, by key. */
  readonly #versions = new Map<string, number>()
  readonly #removalVersions = new Map<string, number>()
  readonly #told: SeenDevice[] = []
  #version = 0
  /** While set, every write is refused, and everything else that processes share. */
  failing = false
  /** While set, every write waits for it first. */
  gate: Promise<void> | undefined
  writes = 0
  /** How often somebody asked for changes. */
  polls = 0

  constructor({ isShared = false } = {}) {
    this.capabilities = { isShared }
    this.contacts = isShared ? this.#contacts() : undefined
  }

  async *devices(): AsyncIterable<readonly Device[]> {
    const all = [...this.stored.values()]
    for (let at = 0; at < all.length; at += 7) yield all.slice(at, at + 7)
  }

  async addDevices(devices: readonly Device[], since = Infinity): Promise<void> {
    await this.#write()
    for (const device of devices) {
      const at = key(device.tenant, device.id)
      const known = this.stored.get(at)
      if (known !== undefined) this.stored.set(at, heard(known, device.lastSeenMs))
      else if ((this.#removalVersions.get(at) ?? 0) <= since) this.#put(device)
    }
  }

  async createDevice(device: Device): Promise<void> {
    await this.#write()
    if (this.stored.has(key(device.tenant, device.id))) {
      throw new WeirError('conflict', 'device exists already')
    }
    this.#put(device)
  }

  async saveDevice(device: Device, since = Infinity): Promise<void> {
    await this.#write()
    const at = key(device.tenant, device.id)
    const known = this.stored.get(at)
    const versions = known === undefined ? this.#removalVersions : this.#versions
    if ((versions.get(at) ?? 0) > since) throw new WeirError('conflict', 'changed meanwhile')
    this.#put(heard(device, known?.lastSeenMs))
  }

  async touchDevices(seen: readonly SeenDevice[]): Promise<void> {
    await this.#write()
    for (const { tenant, id, lastSeenMs } of seen) {
      const device = this.stored.get(key(tenant, id))
      if (device !== undefined) this.stored.set(key(tenant, id), heard(device, lastSeenMs))
    }
  }

  async deleteDevice(tenant: string, id: string, removedAtMs: number): Promise<boolean> {
    await this.#write()
    const at = key(tenant, id)
    this.noted.set(at, { tenant, id, removedAtMs })
    this.#removalVersions.set(at, ++this.#version)
    return this.stored.delete(at)
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
    return Promise.resolve(Array.from(this.#products.values(), ({ value }) => value))
  }

  async createProduct(product: Product): Promise<void> {
    await this.#write()
    const at = key(product.tenant, product.id)
    if (this.#products.has(at)) throw new WeirError('conflict', 'product exists already')
    this.#products.set(at, { value: product, version: ++this.#version })
  }

  async replaceProduct(product: Product, since = Infinity): Promise<void> {
    await this.#write()
    const at = key(product.tenant, product.id)
    const known = this.#products.get(at)
    if (known === undefined) throw new WeirError('not_found', 'there is no such product')
    if (known.version > since) throw new WeirError('conflict', 'changed meanwhile')
    this.#products.set(at, { value: product, version: ++this.#version })
  }

  async deleteProduct(tenant: string, id: string): Promise<boolean> {
    await this.#write()
    const at = key(tenant, id)
    if (!this.#products.delete(at)) return false
    this.#removedProducts.set(at, { value: { tenant, id }, version: ++this.#version })
    return true
  }

  version(): Promise<number> {
    return Promise.resolve(this.#version)
  }

  /** In parts of three changes. */
  async changesSince(version: number): Promise<CatalogChanges> {
    this.polls++
    await this.#answer()
    const until = Math.min(this.#version, version + 3)
    const isNew = (changed = 0): boolean => changed > version && changed <= until
    const newOf = <T>(all: ReadonlyMap<string, Versioned<T>>): T[] =>
      [...all.values()].filter(each => isNew(each.version)).map(({ value }) => value)
    return {
      version: until,
      devices: [...this.stored].filter(([at]) => isNew(this.#versions.get(at))).map(byValue),
      removals: [...this.noted].filter(([at]) => isNew(this.#removalVersions.get(at))).map(byValue),
      products: newOf(this.#products),
      removedProducts: newOf(this.#removedProducts),
    }
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

  close(): Promise<void> {
    return Promise.resolve()
  }

  #contacts(): ContactFeed {
    const told = this.#told
    return {
      tell: async seen => {
        await this.#answer()
        told.push(...seen)
      },
      since: async version => {
        await this.#answer()
        return { version: told.length, seen: told.slice(version) }
      },
    }
  }

  #put(device: Device): void {
    const at = key(device.tenant, device.id)
    this.stored.set(at, { ...device })
    this.#versions.set(at, ++this.#version)
  }

  async #write(): Promise<void> {
    this.writes++
    await this.gate
    await this.#answer()
  }

  async #answer(): Promise<void> {
    await Promise.resolve()
    if (this.failing) throw new WeirError('retryable', 'the catalog fails on demand')
  }
}

function key(tenant: string, id: string): string {
  return `${tenant}/${id}`
}

const byValue = <T>([, value]: [string, T]): T => value

/** Contacts only advance. */
function heard(device: Device, lastSeenMs: number | undefined): Device {
  if (lastSeenMs === undefined || (device.lastSeenMs ?? -1) >= lastSeenMs) return device
  return { ...device, lastSeenMs }
}
