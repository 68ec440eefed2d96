import { copyOut, literal } from '../../postgres/copy-out.ts'
import type { PostgresPool } from '../../postgres/postgres-pool.ts'
import type { RawRead, SeriesPoints, SeriesSelector, TimeRange } from '../../ports/store.ts'
import { AnswerRoom } from '../answer-room.ts'
import { keptText, readFloats, readInt8, readText, readTexts, readTimes } from './binary.ts'
import type { Partitions } from './partitions.ts'
import { slicesOf } from './slices.ts'
import { microseconds } from './statements.ts'
import { timeLiteral } from './time-literal.ts'

export interface ReadContext {
  readonly pool: PostgresPool
  readonly partitions: Partitions
  /** Whether there is a table of the newest points. */
  readonly keepsLatest: boolean
}

/** More than any series has. */
const NO_LIMIT = 2 ** 31
/** What a value takes in an answer, with its time; texts take more. */
const VALUE_BYTES = 64
const ANSWER_BYTES = 4 << 20

/** Which series `s` a selector means. */
export function selectedBy({ tenant, devices, metrics }: SeriesSelector): string {
  const ofDevices = `s.tenant = ${literal(tenant)} AND s.device = ANY (${literal(devices)})`
  return metrics.length === 0 ? ofDevices : `${ofDevices} AND s.metric = ANY (${literal(metrics)})`
}

/** The points `p` of a range; constants, so that the planner opens no other partitions. */
export const during = ({ start, end }: TimeRange): string =>
  `p.time >= ${timeLiteral(start)} AND p.time < ${timeLiteral(end)}`

interface FoundSeries extends SeriesPoints {
  readonly id: number
}

/** Some series of a selection: these only, or all but those. */
interface Restriction {
  readonly only?: readonly number[]
  readonly except?: readonly number[]
}

/** The rows of a statement whose answer has room for so much. */
export function rowsWithin(pool: PostgresPool, statement: string, room: AnswerRoom) {
  const maxBytes = ANSWER_BYTES + room.left * VALUE_BYTES
  return copyOut(pool, statement, { maxBytes, refusal: () => room.refusal() })
}

/** The limit of a statement: one more than there is room for tells that it is too much. */
export function limitWithin(room: AnswerRoom, limit = Infinity): number {
  return Math.min(Math.ceil(limit), room.left + 1, NO_LIMIT)
}

/** The first points of each series in the order asked for. */
export async function readRaw(context: ReadContext, request: RawRead): Promise<SeriesPoints[]> {
  const { limit, order, select } = request
  if (!(limit > 0) || select.devices.length === 0) return []
  if (context.keepsLatest && limit === 1 && order === 'desc') return readNewest(context, request)
  return withoutIds(await readPoints(context, request, {}))
}

// oxlint-disable-next-line max-params -- a read, and of which series
async function readPoints(
  context: ReadContext,
  request: RawRead,
  restriction: Restriction,
): Promise<FoundSeries[]> {
  const { limit, order } = request
  const room = new AnswerRoom(request.bound)
  const slices = slicesOf(request.range, context.partitions.known)
  if (order === 'desc') slices.reverse()
  const found = new Map<number, FoundSeries>()
  for (const range of slices) {
    const full = [...found.values()].filter(({ timestamps }) => timestamps.length >= limit)
    const rest = { ...restriction, ...(full.length > 0 && { except: full.map(({ id }) => id) }) }
    for (const series of await readSlice(context, { ...request, range }, { ...rest, room })) {
      room.take(series.timestamps.length)
      const before = found.get(series.id)
      found.set(series.id, before === undefined ? series : joined(before, series, limit))
    }
  }
  return [...found.values()]
}

/** Arrays come back in place of rows: nothing is made for a single point. */
// oxlint-disable-next-line max-params -- a read, and of which series
async function readSlice(
  { pool }: ReadContext,
  { select, range, limit, order }: RawRead,
  { only, except, room }: Restriction & { readonly room: AnswerRoom },
): Promise<FoundSeries[]> {
  const some = [
    ...(only === undefined ? [] : [`AND s.id = ANY ('{${only.join()}}')`]),
    ...(except === undefined ? [] : [`AND s.id <> ALL ('{${except.join()}}')`]),
  ]
  const rows = (await rowsWithin(
    pool,
    `SELECT s.id, s.device, s.metric, q.times, q.values, q.texts
      FROM series s CROSS JOIN LATERAL (
        SELECT array_agg(time) AS times, array_agg(value) AS values,
          CASE WHEN count(text) > 0 THEN array_agg(text) END AS texts
        FROM (SELECT p.time, p.value, p.text FROM points p
          WHERE p.series_id = s.id AND ${during(range)}
          ORDER BY p.time ${order} LIMIT ${limitWithin(room, limit)}) p) q
      WHERE ${selectedBy(select)} AND q.times IS NOT NULL ${some.join(' ')}`,
    room,
  )) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer | null][]
  return rows.map(([id, device, metric, times, values, texts]) => ({
    ...{ id: readInt8(id), device: readText(device), metric: readText(metric) },
    ...{ timestamps: readTimes(times), values: readFloats(values) },
    ...(texts === null ? {} : { texts: readTexts(texts) }),
  }))
}

/** From the table of the newest points, and of the few series that have newer ones than the range from the index. */
async function readNewest(context: ReadContext, request: RawRead): Promise<SeriesPoints[]> {
  const { start, end } = request.range
  const { tenant, devices, metrics } = request.select
  // Few rows, asked for often: the server keeps the plan.
  type Row = [number, string, string, number, number | null, string | null]
  const { rows } = await context.pool.query<Row>({
    name: 'weir_newest',
    text: `SELECT s.id, s.device, s.metric, ${microseconds('l.time')}, l.value, l.text
      FROM series s JOIN latest l ON l.series_id = s.id
      WHERE s.tenant = $1 AND s.device = ANY ($2) AND ($3::text[] IS NULL OR s.metric = ANY ($3))`,
    values: [tenant, devices.filter(isKept), metrics.length === 0 ? null : metrics.filter(isKept)],
    rowMode: 'array',
  })
  const found: SeriesPoints[] = []
  const newer: number[] = []
  for (const [id, device, metric, time, value, text] of rows) {
    if (time >= end) newer.push(id)
    if (time >= end || time < start) continue
    found.push({
      ...{ device, metric },
      timestamps: Float64Array.of(time),
      values: Float64Array.of(value ?? NaN),
      ...(text === null ? {} : { texts: [keptText(text)] }),
    })
  }
  const room = new AnswerRoom(request.bound)
  room.take(found.length)
  if (newer.length === 0) return found
  const rest = withoutIds(await readPoints(context, request, { only: newer }))
  room.take(rest.length)
  return [...found, ...rest]
}

// oxlint-disable-next-line max-params -- two parts and how much of them
function joined(before: FoundSeries, after: FoundSeries, limit: number): FoundSeries {
  const count = Math.min(limit, before.timestamps.length + after.timestamps.length)
  const column = (name: 'timestamps' | 'values'): Float64Array => {
    const both = new Float64Array(count)
    both.set(before[name])
    both.set(after[name].subarray(0, count - before[name].length), before[name].length)
    return both
  }
  const both = { ...before, timestamps: column('timestamps'), values: column('values') }
  if (before.texts === undefined && after.texts === undefined) return both
  const textsOf = ({ texts, timestamps }: FoundSeries) =>
    texts ?? Array.from<string | undefined>({ length: timestamps.length })
  return { ...both, texts: [...textsOf(before), ...textsOf(after)].slice(0, count) }
}

const isKept = (name: string): boolean => !name.includes('\0')

function withoutIds(series: readonly FoundSeries[]): SeriesPoints[] {
  return series.map(({ device, metric, timestamps, values, texts }) => ({
    ...{ device, metric, timestamps, values },
    ...(texts === undefined ? {} : { texts }),
  }))
}
