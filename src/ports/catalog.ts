import type { Device } from '../model/device.ts'
import type { Key } from '../model/key.ts'
import type { Product } from '../model/product.ts'

/**
 * What people declare, and what is known of each device: small, relational, durable.
 *
 * Called from the doors' thread by the registry, which keeps devices in memory: the catalog is
 * read at start and written behind, in batches. All writes are upserts and safe to repeat.
 * Errors are `WeirError`s: `retryable` (the caller retries), `conflict`, `closed`.
 */
export interface Catalog {
  /** Every device of every tenant, in chunks, for start-up. */
  devices(): AsyncIterable<readonly Device[]>
  /**
   * Inserts or replaces, by (tenant, id), in transactions of bounded size, so that a fleet does not
   * hold up the caller's thread: on failure some may be saved, and all are to be saved again.
   */
  saveDevices(devices: readonly Device[]): Promise<void>
  /** Only advances `lastSeenMs` of devices that exist; cheap enough for whole fleets. */
  touchDevices(seen: readonly { tenant: string; id: string; lastSeenMs: number }[]): Promise<void>
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
   * @throws WeirError `not_found` when there is none.
   */
  replaceProduct(product: Product): Promise<void>
  deleteProduct(tenant: string, id: string): Promise<boolean>

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
