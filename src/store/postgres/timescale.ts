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

const milliseconds = (ms: number): string => `INTERVAL '${ms} milliseconds'`

/**
 * Makes `points` a hypertable. Compressed chunks are ordered so that a read of a series finds its points together. The
 * hourly aggregates are for dashboards in SQL: what comes late is in them when they have been refreshed, so Weir itself
 * reads the points, which are always exact.
 */
export function hypertableStatements({ partitionMs, compressAfterMs }: TimescaleOptions): string[] {
  return [
    'CREATE EXTENSION IF NOT EXISTS timescaledb',
    'DROP TABLE points',
    `CREATE TABLE points (
      series_id bigint NOT NULL, time timestamptz NOT NULL, value float8, text text,
      PRIMARY KEY (series_id, time))`,
    `SELECT create_hypertable('points', 'time', 'series_id', ${SPACE_PARTITIONS},
      chunk_time_interval => ${milliseconds(partitionMs)}, create_default_indexes => false)`,
    `ALTER TABLE points SET (timescaledb.compress,
      timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'time')`,
    `SELECT add_compression_policy('points', compress_after => ${milliseconds(compressAfterMs)})`,
    `CREATE MATERIALIZED VIEW points_hourly
      WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
      SELECT series_id, time_bucket(INTERVAL '1 hour', time) AS hour, count(value) AS count,
        sum(value) AS sum, min(value) AS min, max(value) AS max,
        first(value, time) AS first, last(value, time) AS last
      FROM points WHERE value IS NOT NULL GROUP BY 1, 2 WITH NO DATA`,
    `SELECT add_continuous_aggregate_policy('points_hourly',
      start_offset => ${milliseconds(compressAfterMs)}, end_offset => INTERVAL '1 hour',
      schedule_interval => INTERVAL '1 hour')`,
    `INSERT INTO settings VALUES ('points', 'hypertable')`,
  ]
}

const IS_HYPERTABLE = `SELECT FROM settings WHERE name = 'points' AND value = 'hypertable'`

/**
 * Uses TimescaleDB where the server has it loaded: a store that has no points yet becomes a hypertable. One that has
 * native partitions stays as it is. Says which it is.
 */
export async function useTimescale(
  pool: PostgresPool,
  options: TimescaleOptions,
): Promise<'hypertable' | 'partitions'> {
  const { rows } = await pool.query<{ isThere: boolean; isDone: boolean }>({
    text: `SELECT EXISTS (${IS_HYPERTABLE}) AS "isDone", EXISTS (
        SELECT FROM pg_available_extensions WHERE name = 'timescaledb'
        AND current_setting('shared_preload_libraries', true) LIKE '%timescaledb%') AS "isThere"`,
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
  for (const statement of hypertableStatements(options)) await client.query(statement)
  return 'hypertable'
}

/** Drops whole chunks whose points are all older. */
export async function dropChunksBefore(client: PostgresClient, timeUs: number): Promise<void> {
  await run(client, {
    text: `SELECT drop_chunks('points', older_than => ${timeLiteral(timeUs)})`,
  })
}
