import type { Device } from '../../model/device.ts'
import type { Key } from '../../model/key.ts'
import type { Product } from '../../model/product.ts'
import type { PostgresOptions } from '../../postgres/postgres-pool.ts'
import type {
  Catalog,
  CatalogChanges,
  ContactFeed,
  KeyEnd,
  Removal,
  SeenDevice,
} from '../../ports/catalog.ts'
import { WeirError } from '../../ports/errors.ts'
import { deviceOf, deviceParameters, removalOf } from '../rows.ts'
import { CatalogDatabase, columnsOf, type Transaction } from './catalog-database.ts'
import { PostgresContacts } from './postgres-contacts.ts'
import { PostgresKeys } from './postgres-keys.ts'
import { PostgresProducts } from './postgres-products.ts'

/** Its callers take turns, mostly. */
const CONNECTIONS = 4
const ROWS_A_READ = 1000
const VERSIONS_A_READ = 2000
const ONE = { stream: 'registry', count: 1 } as const

/**
 * @throws WeirError `config` for an address that cannot be right or tables of a newer Weir,
 *   `retryable` when the server is away.
 */
export async function openPostgresCatalog(options: PostgresOptions): Promise<Catalog> {
  return new PostgresCatalog(await CatalogDatabase.open(options, CONNECTIONS))
}

/** The catalog in PostgreSQL, for as many processes as like (`CatalogDatabase`). */
class PostgresCatalog implements Catalog {
  readonly capabilities = { isShared: true }
  readonly contacts: ContactFeed
  readonly #database: CatalogDatabase
  readonly #products: PostgresProducts
  readonly #keys: PostgresKeys

  constructor(database: CatalogDatabase) {
    this.#database = database
    this.#products = new PostgresProducts(database)
    this.#keys = new PostgresKeys(database)
    this.contacts = new PostgresContacts(database)
  }

  async *devices(): AsyncIterable<readonly Device[]> {
    let after = { tenant: '', id: '' }
    for (;;) {
      const rows = await this.#database.rows(NEXT_DEVICES, after.tenant, after.id, ROWS_A_READ)
      if (rows.length === 0) return
      const devices = rows.map(deviceOf)
      yield devices
      after = devices[devices.length - 1]
    }
  }

  addDevices(devices: readonly Device[], since = Number.MAX_SAFE_INTEGER): Promise<void> {
    return this.#database.writeAll(newestOfEach(devices), some =>
      this.#database.change({ stream: 'registry', count: some.length }, (transaction, first) =>
        transaction.run(ADD_DEVICES, ...columnsOf(some, deviceParameters), first, since),
      ),
    )
  }

  async createDevice(device: Device): Promise<void> {
    const created = await this.#database.change(ONE, (transaction, version) =>
      transaction.run(CREATE_DEVICE, ...deviceParameters(device), version),
    )
    if (created > 0) return
    throw new WeirError('conflict', `device ${JSON.stringify(device.id)} exists already`)
  }

  async saveDevice(device: Device, since = Number.MAX_SAFE_INTEGER): Promise<void> {
    const saved = await this.#database.change(ONE, (transaction, version) =>
      transaction.run(SAVE_DEVICE, ...deviceParameters(device), version, since),
    )
    if (saved > 0) return
    throw new WeirError('conflict', `device ${JSON.stringify(device.id)} was changed meanwhile`)
  }

  touchDevices(seen: readonly SeenDevice[]): Promise<void> {
    return this.#database.writeAll(newestOfEach(seen), some => {
      const columns = columnsOf(some, ({ tenant, id, lastSeenMs }) => [tenant, id, lastSeenMs])
      return this.#database.transact(async transaction => {
        // In turns with the changes, so that nobody waits for somebody who waits for him.
        await transaction.rows(TAKE_TURN)
        await transaction.run(TOUCH_DEVICES, ...columns)
      })
    })
  }

  deleteDevice(tenant: string, id: string, removedAtMs: number): Promise<boolean> {
    return this.#database.change(ONE, async (transaction, version) => {
      await transaction.run(SAVE_REMOVAL, tenant, id, removedAtMs, version)
      return (await transaction.run(DELETE_DEVICE, tenant, id)) > 0
    })
  }

  async removals(): Promise<Removal[]> {
    return (await this.#database.rows(REMOVALS)).map(removalOf)
  }

  async forgetRemovals(beforeMs: number): Promise<void> {
    await this.#database.transact(async (transaction: Transaction) => {
      await transaction.rows(TAKE_TURN)
      await transaction.run(FORGET_REMOVALS, beforeMs)
    })
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

  version(): Promise<number> {
    return this.#database.version('registry')
  }

  async changesSince(version: number): Promise<CatalogChanges> {
    const newest = await this.#database.version('registry')
    if (newest <= version) {
      return { version, devices: [], removals: [], products: [], removedProducts: [] }
    }
    // Read one after the other: what changes in between has a later version, and comes again.
    const until = Math.min(newest, version + VERSIONS_A_READ)
    const removals = await this.#database.rows(NEW_REMOVALS, version, until)
    const devices = await this.#database.rows(CHANGED_DEVICES, version, until)
    return {
      version: until,
      devices: devices.map(deviceOf),
      removals: removals.map(removalOf),
      ...(await this.#products.changedBetween(version, until)),
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
    return this.#database.close()
  }
}

/** One statement cannot write a row twice. */
function newestOfEach<T extends { tenant: string; id: string; lastSeenMs: number | undefined }>(
  all: readonly T[],
): T[] {
  const newest = new Map<string, T>()
  for (const each of all) {
    const name = `${each.tenant}\0${each.id}`
    const { lastSeenMs = -Infinity } = newest.get(name) ?? {}
    if (!newest.has(name) || (each.lastSeenMs ?? -Infinity) > lastSeenMs) newest.set(name, each)
  }
  return [...newest.values()]
}

/** For what waits for no disk: a crash of the server may take the newest of it. */
const TAKE_TURN = `SELECT set_config('synchronous_commit', 'off', true)
  FROM feed WHERE stream = 'registry' FOR UPDATE`
const NEXT_DEVICES = `SELECT * FROM device WHERE (tenant, id) > ($1, $2)
  ORDER BY tenant, id LIMIT $3`
const COLUMNS = `tenant, id, uuid, name, type, product, site, attributes, expected_interval_ms,
  created_at_ms, last_seen_ms`
const ADD_DEVICES = `INSERT INTO device (${COLUMNS}, version)
  SELECT ${COLUMNS}, $12::bigint + place - 1
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::float8[], $10::float8[], $11::float8[]) WITH ORDINALITY AS met (${COLUMNS}, place)
  WHERE NOT EXISTS (SELECT 1 FROM removal
    WHERE removal.tenant = met.tenant AND removal.id = met.id AND removal.version > $13)
  ON CONFLICT (tenant, id) DO UPDATE SET last_seen_ms = excluded.last_seen_ms
    WHERE device.last_seen_ms IS NULL OR device.last_seen_ms < excluded.last_seen_ms`
const CREATE_DEVICE = `INSERT INTO device (${COLUMNS}, version)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`
const SAVE_DEVICE = `INSERT INTO device (${COLUMNS}, version)
  SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::float8,
    $10::float8, $11::float8, $12::bigint
  WHERE NOT EXISTS (SELECT 1 FROM removal WHERE tenant = $1 AND id = $2 AND version > $13)
  ON CONFLICT (tenant, id) DO UPDATE SET uuid = $3, name = $4, type = $5, product = $6, site = $7,
    attributes = $8, expected_interval_ms = $9, created_at_ms = $10, version = $12,
    last_seen_ms = greatest(device.last_seen_ms, excluded.last_seen_ms)
    WHERE device.version <= $13`
const TOUCH_DEVICES = `UPDATE device SET last_seen_ms = seen.at_ms
  FROM unnest($1::text[], $2::text[], $3::float8[]) AS seen (tenant, id, at_ms)
  WHERE device.tenant = seen.tenant AND device.id = seen.id
    AND (device.last_seen_ms IS NULL OR device.last_seen_ms < seen.at_ms)`
const DELETE_DEVICE = `DELETE FROM device WHERE tenant = $1 AND id = $2`
const CHANGED_DEVICES = `SELECT * FROM device WHERE version > $1 AND version <= $2`
const SAVE_REMOVAL = `INSERT INTO removal (tenant, id, removed_at_ms, version)
  VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, id)
  DO UPDATE SET removed_at_ms = excluded.removed_at_ms, version = excluded.version`
const REMOVALS = `SELECT * FROM removal AS r WHERE NOT EXISTS
  (SELECT 1 FROM device AS d WHERE d.tenant = r.tenant AND d.id = r.id) ORDER BY tenant, id`
const NEW_REMOVALS = `SELECT * FROM removal WHERE version > $1 AND version <= $2`
const FORGET_REMOVALS = `DELETE FROM removal WHERE removed_at_ms < $1`
