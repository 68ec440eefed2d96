import { copyIn } from '../../postgres/copy-in.ts'
import { run } from '../../postgres/postgres-pool.ts'
import type { PostgresClient, Statement } from '../../postgres/postgres-pool.ts'
import { copyRows, int8Array, textArray, timeArray, valueArray } from './binary.ts'
import type { Columns } from './binary.ts'
import { timeLiteral } from './time-literal.ts'

/** What a tenant's row of the counters goes up by. */
export interface CounterRow {
  readonly tenant: string
  readonly stored: number
  readonly duplicate: number
  readonly dead: number
}

/** A time as integer microseconds since 1970. */
export const microseconds = (column: string): string =>
  `(extract(epoch FROM ${column}) * 1000000)::bigint`

/** Rows of counters that the writers of a tenant share, so that they seldom meet. */
const SLOTS = 256
const SLOT = `pg_backend_pid() % ${SLOTS}`

/** A set of points, each key once, from four arrays. */
const points = (first: number): string =>
  `unnest($${first}::bigint[], $${first + 1}::timestamptz[], $${first + 2}::float8[], $${first + 3}::text[])`

const KEEP_NEWEST = `
  ON CONFLICT (series_id) DO UPDATE SET time = excluded.time, value = excluded.value, text = excluded.text
  WHERE l.time <= excluded.time`

const COUNT = `
  ON CONFLICT (tenant, slot) DO UPDATE SET
    stored = c.stored + excluded.stored,
    duplicate = c.duplicate + excluded.duplicate,
    dead = c.dead + excluded.dead`

const countAll = (first: number): string => `
  INSERT INTO counters AS c (tenant, slot, stored, duplicate, dead)
  SELECT u.tenant, ${SLOT}, u.stored, u.duplicate, u.dead
  FROM unnest($${first}::text[], $${first + 1}::bigint[], $${first + 2}::bigint[], $${first + 3}::bigint[])
    u (tenant, stored, duplicate, dead)
  ${COUNT}`

/** Points that repeat no key, in one message there and one back; fails where they do. */
const APPEND = `WITH made AS (INSERT INTO points SELECT * FROM ${points(1)}),
  newest AS (INSERT INTO latest AS l SELECT * FROM ${points(5)} ${KEEP_NEWEST})
  ${countAll(9)}`

const SETTLE = `WITH newest AS (INSERT INTO latest AS l SELECT * FROM ${points(1)} ${KEEP_NEWEST})
  ${countAll(5)}`

/**
 * Points that may repeat keys. What is there is changed where it differs, bit for bit; what is not is made. A key that
 * another transaction makes at the same time is neither: it counts as theirs, and their value stays.
 */
function merge({ timestamps }: Columns): string {
  const first = timeLiteral(least(timestamps))
  const last = timeLiteral(greatest(timestamps))
  const same = `p.series_id = v.series_id AND p.time = v.time AND p.time BETWEEN ${first} AND ${last}`
  return `
    WITH v AS (SELECT * FROM ${points(1)} v (series_id, time, value, text)),
    there AS MATERIALIZED (
      SELECT v.*, float8send(p.value) IS DISTINCT FROM float8send(v.value)
        OR p.text IS DISTINCT FROM v.text AS differs
      FROM v JOIN points p ON ${same}),
    changed AS (
      INSERT INTO points SELECT series_id, time, value, text FROM there WHERE differs
      ON CONFLICT (series_id, time) DO UPDATE SET value = excluded.value, text = excluded.text),
    made AS (
      INSERT INTO points SELECT series_id, time, value, text FROM v
      WHERE NOT EXISTS (SELECT FROM there t WHERE t.series_id = v.series_id AND t.time = v.time)
      ON CONFLICT DO NOTHING RETURNING series_id)`
}

/** COPY of points that repeat no key; fails where they do. */
export function copyPoints(client: PostgresClient, columns: Columns): Promise<number> {
  return copyIn(client, 'COPY points FROM STDIN (FORMAT binary)', copyRows(columns))
}

/** Merges points and says how many of each series were new. In a transaction. */
export async function mergePoints(
  client: PostgresClient,
  columns: Columns,
): Promise<Map<number, number>> {
  const statement = {
    text: `${merge(columns)} SELECT series_id, count(*) FROM made GROUP BY series_id
      UNION ALL SELECT NULL, count(*) FROM there`,
    values: arraysOf(columns),
    rowMode: 'array' as const,
  }
  const { rows } = await run<[number | null, number]>(client, statement)
  // What another one has made meanwhile is there for the next statement, and the newest point must be as it is.
  const met = rows.reduce((sum, [, count]) => sum + count, 0)
  if (met < columns.ids.length) await run(client, statement)
  return new Map(rows.filter((row): row is [number, number] => row[0] !== null))
}

/** Points of one tenant that repeat no key, and their count, as one statement; fails where they do. */
export function insertAndCount(columns: Columns, tenant: string, duplicate: number): Statement {
  return {
    text: `WITH made AS (INSERT INTO points SELECT * FROM ${points(1)})
      INSERT INTO counters AS c (tenant, slot, stored, duplicate)
      VALUES ($5, ${SLOT}, $6::bigint, $7::bigint) ${COUNT}`,
    values: [...arraysOf(columns), tenant, columns.ids.length, duplicate],
  }
}

/** Merges the points of one tenant and counts them, as one statement that commits by itself. */
export function mergeAndCount(
  columns: Columns,
  { tenant, points }: { tenant: string; points: number },
): Statement {
  return {
    text: `${merge(columns)}
      INSERT INTO counters AS c (tenant, slot, stored, duplicate)
      SELECT $5, ${SLOT}, n, $6::bigint - n FROM (SELECT count(*) AS n FROM made) made ${COUNT}`,
    values: [...arraysOf(columns), tenant, points],
  }
}

export function append(points: Columns, latest: Columns, counts: readonly CounterRow[]): Statement {
  return {
    name: 'weir_append',
    text: APPEND,
    values: [...arraysOf(points), ...arraysOf(latest), ...arraysOfCounts(counts)],
  }
}

/** Latest values and counters, after the points. */
export function settle(latest: Columns, counts: readonly CounterRow[]): Statement {
  return {
    name: 'weir_settle',
    text: SETTLE,
    values: [...arraysOf(latest), ...arraysOfCounts(counts)],
  }
}

export function count(counts: readonly CounterRow[]): Statement {
  return { text: countAll(1), values: arraysOfCounts(counts) }
}

function arraysOf(columns: Columns): Buffer[] {
  const { ids, timestamps, texts } = columns
  return [int8Array(ids), timeArray(timestamps), valueArray(columns), textArray(ids.length, texts)]
}

function arraysOfCounts(counts: readonly CounterRow[]): unknown[] {
  // In one order everywhere, as all that is locked.
  const rows = counts.toSorted((a, b) => (a.tenant < b.tenant ? -1 : 1))
  return [
    rows.map(({ tenant }) => tenant),
    rows.map(({ stored }) => stored),
    rows.map(({ duplicate }) => duplicate),
    rows.map(({ dead }) => dead),
  ]
}

function least(column: Float64Array): number {
  return column.reduce((a, b) => Math.min(a, b), Infinity)
}

function greatest(column: Float64Array): number {
  return column.reduce((a, b) => Math.max(a, b), 0)
}
