import { run } from '../../postgres/postgres-pool.ts'
import type { PostgresClient, PostgresPool } from '../../postgres/postgres-pool.ts'
import { timeLiteral } from './time-literal.ts'

export interface TimescaleOptions {
  /** The span of a chunk. */
  readonly partitionMs: number
  /** Chunks whose points are all older are compressed: later points are rare from then on. */
  readonly compressAfterMs: number
}

/** Chunks of the same time, divided by series. */
const SPACE_PARTITIONS = 4

/** Whether the server has the library loaded: anybody may ask for this of its settings. */
const IS_LOADED = `current_setting('timescaledb.disable_load', true) IS NOT NULL`

const DECOMPRESSED = 'timescaledb.max_tuples_decompressed_per_dml_transaction'

/**
 * For each connection that writes, where the extension is loaded. By default a transaction may change no points in more
 * than a hundred compressed batches, and one that has to could never be stored.
 */
export const CHANGE_COMPRESSED = `SELECT set_config('${DECOMPRESSED}', '0', false)
  WHERE ${IS_LOADED}`

const milliseconds = (ms: number): string => `INTERVAL '${ms} milliseconds'`

/**
 * Makes `points` a hypertable. Compressed chunks are ordered so that a read of a series finds its points together. The
 * hourly aggregates are for dashboards in SQL: what comes late, however old it is, is in them when they have been
 * refreshed, so Weir itself reads the points, which are always exact.
 */
export function hypertableStatements(
  { partitionMs, compressAfterMs }: TimescaleOptions,
  extension: string,
): string[] {
  return [
    'DROP TABLE points',
    `CREATE TABLE points (
      series_id bigint NOT NULL, time timestamptz NOT NULL, value float8, text text,
      PRIMARY KEY (series_id, time))`,
    `SELECT ${extension}.create_hypertable('points', 'time', 'series_id', ${SPACE_PARTITIONS},
      chunk_time_interval => ${milliseconds(partitionMs)}, create_default_indexes => false)`,
    `ALTER TABLE points SET (timescaledb.compress,
      timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'time')`,
    `SELECT ${extension}.add_compression_policy('points', compress_after => ${milliseconds(compressAfterMs)})`,
    `CREATE MATERIALIZED VIEW points_hourly
      WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
      SELECT series_id, ${extension}.time_bucket(INTERVAL '1 hour', time) AS hour, count(value) AS count,
        sum(value) AS sum, min(value) AS min, max(value) AS max,
        ${extension}.first(value, time) AS first, ${extension}.last(value, time) AS last
      FROM points WHERE value IS NOT NULL GROUP BY 1, 2 WITH NO DATA`,
    `SELECT ${extension}.add_continuous_aggregate_policy('points_hourly',
      start_offset => NULL, end_offset => INTERVAL '1 hour',
      schedule_interval => INTERVAL '1 hour')`,
    `INSERT INTO settings VALUES ('points', 'hypertable')`,
  ]
}

const IS_HYPERTABLE = `SELECT FROM settings WHERE name = 'points' AND value = 'hypertable'`

/**
 * Uses TimescaleDB where the server has it loaded: a store that has no points yet becomes a hypertable. One that has
 * native partitions stays as it is, and so does one on an edition that cannot compress. Says which it is.
 */
export async function useTimescale(
  pool: PostgresPool,
  options: TimescaleOptions,
): Promise<'hypertable' | 'partitions'> {
  const { rows } = await pool.query<{ isThere: boolean; isDone: boolean }>({
    text: `SELECT EXISTS (${IS_HYPERTABLE}) AS "isDone", EXISTS (
        SELECT FROM pg_available_extensions WHERE name = 'timescaledb' AND ${IS_LOADED}) AS "isThere"`,
  })
  if (rows[0].isDone) return 'hypertable'
  if (!rows[0].isThere) return 'partitions'
  return pool.unhurried(client => become(client, options))
}

async function become(
  client: PostgresClient,
  options: TimescaleOptions,
): Promise<'hypertable' | 'partitions'> {
  // Of processes that start at once, and of those that make partitions, one goes first.
  await client.query('LOCK TABLE partitions, settings IN EXCLUSIVE MODE')
  if ((await run(client, { text: IS_HYPERTABLE })).rowCount > 0) return 'hypertable'
  if ((await run(client, { text: 'SELECT FROM partitions LIMIT 1' })).rowCount > 0) {
    return 'partitions'
  }
  // Of Weirs in other schemas too: the extension is the database's.
  await run(client, {
    text: `SELECT pg_advisory_xact_lock(hashtextextended('weir.timescaledb', 0))`,
  })
  // Without a schema it would be in Weir's, and no other could use it.
  await client.query('CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public')
  // Editions under the Apache licence have no compression and no continuous aggregates.
  const { rows } = await run<{ licence: string }>(client, {
    text: `SELECT current_setting('timescaledb.license') AS licence`,
  })
  if (rows[0].licence !== 'timescale') return 'partitions'
  const statements = hypertableStatements(options, await extensionSchema(client))
  for (const statement of statements) await client.query(statement)
  return 'hypertable'
}

/** What the chunks of `points` take on disk, compressed ones too. */
export async function hypertableBytes(pool: PostgresPool): Promise<number> {
  const { rows } = await pool.with(async client => {
    const extension = await extensionSchema(client)
    return run<{ bytes: number }>(client, {
      text: `SELECT coalesce(${extension}.hypertable_size('points'), 0) AS bytes`,
    })
  })
  return rows[0].bytes
}

/** Where its functions are, for a statement: wherever somebody has made the extension. */
async function extensionSchema(client: PostgresClient): Promise<string> {
  const { rows } = await run<{ schema: string }>(client, {
    text: `SELECT quote_ident(nspname) AS schema FROM pg_extension
      JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'timescaledb'`,
  })
  return rows[0].schema
}

/** Drops whole chunks whose points are all older. */
export async function dropChunksBefore(client: PostgresClient, timeUs: number): Promise<void> {
  const extension = await extensionSchema(client)
  await run(client, {
    text: `SELECT ${extension}.drop_chunks('points', older_than => ${timeLiteral(timeUs)})`,
  })
}
