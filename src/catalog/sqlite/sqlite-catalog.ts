import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import type { Device } from '../../model/device.ts'
import type { Key } from '../../model/key.ts'
import type { Product } from '../../model/product.ts'
import type { Catalog, KeyEnd, Removal } from '../../ports/catalog.ts'
import { WeirError } from '../../ports/errors.ts'
import { openDatabase, transaction } from './database.ts'
import {
  deviceOf,
  deviceParameters,
  keyOf,
  keyParameters,
  productOf,
  productParameters,
  removalOf,
} from './rows.ts'
import { isSqliteError, sqliteError } from './sqlite-error.ts'

/**
 * Rows a transaction. node:sqlite works on the calling thread, the doors', and a transaction
 * cannot stay open across turns of the event loop (whatever else runs meanwhile would be in it).
 * So a fleet is written in transactions of this many rows, 1 to 3 ms each, with a turn between.
 */
const ROWS_A_TRANSACTION = 250
const ROWS_A_READ = 1000

/**
 * @param path The file; its folder exists, on a local disk.
 * @throws WeirError `config` for a file that is no catalog or from a newer Weir, `retryable` when
 *   another process keeps it locked.
 */
export async function openSqliteCatalog({ path }: { readonly path: string }): Promise<Catalog> {
  return new SqliteCatalog(await openDatabase(path))
}

/**
 * The catalog in one SQLite file, by plain statements prepared once: every method is synchronous
 * inside, so no two can mix. (Kysely took 330 ms to load and three times as long to save a fleet.)
 *
 * Devices and products are on disk when their promise resolves. `touchDevices` waits for no disk:
 * a power cut may take the newest of it, and the next message brings it back.
 */
class SqliteCatalog implements Catalog {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  /** Calls that take several turns of the event loop, which `close` waits for. */
  readonly #running = new Set<Promise<unknown>>()
  #closed: WeirError | undefined

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  async *devices(): AsyncIterable<readonly Device[]> {
    let after = { tenant: '', id: '' }
    for (;;) {
      const rows = this.#attempt('read devices', () =>
        this.#statement(NEXT_DEVICES).all(after.tenant, after.id, ROWS_A_READ),
      )
      if (rows.length === 0) return
      const devices = rows.map(deviceOf)
      yield devices
      after = devices[devices.length - 1]
      await turn()
    }
  }

  saveDevices(devices: readonly Device[]): Promise<void> {
    return this.#tracked(this.#write('save devices', devices, SAVE_DEVICES))
  }

  touchDevices(seen: readonly SeenDevice[]): Promise<void> {
    return this.#tracked(this.#write('touch devices', seen, TOUCH_DEVICES))
  }

  async deleteDevice(tenant: string, id: string, removedAtMs: number): Promise<boolean> {
    return this.#attempt('delete a device', () => {
      let existed = false
      transaction(this.#db, true, () => {
        existed = this.#statement(DELETE_DEVICE).run(tenant, id).changes > 0
        this.#statement(SAVE_REMOVAL).run(tenant, id, removedAtMs)
      })
      return existed
    })
  }

  async removals(): Promise<Removal[]> {
    return this.#attempt('read removals', () => this.#statement(REMOVALS).all()).map(removalOf)
  }

  async forgetRemovals(beforeMs: number): Promise<void> {
    this.#attempt('forget removals', () => this.#statement(FORGET_REMOVALS).run(beforeMs))
  }

  async products(): Promise<Product[]> {
    return this.#attempt('read products', () => this.#statement(PRODUCTS).all()).map(productOf)
  }

  async createProduct(product: Product): Promise<void> {
    const { changes } = this.#attempt('create a product', () =>
      this.#statement(CREATE_PRODUCT).run(...productParameters(product)),
    )
    if (changes === 0) {
      throw new WeirError('conflict', `product ${JSON.stringify(product.id)} exists already`)
    }
  }

  async replaceProduct(product: Product): Promise<void> {
    const { changes } = this.#attempt('replace a product', () =>
      this.#statement(REPLACE_PRODUCT).run(...productParameters(product)),
    )
    if (changes === 0) {
      throw new WeirError('not_found', `there is no product ${JSON.stringify(product.id)}`)
    }
  }

  async deleteProduct(tenant: string, id: string): Promise<boolean> {
    return this.#attempt('delete a product', () => {
      return this.#statement(DELETE_PRODUCT).run(tenant, id).changes > 0
    })
  }

  async keysSince(version: number): Promise<{ version: number; keys: Key[] }> {
    return this.#attempt('read keys', () => {
      const newest = Number(this.#statement(KEYS_VERSION).get()?.version ?? 0)
      if (newest <= version) return { version, keys: [] }
      // Changes by others between the two reads come again with the next call.
      return { version: newest, keys: this.#statement(KEYS_SINCE).all(version).map(keyOf) }
    })
  }

  async createKey(key: Key): Promise<void> {
    const { changes } = this.#attempt('create a key', () =>
      this.#statement(CREATE_KEY).run(...keyParameters(key)),
    )
    if (changes === 0) throw new WeirError('conflict', `there is a key ${key.id} already`)
  }

  async endKey(tenant: string, id: string, { how, atMs }: KeyEnd): Promise<Key | undefined> {
    return this.#attempt('end a key', () => {
      this.#statement(how === 'revoke' ? REVOKE_KEY : EXPIRE_KEY).run(tenant, id, atMs)
      const row = this.#statement(KEY).get(tenant, id)
      return row === undefined ? undefined : keyOf(row)
    })
  }

  touchKeys(used: readonly UsedKey[]): Promise<void> {
    return this.#tracked(this.#write('touch keys', used, TOUCH_KEYS))
  }

  async forgetKeys(endedBeforeMs: number): Promise<void> {
    this.#attempt('forget keys', () => this.#statement(FORGET_KEYS).run(endedBeforeMs))
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#running)
    this.#closed ??= new WeirError('closed', 'the catalog is closed')
    if (this.#db.isOpen) this.#db.close()
  }

  /** Every use of the database goes through here: its errors become the port's. */
  #attempt<T>(doing: string, work: () => T): T {
    if (this.#closed !== undefined) throw this.#closed
    try {
      return work()
    } catch (cause) {
      if (!isSqliteError(cause)) throw cause
      const error = sqliteError(cause, doing)
      // A failed fsync may have dropped what it did not write: nothing here can be trusted again.
      if (error.kind === 'closed') this.#closed = error
      throw error
    }
  }

  async #write<T>(doing: string, rows: readonly T[], each: RowWriter<T>): Promise<void> {
    for (let at = 0; at < rows.length; at += ROWS_A_TRANSACTION) {
      if (at > 0) await turn()
      this.#attempt(doing, () =>
        transaction(this.#db, each.durable, () => {
          const prepared = this.#statement(each.sql)
          const end = Math.min(at + ROWS_A_TRANSACTION, rows.length)
          for (let i = at; i < end; i++) prepared.run(...each.parameters(rows[i]))
        }),
      )
    }
  }

  #tracked<T>(call: Promise<T>): Promise<T> {
    this.#running.add(call)
    const forget = (): void => void this.#running.delete(call)
    call.then(forget, forget)
    return call
  }

  #statement(sql: string): StatementSync {
    let prepared = this.#statements.get(sql)
    if (prepared === undefined) {
      prepared = this.#db.prepare(sql)
      this.#statements.set(sql, prepared)
    }
    return prepared
  }
}

interface SeenDevice {
  readonly tenant: string
  readonly id: string
  readonly lastSeenMs: number
}

interface UsedKey {
  readonly id: string
  readonly lastUsedMs: number
}

interface RowWriter<T> {
  readonly sql: string
  readonly durable: boolean
  readonly parameters: (row: T) => (string | number | null)[]
}

const NEXT_DEVICES = `SELECT * FROM device WHERE (tenant, id) > (?, ?) ORDER BY tenant, id LIMIT ?`
const DELETE_DEVICE = `DELETE FROM device WHERE tenant = ? AND id = ?`
const SAVE_REMOVAL = `INSERT OR REPLACE INTO removal (tenant, id, removed_at_ms) VALUES (?, ?, ?)`
const REMOVALS = `SELECT * FROM removal AS r WHERE NOT EXISTS
  (SELECT 1 FROM device AS d WHERE d.tenant = r.tenant AND d.id = r.id) ORDER BY tenant, id`
const FORGET_REMOVALS = `DELETE FROM removal WHERE removed_at_ms < ?`
const PRODUCTS = `SELECT * FROM product ORDER BY tenant, id`
const CREATE_PRODUCT = `INSERT INTO product
  (tenant, id, name, price, attributes, expected_interval_ms, created_at_ms, metrics, on_violation)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
const REPLACE_PRODUCT = `UPDATE product SET name = ?3, price = ?4, attributes = ?5,
  expected_interval_ms = ?6, created_at_ms = ?7, metrics = ?8, on_violation = ?9
  WHERE tenant = ?1 AND id = ?2`
const DELETE_PRODUCT = `DELETE FROM product WHERE tenant = ? AND id = ?`

// One statement each, so that of two processes no two changes get the same version.
const NEXT_KEY_VERSION = `(SELECT COALESCE(MAX(version), 0) + 1 FROM key)`
const KEYS_VERSION = `SELECT MAX(version) AS version FROM key`
const KEYS_SINCE = `SELECT * FROM key WHERE version > ? ORDER BY version`
const KEY = `SELECT * FROM key WHERE tenant = ? AND id = ?`
const CREATE_KEY = `INSERT INTO key
  (id, tenant, hash, name, scopes, device, limits, created_at_ms, expires_at_ms, revoked_at_ms,
    last_used_ms, version)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${NEXT_KEY_VERSION}) ON CONFLICT DO NOTHING`
const REVOKE_KEY = `UPDATE key SET revoked_at_ms = ?3, version = ${NEXT_KEY_VERSION}
  WHERE tenant = ?1 AND id = ?2 AND revoked_at_ms IS NULL`
const EXPIRE_KEY = `UPDATE key SET expires_at_ms = ?3, version = ${NEXT_KEY_VERSION}
  WHERE tenant = ?1 AND id = ?2 AND (expires_at_ms IS NULL OR expires_at_ms > ?3)`
// The newest stays, whatever it is, because versions must not be given twice.
const FORGET_KEYS = `DELETE FROM key WHERE MIN(COALESCE(revoked_at_ms, expires_at_ms),
  COALESCE(expires_at_ms, revoked_at_ms)) < ? AND version < (SELECT MAX(version) FROM key)`

const TOUCH_KEYS: RowWriter<UsedKey> = {
  sql: `UPDATE key SET last_used_ms = ?2
    WHERE id = ?1 AND (last_used_ms IS NULL OR last_used_ms < ?2)`,
  durable: false,
  parameters: used => [used.id, used.lastUsedMs],
}

const SAVE_DEVICES: RowWriter<Device> = {
  sql: `INSERT OR REPLACE INTO device
    (tenant, id, uuid, name, type, product, site, attributes, expected_interval_ms, created_at_ms,
      last_seen_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  durable: true,
  parameters: deviceParameters,
}

const TOUCH_DEVICES: RowWriter<SeenDevice> = {
  sql: `UPDATE device SET last_seen_ms = ?3
    WHERE tenant = ?1 AND id = ?2 AND (last_seen_ms IS NULL OR last_seen_ms < ?3)`,
  durable: false,
  parameters: seen => [seen.tenant, seen.id, seen.lastSeenMs],
}
