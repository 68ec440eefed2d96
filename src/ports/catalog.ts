import type { Device } from '../model/device.ts'
import type { Key } from '../model/key.ts'
import type { Product } from '../model/product.ts'

/** What a catalog can do, as data: compositions that cannot work are refused by it. */
export interface CatalogCapabilities {
  /**
   * Several processes declare and register in it, and follow each other by `changesSince`. Without
   * it there is one process that writes devices and products, and nobody asks for changes.
   */
  readonly isShared: boolean
}

/**
 * What people declare, and what is known of each device: small, relational, durable.
 *
 * Called from the doors' thread by the registry, which keeps devices in memory: the catalog is
 * read at start and written behind, in batches. All writes are safe to repeat.
 * Errors are `WeirError`s: `retryable` (the caller retries), `conflict`, `closed`.
 *
 * Every change of devices and products has a version, rising in the order of the commits. Writes
 * that take `since` are for several processes: they change nothing that another one has changed
 * after that version, which their caller had not seen. Without `since` the last write wins.
 */
export interface Catalog {
  readonly capabilities: CatalogCapabilities

  /** Every device of every tenant, in chunks, for start-up. */
  devices(): AsyncIterable<readonly Device[]>
  /**
   * First contacts: inserts those that are not there, unless they were removed after `since`. Of
   * those that are there only `lastSeenMs` advances. In transactions of bounded size, so that a fleet
   * does not hold up the caller's thread: on failure some may be saved, and all are to be saved again.
   */
  addDevices(devices: readonly Device[], since?: number): Promise<void>
  /** @throws WeirError `conflict` when (tenant, id) exists. */
  createDevice(device: Device): Promise<void>
  /**
   * Inserts or replaces by (tenant, id); `lastSeenMs` only advances.
   *
   * @throws WeirError `conflict` when it was changed or removed after `since`.
   */
  saveDevice(device: Device, since?: number): Promise<void>
  /** Only advances `lastSeenMs` of devices that exist; no change. Cheap enough for whole fleets. */
  touchDevices(seen: readonly SeenDevice[]): Promise<void>
  /**
   * Removes the device and notes its removal, in one transaction; of a device that is not there
   * only the removal, because it may not have been saved yet. Whether it was there.
   */
  deleteDevice(tenant: string, id: string, removedAtMs: number): Promise<boolean>
  /** The newest removal of each device that has not been saved since, for start-up. */
  removals(): Promise<Removal[]>
  /** Forgets removals from before that time; the caller bounds them. */
  forgetRemovals(beforeMs: number): Promise<void>

  /** The products of every tenant in order of (tenant, id), for start-up. */
  products(): Promise<Product[]>
  /** @throws WeirError `conflict` when (tenant, id) exists. */
  createProduct(product: Product): Promise<void>
  /**
   * Replaces by (tenant, id).
   *
   * @throws WeirError `not_found` when there is none, `conflict` when it was changed after `since`.
   */
  replaceProduct(product: Product, since?: number): Promise<void>
  deleteProduct(tenant: string, id: string): Promise<boolean>

  /** The version of the newest change. At start it is asked first: what is read then is as new. */
  version(): Promise<number>
  /**
   * What any process changed of devices and products after `version`: some thousands of changes at
   * most, so the next call may have more, until one returns the version that it was asked with.
   * Cheap when nothing has changed: it is asked every second.
   */
  changesSince(version: number): Promise<CatalogChanges>
  /** Who was heard of, from process to process: what only a catalog has that `isShared`. */
  readonly contacts?: ContactFeed | undefined

  /**
   * The keys of all tenants that were created or ended, by any process, since the catalog had
   * `version` (0: all of them), and the version that it has now. Cheap when nothing has changed:
   * it is asked every second or two. That a key was used is no change.
   */
  keysSince(version: number): Promise<{ readonly version: number; readonly keys: readonly Key[] }>
  /** @throws WeirError `conflict` when the id exists, in whichever tenant. */
  createKey(key: Key): Promise<void>
  /**
   * Ends a key of the tenant: `revoke` at `atMs`, `expire` from `atMs` on. An end only ever comes
   * nearer: a key stays revoked, and a later end than the one it has changes nothing. Returns the
   * key as it is then; undefined when the tenant has none of that id.
   */
  endKey(tenant: string, id: string, end: KeyEnd): Promise<Key | undefined>
  /** Only advances `lastUsedMs` of keys that exist. */
  touchKeys(used: readonly { readonly id: string; readonly lastUsedMs: number }[]): Promise<void>
  /** Drops keys that ended before that time. */
  forgetKeys(endedBeforeMs: number): Promise<void>

  close(): Promise<void>
}

export interface KeyEnd {
  readonly how: 'revoke' | 'expire'
  readonly atMs: number
}

export interface Removal {
  readonly tenant: string
  readonly id: string
  /** Points up to this time do not bring the device back at a start. */
  readonly removedAtMs: number
}

export interface SeenDevice {
  readonly tenant: string
  readonly id: string
  readonly lastSeenMs: number
}

/** Each device and product as it is now, once. */
export interface CatalogChanges {
  /** Of the last change that is in here. */
  readonly version: number
  readonly devices: readonly Device[]
  /** Of devices; one that is among `devices` too was registered after it. */
  readonly removals: readonly Removal[]
  readonly products: readonly Product[]
  /** Of products; one that is among `products` too was declared after it. */
  readonly removedProducts: readonly { readonly tenant: string; readonly id: string }[]
}

/**
 * Last contacts for the other processes, within a second or so, without a write for each device.
 * Kept for two minutes, and not durable: what is to last is told by `touchDevices`.
 */
export interface ContactFeed {
  tell(seen: readonly SeenDevice[]): Promise<void>
  /**
   * What other processes told after `version` (0: all that is kept), oldest first, and the version
   * to ask with next. The same device may be in it several times.
   */
  since(
    version: number,
  ): Promise<{ readonly version: number; readonly seen: readonly SeenDevice[] }>
}
