import type { Key } from '../../model/key.ts'
import type { Catalog, KeyEnd } from '../../ports/catalog.ts'
import { WeirError } from '../../ports/errors.ts'
import { keyOf, keyParameters } from '../rows.ts'
import { columnsOf, type CatalogDatabase } from './catalog-database.ts'

type KeyCatalog = Pick<Catalog, 'keysSince' | 'createKey' | 'endKey' | 'touchKeys' | 'forgetKeys'>

const ONE = { stream: 'keys', count: 1 } as const

/** The keys of the catalog. */
export class PostgresKeys implements KeyCatalog {
  readonly #database: CatalogDatabase

  constructor(database: CatalogDatabase) {
    this.#database = database
  }

  async keysSince(version: number): Promise<{ version: number; keys: Key[] }> {
    const rows = await this.#database.rows(SINCE, version)
    // Without new keys there is one row, of the version alone.
    const keys = rows.filter(({ id }) => id !== null).map(keyOf)
    return { version: rows[0].newest as number, keys }
  }

  async createKey(key: Key): Promise<void> {
    const created = await this.#database.change(ONE, (transaction, version) =>
      transaction.run(CREATE, ...keyParameters(key), version),
    )
    if (created === 0) throw new WeirError('conflict', `there is a key ${key.id} already`)
  }

  endKey(tenant: string, id: string, { how, atMs }: KeyEnd): Promise<Key | undefined> {
    return this.#database.change(ONE, async (transaction, version) => {
      await transaction.run(how === 'revoke' ? REVOKE : EXPIRE, tenant, id, atMs, version)
      const [row] = await transaction.rows(KEY, tenant, id)
      return row === undefined ? undefined : keyOf(row)
    })
  }

  touchKeys(used: readonly { id: string; lastUsedMs: number }[]): Promise<void> {
    return this.#database.writeAll(used, some => {
      const columns = columnsOf(some, ({ id, lastUsedMs }) => [id, lastUsedMs])
      return this.#database.transact(async transaction => {
        await transaction.rows(LOCK)
        await transaction.run(TOUCH, ...columns)
      })
    })
  }

  async forgetKeys(endedBeforeMs: number): Promise<void> {
    await this.#database.run(FORGET, endedBeforeMs)
  }
}

const SINCE = `SELECT feed.version AS newest, key.* FROM feed LEFT JOIN key ON key.version > $1
  WHERE stream = 'keys' ORDER BY key.version`
const LOCK = `SELECT 1 FROM feed WHERE stream = 'keys' FOR UPDATE`
const KEY = `SELECT * FROM key WHERE tenant = $1 AND id = $2`
const CREATE = `INSERT INTO key
  (id, tenant, hash, name, scopes, device, limits, created_at_ms, expires_at_ms, revoked_at_ms,
    last_used_ms, lifetime_ms, version)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`
const REVOKE = `UPDATE key SET revoked_at_ms = $3, version = $4
  WHERE tenant = $1 AND id = $2 AND revoked_at_ms IS NULL`
const EXPIRE = `UPDATE key SET expires_at_ms = $3, version = $4
  WHERE tenant = $1 AND id = $2 AND (expires_at_ms IS NULL OR expires_at_ms > $3)`
const TOUCH = `UPDATE key SET last_used_ms = used.at_ms
  FROM unnest($1::text[], $2::float8[]) AS used (id, at_ms)
  WHERE key.id = used.id AND (key.last_used_ms IS NULL OR key.last_used_ms < used.at_ms)`
const FORGET = `DELETE FROM key WHERE least(revoked_at_ms, expires_at_ms) < $1`
