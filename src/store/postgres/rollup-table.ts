import { run } from '../../postgres/postgres-pool.ts'
import type { PostgresClient } from '../../postgres/postgres-pool.ts'
import type { Aggregate, TimeRange } from '../../ports/store.ts'
import { timeLiteral } from './time-literal.ts'

/** A partition of the points, by the name of its table. */
export interface RolledPartition extends TimeRange {
  readonly name: string
}

/** An hour of a series: its id, and hours since 1970. */
export interface SeriesHour {
  readonly series: number
  readonly hour: number
}

export const HOUR_US = 3_600_000_000
const EPOCH = `'1970-01-01T00:00:00Z'::timestamptz`
/** Sums of values that are all below it fit a float8, however many they are. */
const SUMMABLE = '1e290'
/** Fewer points an hour, and the hours take more room than they save time. */
const WORTH_POINTS = 8
const SAMPLE_SERIES = 100
const SAMPLE_POINTS = 1000

const HOUR_OF_POINT = `date_bin('1 hour', p.time, ${EPOCH})`
const SUM = `CASE WHEN bool_and(abs(p.value) < ${SUMMABLE})
  THEN sum(p.value) FILTER (WHERE abs(p.value) < ${SUMMABLE}) END`

const FIRST = '(array_agg(p.value ORDER BY p.time))[1]'
const LAST = '(array_agg(p.value ORDER BY p.time DESC))[1]'

const inHourOf = (row: string): string =>
  `p.time >= ${row}.hour AND p.time < ${row}.hour + INTERVAL '1 hour'`

const within = (time: string, { start, end }: TimeRange): string =>
  `${time} >= ${timeLiteral(start)} AND ${time} < ${timeLiteral(end)}`

/** The table of a partition's hours. */
function rollupsOf({ name }: RolledPartition): string {
  return name.replace('points_', 'rollups_')
}

/** Whether its hours have so many points that they are worth keeping, judged by some of its series. */
export async function isWorthIt(
  client: PostgresClient,
  { name }: RolledPartition,
): Promise<boolean> {
  const { rows } = await run<{ points: number; hours: number }>(client, {
    text: `SELECT count(*) AS points, count(DISTINCT (s.id, ${HOUR_OF_POINT})) AS hours
      FROM (
        SELECT DISTINCT (
          SELECT series_id FROM ${name} WHERE series_id >= probe ORDER BY series_id LIMIT 1) AS id
        FROM (
          SELECT first + floor(random() * (last - first + 1))::bigint AS probe
          FROM (SELECT min(series_id) AS first, max(series_id) AS last FROM ${name}) ids,
            generate_series(1, ${SAMPLE_SERIES})) probes) s
      CROSS JOIN LATERAL (SELECT time FROM ${name} WHERE series_id = s.id AND value IS NOT NULL
        ORDER BY time LIMIT ${SAMPLE_POINTS}) p`,
  })
  const [{ points, hours }] = rows
  return points > 0 && points >= WORTH_POINTS * hours
}

/**
 * From now on every change of the partition, whoever makes it, is noted as a gap. What is under way is waited for, so
 * that who reads the points after this commits misses nothing that is not noted.
 */
export async function noteGaps(client: PostgresClient, { name }: RolledPartition): Promise<void> {
  await client.query(
    `CREATE OR REPLACE TRIGGER note_rollup_gap AFTER INSERT OR UPDATE OR DELETE ON ${name}
      FOR EACH ROW EXECUTE FUNCTION note_rollup_gap()`,
  )
}

/** Works out all hours of a partition, which takes as long as reading it. */
export async function makeRollups(client: PostgresClient, of: RolledPartition): Promise<void> {
  const { name, start, end } = of
  const table = rollupsOf(of)
  await client.query(`CREATE TABLE ${table} (LIKE rollups INCLUDING ALL)`)
  await client.query(
    `INSERT INTO ${table}
      SELECT h.series_id, h.hour, h.count, h.sum, h.min, h.max, f.value, l.value
      FROM (
        SELECT p.series_id, ${HOUR_OF_POINT} AS hour, count(*) AS count, ${SUM} AS sum,
          min(p.value) AS min, max(p.value) AS max,
          min(p.time) AS first_time, max(p.time) AS last_time
        FROM ${name} p WHERE p.value IS NOT NULL GROUP BY 1, 2) h
      JOIN ${name} f ON f.series_id = h.series_id AND f.time = h.first_time
      JOIN ${name} l ON l.series_id = h.series_id AND l.time = h.last_time`,
  )
  await client.query(
    `INSERT INTO rollup_gaps SELECT series_id, hour FROM ${table} WHERE sum IS NULL
      ORDER BY series_id, hour ON CONFLICT DO NOTHING`,
  )
  await client.query(
    `ALTER TABLE rollups ATTACH PARTITION ${table}
      FOR VALUES FROM (${timeLiteral(start)}) TO (${timeLiteral(end)})`,
  )
}

/** The tables of hours whose partition is gone, or is another one by now. */
export const OF_NO_PARTITION = `SELECT c.relname AS name
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'rollups'::regclass AND NOT EXISTS (
    SELECT FROM partitions p
    WHERE p.rollup = 'kept' AND replace(p.name, 'points_', 'rollups_') = c.relname)`

/** Forgets such a table, and gaps that are in no partition. */
export async function dropRollups(client: PostgresClient, table: string): Promise<void> {
  await client.query(
    `DELETE FROM rollup_gaps g WHERE NOT EXISTS (
      SELECT FROM partitions p WHERE g.hour >= p.start_time AND g.hour < p.end_time)`,
  )
  await client.query(`DROP TABLE ${table}`)
}

/**
 * Works out anew some hours of a partition that have got points, the first ones after `after`; returns the last of them.
 * Hours that somebody writes to at this moment are left alone. In a transaction, whose statements must each see what has
 * been committed before it (READ COMMITTED): a gap that is locked here is noted again by who waits for that.
 */
export async function fillGaps(
  client: PostgresClient,
  of: RolledPartition,
  { after, count }: { after: SeriesHour; count: number },
): Promise<SeriesHour | undefined> {
  const { rows: gaps } = await run<SeriesHour>(client, {
    text: `SELECT series_id AS series, (extract(epoch FROM hour) / 3600)::bigint AS hour FROM rollup_gaps
      WHERE (series_id, hour) > ($1, ${EPOCH} + $2 * INTERVAL '1 hour') AND ${within('hour', of)}
      ORDER BY series_id, hour LIMIT ${count} FOR UPDATE SKIP LOCKED`,
    values: [after.series, after.hour],
  })
  if (gaps.length === 0) return undefined
  const hours = `(SELECT series_id, ${EPOCH} + n * INTERVAL '1 hour' AS hour
    FROM unnest($1::bigint[], $2::bigint[]) u (series_id, n)) u`
  const values = [gaps.map(({ series }) => series), gaps.map(({ hour }) => hour)]
  const table = rollupsOf(of)
  await run(client, {
    text: `INSERT INTO ${table} SELECT u.series_id, u.hour, a.* FROM ${hours} CROSS JOIN LATERAL (
        SELECT count(*), ${SUM}, min(p.value), max(p.value), ${FIRST}, ${LAST} FROM ${of.name} p
        WHERE p.series_id = u.series_id AND ${inHourOf('u')} AND p.value IS NOT NULL) a
      ON CONFLICT (series_id, hour) DO UPDATE SET count = excluded.count, sum = excluded.sum,
        min = excluded.min, max = excluded.max, first = excluded.first, last = excluded.last`,
    values,
  })
  await run(client, {
    text: `DELETE FROM rollup_gaps g USING ${hours}
      WHERE g.series_id = u.series_id AND g.hour = u.hour AND NOT EXISTS (SELECT FROM ${table} r
        WHERE r.series_id = u.series_id AND r.hour = u.hour AND r.count > 0 AND r.sum IS NULL)`,
    values,
  })
  return gaps.at(-1)
}

export interface HoursRead {
  /** At whole hours, and within partitions that are rolled up. */
  readonly range: TimeRange
  /** Whole hours. */
  readonly intervalUs: number
  /** No percentiles: they cannot be made of hours. */
  readonly aggregates: readonly Aggregate[]
}

const OF_HOURS: Readonly<Record<string, string>> = {
  avg: 'sum(h.sum) / sum(h.count)::float8',
  min: 'min(h.min)',
  max: 'max(h.max)',
  count: 'sum(h.count)::float8',
  sum: 'sum(h.sum)',
  first: '(array_agg(h.first ORDER BY h.hour))[1]',
  last: '(array_agg(h.last ORDER BY h.hour DESC))[1]',
}

/**
 * The buckets `start, c0, c1, …` of a series `s`, from its hours; gaps are worked out from the points. One statement sees
 * a late point and its gap, or neither.
 */
export function bucketsOfHours({ range, intervalUs, aggregates }: HoursRead): string {
  const columns = aggregates.map((name, i) => `${OF_HOURS[name]} AS c${i}`)
  const bucket = `date_bin('${intervalUs} microseconds', h.hour, ${EPOCH})`
  return `SELECT ${[`${bucket} AS start`, ...columns].join(', ')} FROM (
      SELECT r.hour, r.count, r.sum, r.min, r.max, r.first, r.last FROM rollups r
      WHERE r.series_id = s.id AND ${within('r.hour', range)} AND r.count > 0
        AND NOT EXISTS (SELECT FROM rollup_gaps g WHERE g.series_id = s.id AND g.hour = r.hour)
      UNION ALL
      SELECT g.hour, a.* FROM rollup_gaps g CROSS JOIN LATERAL (
        SELECT count(*), sum(p.value), min(p.value), max(p.value), ${FIRST}, ${LAST} FROM points p
        WHERE p.series_id = s.id AND ${within('p.time', range)} AND ${inHourOf('g')}
          AND p.value IS NOT NULL
        HAVING count(*) > 0) a
      WHERE g.series_id = s.id AND ${within('g.hour', range)}) h
    GROUP BY 1`
}
