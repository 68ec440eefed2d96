import { sqlState } from '../../postgres/postgres-error.ts'
import { WeirError } from '../../ports/errors.ts'
import type { Aggregate, BucketRead, SeriesBuckets, SeriesPoints } from '../../ports/store.ts'
import { fractionOf, nearestRank, planAggregates } from '../aggregates.ts'
import type { AggregatePlan } from '../aggregates.ts'
import { AnswerRoom } from '../answer-room.ts'
import { readFloats, readText, readTimes } from './binary.ts'
import { during, limitWithin, readRaw, rowsWithin, selectedBy } from './point-reads.ts'
import type { ReadContext } from './point-reads.ts'
import type { Partition } from './partitions.ts'
import { bucketsOfHours, HOUR_US } from './rollup-table.ts'
import { partsOf, slicesOf } from './slices.ts'
import type { RangePart } from './slices.ts'

/** A sum beyond what a float64 holds is an error to PostgreSQL; to Weir it is infinite. */
const OUT_OF_RANGE = '22003'

const PLAIN: Readonly<Record<string, string>> = {
  avg: 'avg(p.value)',
  min: 'min(p.value)',
  max: 'max(p.value)',
  count: 'count(*)::float8',
  sum: 'sum(p.value)',
}

export async function readBuckets(
  context: ReadContext,
  request: BucketRead,
): Promise<SeriesBuckets[]> {
  const { intervalUs, select, range } = request
  if (!(intervalUs > 0 && Number.isSafeInteger(intervalUs))) {
    throw new WeirError('rejected', `an interval of ${intervalUs} microseconds is not possible`)
  }
  const plan = planAggregates(request.aggregates)
  if (select.devices.length === 0) return []
  const room = new AnswerRoom(request.bound)
  const found = new Map<string, SeriesBuckets>()
  for (const slice of slices(context.partitions.known, { range, intervalUs, plan })) {
    for (const series of await readSlice(context, { select, intervalUs, plan, room, ...slice })) {
      room.take(series.timestamps.length)
      const key = `${series.device}\0${series.metric}`
      const before = found.get(key)
      found.set(key, before === undefined ? series : joined(before, series))
    }
  }
  return [...found.values()]
}

/** Those of whole hours, where there are rollups of them, apart from what is read from the points. */
function slices(
  known: readonly Partition[],
  { range, intervalUs, plan }: Pick<Slice, 'range' | 'intervalUs' | 'plan'>,
): RangePart[] {
  const isOfHours = intervalUs % HOUR_US === 0 && !plan.needsValues
  const parts = isOfHours ? partsOf(range, known, intervalUs) : [{ range, isRolledUp: false }]
  return parts.flatMap(({ range, isRolledUp }) =>
    slicesOf(range, known, { alignUs: intervalUs }).map(slice => ({ range: slice, isRolledUp })),
  )
}

interface Slice extends Pick<BucketRead, 'select' | 'range' | 'intervalUs'> {
  readonly plan: AggregatePlan
  readonly room: AnswerRoom
  readonly isRolledUp: boolean
}

async function readSlice(context: ReadContext, slice: Slice): Promise<SeriesBuckets[]> {
  try {
    const rows = (await rowsWithin(context.pool, statement(slice), slice.room)) as Buffer[][]
    return rows.map(([device, metric, starts, ...columns]) => ({
      device: readText(device),
      metric: readText(metric),
      timestamps: readTimes(starts),
      columns: columns.map(readFloats),
    }))
  } catch (error) {
    if (sqlState((error as Error).cause) !== OUT_OF_RANGE) throw error
    const { select, range } = slice
    const points = await readRaw(context, { select, range, limit: Infinity, order: 'asc' })
    return points.flatMap(series => bucketsOf(series, slice))
  }
}

function statement(slice: Slice): string {
  const { select, isRolledUp, room } = slice
  const { aggregates } = slice.plan
  const rising = `ORDER BY 1 LIMIT ${limitWithin(room)}`
  const buckets = isRolledUp
    ? `${bucketsOfHours({ ...slice, aggregates })} ${rising}`
    : bucketsOfPoints(slice, rising)
  const names = aggregates.map((_, i) => `, q.a${i}`)
  const arrays = aggregates.map((_, i) => `, array_agg(c.c${i}) AS a${i}`)
  return `SELECT s.device, s.metric, q.starts${names.join('')}
    FROM series s CROSS JOIN LATERAL (
      SELECT array_agg(c.start) AS starts${arrays.join('')} FROM (
        ${buckets}) c) q
    WHERE ${selectedBy(select)} AND q.starts IS NOT NULL`
}

/** The buckets `start, c0, c1, …` of a series `s`. */
function bucketsOfPoints({ range, intervalUs, plan }: Slice, rising: string): string {
  const { aggregates, percentiles } = plan
  const columns = aggregates.map((name, i) => {
    if (name === 'first') return `${valueAt('b.first_time')} AS c${i}`
    if (name === 'last') return `${valueAt('b.last_time')} AS c${i}`
    return `b.c${i}`
  })
  const sums = aggregates.flatMap((name, i) => {
    if (name === 'first' || name === 'last') return []
    const fraction = fractionOf(percentiles[i])
    const percentile = `percentile_disc(${fraction}) WITHIN GROUP (ORDER BY p.value)`
    return [`${PLAIN[name] ?? percentile} AS c${i}`]
  })
  const times = [
    ...(aggregates.includes('first') ? ['min(p.time) AS first_time'] : []),
    ...(aggregates.includes('last') ? ['max(p.time) AS last_time'] : []),
  ]
  const bucket = `date_bin('${intervalUs} microseconds', p.time, '1970-01-01T00:00:00Z'::timestamptz)`
  return `SELECT ${['b.start', ...columns].join(', ')} FROM (
      SELECT ${[`${bucket} AS start`, ...sums, ...times].join(', ')} FROM points p
      WHERE p.series_id = s.id AND ${during(range)} AND p.value IS NOT NULL
      GROUP BY 1 ${rising}) b`
  function valueAt(time: string): string {
    return `(SELECT p.value FROM points p
      WHERE p.series_id = s.id AND p.time = ${time} AND ${during(range)})`
  }
}

function joined(before: SeriesBuckets, after: SeriesBuckets): SeriesBuckets {
  const both = (a: Float64Array, b: Float64Array): Float64Array => {
    const all = new Float64Array(a.length + b.length)
    all.set(a)
    all.set(b, a.length)
    return all
  }
  return {
    ...before,
    timestamps: both(before.timestamps, after.timestamps),
    columns: before.columns.map((column, i) => both(column, after.columns[i])),
  }
}

/** The same in the plainest way, of points that are here. */
function bucketsOf(
  { device, metric, timestamps, values, texts }: SeriesPoints,
  { intervalUs, plan: { aggregates, percentiles } }: Slice,
): SeriesBuckets[] {
  const buckets = new Map<number, number[]>()
  timestamps.forEach((time, i) => {
    if (texts?.[i] !== undefined) return
    const start = Math.floor(time / intervalUs) * intervalUs
    const bucket = buckets.get(start)
    if (bucket === undefined) buckets.set(start, [values[i]])
    else bucket.push(values[i])
  })
  if (buckets.size === 0) return []
  const columns = aggregates.map((name, i) =>
    Float64Array.from(buckets.values(), own => aggregateOf(own, name, percentiles[i])),
  )
  return [{ device, metric, timestamps: Float64Array.from(buckets.keys()), columns }]
}

// oxlint-disable-next-line max-params -- values, and what of them
function aggregateOf(values: readonly number[], name: Aggregate, percentile: number): number {
  const sum = (): number => values.reduce((a, b) => a + b, 0)
  switch (name) {
    case 'avg':
      return sum() / values.length
    case 'min':
      return values.reduce((a, b) => Math.min(a, b))
    case 'max':
      return values.reduce((a, b) => Math.max(a, b))
    case 'count':
      return values.length
    case 'sum':
      return sum()
    case 'first':
      return values[0]
    case 'last':
      return values[values.length - 1]
    default:
      return nearestRank(Float64Array.from(values).sort(), percentile)
  }
}
