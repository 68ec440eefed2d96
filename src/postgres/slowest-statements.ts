import type { StatementFigures } from '../ports/store.ts'
import type { PostgresPool } from './postgres-pool.ts'

/** Those of a server are asked for seldom: it locks its list for it. */
const AGE_MS = 15_000
const STATEMENTS = 10
const LONGEST = 120

/**
 * The statements in this database that took the most time of all since the server counts, from the extension
 * `pg_stat_statements`; none where the server does not have it loaded. What has values in its text, as COPY has, is one.
 */
export class SlowestStatements {
  readonly #pool: PostgresPool
  #known: { readonly rows: readonly StatementFigures[]; readonly atMs: number } | undefined

  constructor(pool: PostgresPool) {
    this.#pool = pool
  }

  async read(): Promise<readonly StatementFigures[]> {
    const now = performance.now()
    if (this.#known !== undefined && now - this.#known.atMs < AGE_MS) return this.#known.rows
    const rows = await this.#ask()
    this.#known = { rows, atMs: now }
    return rows
  }

  async #ask(): Promise<readonly StatementFigures[]> {
    const { rows: found } = await this.#pool.query<{ place: string | null }>({
      text: `SELECT (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements') AS place`,
    })
    const place = found[0].place
    if (place === null) return []
    try {
      const { rows } = await this.#pool.query<StatementFigures>({
        text: `SELECT left(CASE WHEN query ~* '^\\s*COPY \\(' THEN 'COPY (SELECT …) TO STDOUT'
            ELSE regexp_replace(trim(query), '\\s+', ' ', 'g') END, ${LONGEST}) AS statement,
          sum(calls)::bigint AS calls, sum(total_exec_time) AS "totalMs"
          FROM "${place}".pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
          WHERE d.datname = current_database() AND s.userid = current_user::regrole
          GROUP BY 1 ORDER BY 3 DESC LIMIT ${STATEMENTS}`,
      })
      return rows
    } catch {
      // The extension is there and the server runs without its library.
      return []
    }
  }
}

/** Makes the extension where the server has its library loaded and this user may; who may not goes without. */
export async function makeStatementsExtension(pool: PostgresPool): Promise<void> {
  const loaded = `current_setting('shared_preload_libraries', true)`
  try {
    const { rows } = await pool.query<{ libraries: string | null }>({
      text: `SELECT ${loaded} AS libraries`,
    })
    if (rows[0].libraries?.includes('pg_stat_statements') !== true) return
    await pool.query({
      text: 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public',
    })
  } catch {
    // Only its figures are missing then.
  }
}
