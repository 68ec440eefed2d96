import type { Device, Product } from '../model/device.ts'

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
  deleteDevice(tenant: string, id: string): Promise<boolean>

  products(tenant: string): Promise<Product[]>
  product(tenant: string, id: string): Promise<Product | undefined>
  /** @throws WeirError `conflict` when (tenant, id) exists. */
  createProduct(product: Product): Promise<void>

  close(): Promise<void>
}
