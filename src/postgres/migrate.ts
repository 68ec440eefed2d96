import { WeirError } from '../ports/errors.ts'
import { run } from './postgres-pool.ts'
import type { PostgresClient, PostgresPool } from './postgres-pool.ts'

/** One step of a schema. Released ones are never changed: a later step corrects them. */
export interface Migration {
  readonly name: string
  /** SQL, or what cannot be said in SQL alone. Runs in a transaction. */
  readonly up: string | ((client: PostgresClient) => Promise<void>)
}

/**
 * Brings the tables of one part (`store`, `catalog`) up to date, all steps in one transaction under a lock: of
 * processes that start at once, one does it, and the others wait and find it done.
 *
 * @throws WeirError `config` when a newer Weir has made the tables.
 */
export function migrate(
  pool: PostgresPool,
  { part, migrations }: { part: string; migrations: readonly Migration[] },
): Promise<void> {
  const { schema } = pool
  return pool.unhurried(async client => {
    // Which may take as long as another process migrates.
    await run(client, {
      text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))',
      values: [`weir.migrations.${schema}`],
    })
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`)
    await client.query(
      `CREATE TABLE IF NOT EXISTS ${schema}.migrations (
        part text, number int, name text NOT NULL, at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (part, number))`,
    )
    const { rows } = await run<{ number: number }>(client, {
      text: `SELECT coalesce(max(number), 0) AS number FROM ${schema}.migrations WHERE part = $1`,
      values: [part],
    })
    const done = rows[0].number
    if (done > migrations.length) {
      throw new WeirError(
        'config',
        `PostgreSQL: the tables of the ${part} in schema ${schema} are of a newer Weir (step ${done}, this one knows ${migrations.length})`,
      )
    }
    for (const [i, { name, up }] of migrations.slice(done).entries()) {
      if (typeof up === 'string') await client.query(up)
      else await up(client)
      await run(client, {
        text: `INSERT INTO ${schema}.migrations (part, number, name) VALUES ($1, $2, $3)`,
        values: [part, done + i + 1, name],
      })
    }
  })
}
