import type { Key } from '../../model/key.ts'
import type { Catalog, KeyEnd } from '../../ports/catalog.ts'
import { WeirError } from '../../ports/errors.ts'
import { keyOf, keyParameters } from '../rows.ts'
import type { Connection } from './connection.ts'

type KeyCatalog = Pick<Catalog, 'keysSince' | 'createKey' | 'endKey' | 'touchKeys' | 'forgetKeys'>

/** The keys of the catalog: the one part that several processes share, a node and `weir keys`. */
export class SqliteKeys implements KeyCatalog {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async keysSince(version: number): Promise<{ version: number; keys: Key[] }> {
    const newest = Number(this.#connection.get(KEYS_VERSION)?.version ?? 0)
    if (newest <= version) return { version, keys: [] }
    // Changes by others between the two reads come again with the next call.
    return { version: newest, keys: this.#connection.all(KEYS_SINCE, version).map(keyOf) }
  }

  async createKey(key: Key): Promise<void> {
    if (this.#connection.run(CREATE_KEY, ...keyParameters(key)) > 0) return
    throw new WeirError('conflict', `there is a key ${key.id} already`)
  }

  async endKey(tenant: string, id: string, { how, atMs }: KeyEnd): Promise<Key | undefined> {
    this.#connection.run(how === 'revoke' ? REVOKE_KEY : EXPIRE_KEY, tenant, id, atMs)
    const row = this.#connection.get(KEY, tenant, id)
    return row === undefined ? undefined : keyOf(row)
  }

  touchKeys(used: readonly { id: string; lastUsedMs: number }[]): Promise<void> {
    return this.#connection.save(
      TOUCH_KEYS,
      used.map(({ id, lastUsedMs }) => [id, lastUsedMs]),
    )
  }

  async forgetKeys(endedBeforeMs: number): Promise<void> {
    this.#connection.run(FORGET_KEYS, endedBeforeMs)
  }
}

// One statement each, so that of two processes no two changes get the same version.
const NEXT_VERSION = `(SELECT COALESCE(MAX(version), 0) + 1 FROM key)`
const KEYS_VERSION = `SELECT MAX(version) AS version FROM key`
const KEYS_SINCE = `SELECT * FROM key WHERE version > ? ORDER BY version`
const KEY = `SELECT * FROM key WHERE tenant = ? AND id = ?`
const CREATE_KEY = `INSERT INTO key
  (id, tenant, hash, name, scopes, device, limits, created_at_ms, expires_at_ms, revoked_at_ms,
    last_used_ms, lifetime_ms, version)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${NEXT_VERSION}) ON CONFLICT DO NOTHING`
const REVOKE_KEY = `UPDATE key SET revoked_at_ms = ?3, version = ${NEXT_VERSION}
  WHERE tenant = ?1 AND id = ?2 AND revoked_at_ms IS NULL`
const EXPIRE_KEY = `UPDATE key SET expires_at_ms = ?3, version = ${NEXT_VERSION}
  WHERE tenant = ?1 AND id = ?2 AND (expires_at_ms IS NULL OR expires_at_ms > ?3)`
const TOUCH_KEYS = `UPDATE key SET last_used_ms = ?2
  WHERE id = ?1 AND (last_used_ms IS NULL OR last_used_ms < ?2)`
// The newest stays, whatever it is, because versions must not be given twice.
const FORGET_KEYS = `DELETE FROM key WHERE MIN(COALESCE(revoked_at_ms, expires_at_ms),
  COALESCE(expires_at_ms, revoked_at_ms)) < ? AND version < (SELECT MAX(version) FROM key)`
