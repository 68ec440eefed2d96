import { setImmediate as turn } from 'node:timers/promises'
import type { Device } from '../../model/device.ts'
import type { Key } from '../../model/key.ts'
import type { Product } from '../../model/product.ts'
import type { Catalog, CatalogChanges, KeyEnd, Removal, SeenDevice } from '../../ports/catalog.ts'
import { WeirError } from '../../ports/errors.ts'
import { deviceOf, deviceParameters, removalOf } from '../rows.ts'
import { Connection } from './connection.ts'
import { takeVersions, versionOf } from './feed.ts'
import { SqliteKeys } from './sqlite-keys.ts'
import { SqliteProducts } from './sqlite-products.ts'

const ROWS_A_READ = 1000
const VERSIONS_A_READ = 5000
const DURABLE = { isDurable: true }

/**
 * @param path The file; its folder exists, on a local disk.
 * @throws WeirError `config` for a file that is no catalog or from a newer Weir, `retryable` when
 *   another process keeps it locked.
 */
export async function openSqliteCatalog({ path }: { readonly path: string }): Promise<Catalog> {
  return new SqliteCatalog(await Connection.open(path, 'devices, products and keys'))
}

/**
 * The catalog in one SQLite file, by plain statements prepared once: every method is synchronous
 * inside, so no two can mix. (Kysely took 330 ms to load and three times as long to save a fleet.)
 *
 * Devices and products are on disk when their promise resolves. `touchDevices` waits for no disk:
 * a power cut may take the newest of it, and the next message brings it back.
 */
class SqliteCatalog implements Catalog {
  readonly capabilities = { isShared: false }
  readonly #connection: Connection
  readonly #products: SqliteProducts
  readonly #keys: SqliteKeys

  constructor(connection: Connection) {
    this.#connection = connection
    this.#products = new SqliteProducts(connection)
    this.#keys = new SqliteKeys(connection)
  }

  async *devices(): AsyncIterable<readonly Device[]> {
    let after = { tenant: '', id: '' }
    for (;;) {
      const rows = this.#connection.all(NEXT_DEVICES, after.tenant, after.id, ROWS_A_READ)
      if (rows.length === 0) return
      const devices = rows.map(deviceOf)
      yield devices
      after = devices[devices.length - 1]
      await turn()
    }
  }

  addDevices(devices: readonly Device[], since = Number.MAX_SAFE_INTEGER): Promise<void> {
    return this.#connection.transactAll(devices, DURABLE, some => {
      let version = takeVersions(this.#connection, 'registry', some.length)
      for (const device of some) {
        this.#connection.run(ADD_DEVICE, ...deviceParameters(device), version++, since)
      }
    })
  }

  async createDevice(device: Device): Promise<void> {
    if (this.#write(CREATE_DEVICE, device) > 0) return
    throw new WeirError('conflict', `device ${JSON.stringify(device.id)} exists already`)
  }

  async saveDevice(device: Device, since = Number.MAX_SAFE_INTEGER): Promise<void> {
    if (this.#write(SAVE_DEVICE, device, since) > 0) return
    throw new WeirError('conflict', `device ${JSON.stringify(device.id)} was changed meanwhile`)
  }

  touchDevices(seen: readonly SeenDevice[]): Promise<void> {
    return this.#connection.save(
      TOUCH_DEVICE,
      seen.map(({ tenant, id, lastSeenMs }) => [tenant, id, lastSeenMs]),
    )
  }

  async deleteDevice(tenant: string, id: string, removedAtMs: number): Promise<boolean> {
    return this.#connection.transact(DURABLE, () => {
      const version = takeVersions(this.#connection, 'registry', 1)
      this.#connection.run(SAVE_REMOVAL, tenant, id, removedAtMs, version)
      return this.#connection.run(DELETE_DEVICE, tenant, id) > 0
    })
  }

  async removals(): Promise<Removal[]> {
    return this.#connection.all(REMOVALS).map(removalOf)
  }

  async forgetRemovals(beforeMs: number): Promise<void> {
    this.#connection.run(FORGET_REMOVALS, beforeMs)
  }

  products(): Promise<Product[]> {
    return this.#products.products()
  }

  createProduct(product: Product): Promise<void> {
    return this.#products.createProduct(product)
  }

  replaceProduct(product: Product, since?: number): Promise<void> {
    return this.#products.replaceProduct(product, since)
  }

  deleteProduct(tenant: string, id: string): Promise<boolean> {
    return this.#products.deleteProduct(tenant, id)
  }

  async version(): Promise<number> {
    return versionOf(this.#connection, 'registry')
  }

  async changesSince(version: number): Promise<CatalogChanges> {
    const until = Math.min(versionOf(this.#connection, 'registry'), version + VERSIONS_A_READ)
    if (until <= version) {
      return { version, devices: [], removals: [], products: [], removedProducts: [] }
    }
    return {
      version: until,
      devices: this.#connection.all(CHANGED_DEVICES, version, until).map(deviceOf),
      removals: this.#connection.all(NEW_REMOVALS, version, until).map(removalOf),
      ...this.#products.changedBetween(version, until),
    }
  }

  keysSince(version: number): Promise<{ version: number; keys: Key[] }> {
    return this.#keys.keysSince(version)
  }

  createKey(key: Key): Promise<void> {
    return this.#keys.createKey(key)
  }

  endKey(tenant: string, id: string, end: KeyEnd): Promise<Key | undefined> {
    return this.#keys.endKey(tenant, id, end)
  }

  touchKeys(used: readonly { id: string; lastUsedMs: number }[]): Promise<void> {
    return this.#keys.touchKeys(used)
  }

  forgetKeys(endedBeforeMs: number): Promise<void> {
    return this.#keys.forgetKeys(endedBeforeMs)
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  #write(sql: string, device: Device, ...more: number[]): number {
    return this.#connection.transact(DURABLE, () => {
      const version = takeVersions(this.#connection, 'registry', 1)
      return this.#connection.run(sql, ...deviceParameters(device), version, ...more)
    })
  }
}

const NEXT_DEVICES = `SELECT * FROM device WHERE (tenant, id) > (?, ?) ORDER BY tenant, id LIMIT ?`
const COLUMNS = `tenant, id, uuid, name, type, product, site, attributes, expected_interval_ms,
  created_at_ms, last_seen_ms, version`
const INSERT_DEVICE = `INSERT INTO device (${COLUMNS})
  SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12`
const UNLESS_REMOVED = `WHERE NOT EXISTS
  (SELECT 1 FROM removal WHERE tenant = ?1 AND id = ?2 AND version > ?13)`
const ADD_DEVICE = `${INSERT_DEVICE} ${UNLESS_REMOVED}
  ON CONFLICT DO UPDATE SET last_seen_ms = excluded.last_seen_ms
    WHERE last_seen_ms IS NULL OR last_seen_ms < excluded.last_seen_ms`
const CREATE_DEVICE = `${INSERT_DEVICE} WHERE TRUE ON CONFLICT DO NOTHING`
const SAVE_DEVICE = `${INSERT_DEVICE} ${UNLESS_REMOVED}
  ON CONFLICT DO UPDATE SET uuid = ?3, name = ?4, type = ?5, product = ?6, site = ?7,
    attributes = ?8, expected_interval_ms = ?9, created_at_ms = ?10, version = ?12,
    last_seen_ms = MAX(COALESCE(last_seen_ms, ?11), COALESCE(?11, last_seen_ms))
    WHERE version <= ?13`
const TOUCH_DEVICE = `UPDATE device SET last_seen_ms = ?3
  WHERE tenant = ?1 AND id = ?2 AND (last_seen_ms IS NULL OR last_seen_ms < ?3)`
const DELETE_DEVICE = `DELETE FROM device WHERE tenant = ? AND id = ?`
const CHANGED_DEVICES = `SELECT * FROM device WHERE version > ? AND version <= ?`
const SAVE_REMOVAL = `INSERT OR REPLACE INTO removal (tenant, id, removed_at_ms, version)
  VALUES (?, ?, ?, ?)`
const REMOVALS = `SELECT * FROM removal AS r WHERE NOT EXISTS
  (SELECT 1 FROM device AS d WHERE d.tenant = r.tenant AND d.id = r.id) ORDER BY tenant, id`
const NEW_REMOVALS = `SELECT * FROM removal WHERE version > ? AND version <= ?`
const FORGET_REMOVALS = `DELETE FROM removal WHERE removed_at_ms < ?`
