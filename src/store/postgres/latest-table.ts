import { run } from '../../postgres/postgres-pool.ts'
import type { PostgresClient, PostgresPool } from '../../postgres/postgres-pool.ts'

/** Notes that points are written from now on of which the table of the newest ones knows nothing. */
export async function neglectLatest(pool: PostgresPool): Promise<void> {
  await pool.query({
    text: `INSERT INTO settings VALUES ('latest', 'neglected')
      ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  })
}

/** Fills the table of the newest points anew where it was neglected; once, whoever starts at the same time. */
export async function keepLatest(pool: PostgresPool): Promise<void> {
  const { rows } = await pool.query({ text: IS_NEGLECTED })
  if (rows.length > 0) await pool.unhurried(refill)
}

const IS_NEGLECTED = `SELECT FROM settings WHERE name = 'latest' AND value = 'neglected'`

async function refill(client: PostgresClient): Promise<void> {
  await client.query('LOCK TABLE latest IN EXCLUSIVE MODE')
  const { rowCount } = await run(client, { text: `${IS_NEGLECTED} FOR UPDATE` })
  if (rowCount === 0) return
  await client.query(
    `INSERT INTO latest AS l SELECT p.* FROM series s CROSS JOIN LATERAL (
      SELECT p.series_id, p.time, p.value, p.text FROM points p
      WHERE p.series_id = s.id ORDER BY p.time DESC LIMIT 1) p
    ON CONFLICT (series_id) DO UPDATE
      SET time = excluded.time, value = excluded.value, text = excluded.text`,
  )
  await client.query(`DELETE FROM settings WHERE name = 'latest'`)
}
