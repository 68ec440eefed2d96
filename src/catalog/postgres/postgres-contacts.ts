import { randomUUID } from 'node:crypto'
import type { ContactFeed, SeenDevice } from '../../ports/catalog.ts'
import type { CatalogDatabase } from './catalog-database.ts'

/** Of one tenant: ids, and the last contact of each. */
type Told = readonly [tenant: string, ids: readonly string[], seenMs: readonly number[]]

/**
 * Last contacts as one row for all that a process heard of in a second: thousands of devices cost
 * what one does. The table survives no crash of the server, so that it costs no log either.
 */
export class PostgresContacts implements ContactFeed {
  readonly #database: CatalogDatabase
  readonly #process = randomUUID()

  constructor(database: CatalogDatabase) {
    this.#database = database
  }

  async tell(seen: readonly SeenDevice[]): Promise<void> {
    if (seen.length === 0) return
    await this.#database.run(TELL, this.#process, JSON.stringify(packed(seen)))
  }

  async since(version: number): Promise<{ version: number; seen: SeenDevice[] }> {
    const rows = await this.#database.rows(SINCE, version, this.#process)
    const seen: SeenDevice[] = []
    for (const { told } of rows) {
      // Where nobody told anything there is one row, of the version alone.
      if (told === null) continue
      for (const [tenant, ids, times] of JSON.parse(told as string) as Told[]) {
        for (let i = 0; i < ids.length; i++) seen.push({ tenant, id: ids[i], lastSeenMs: times[i] })
      }
    }
    return { version: rows[0].newest as number, seen }
  }
}

/** Neighbours of one tenant together. */
function packed(seen: readonly SeenDevice[]): Told[] {
  const all: [string, string[], number[]][] = []
  for (const { tenant, id, lastSeenMs } of seen) {
    let last = all.at(-1)
    if (last?.[0] !== tenant) all.push((last = [tenant, [], []]))
    last[1].push(id)
    last[2].push(lastSeenMs)
  }
  return all
}

// In one statement, whose commit waits for no disk.
const TELL = `WITH hasty AS (SELECT set_config('synchronous_commit', 'off', true)),
  next AS (
    UPDATE feed SET version = version + 1 FROM hasty WHERE stream = 'contacts' RETURNING version
  ),
  old AS (DELETE FROM contact WHERE at < now() - interval '2 minutes')
  INSERT INTO contact (version, process, told) SELECT version, $1, $2 FROM next`
const SINCE = `SELECT feed.version AS newest, told
  FROM feed LEFT JOIN contact ON contact.version > $1 AND contact.process <> $2
  WHERE stream = 'contacts' ORDER BY contact.version`
