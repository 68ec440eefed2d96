import { copyOut } from '../../postgres/copy-out.ts'
import { prefetched } from './prefetched.ts'
import { AnswerRoom } from '../answer-room.ts'
import { downsample } from '../lttb.ts'
import type {
  DownsampleRead,
  LatestColumns,
  ScanRead,
  SeriesPoints,
  SeriesSelector,
  TimeRange,
} from '../../ports/store.ts'
import { readFloats, readInt8, readText, readTexts, readTime, readTimes } from './binary.ts'
import { during, selectedBy } from './point-reads.ts'
import type { ReadContext } from './point-reads.ts'
import { slicesOf } from './slices.ts'
import { timeLiteral } from './time-literal.ts'

const CHUNK_POINTS = 65_536
const CHUNK_TEXT_BYTES = 4 << 20
/** Series that one statement begins, where it may look at all partitions. */
const CHUNK_SERIES = 1024
const SCAN_PARTITIONS = 512
const LATEST_ROWS = 20_000

interface Series {
  readonly id: number
  readonly device: string
  readonly metric: string
}

/** All points of a selection, series by series. */
export function scanPoints(
  context: ReadContext,
  request: ScanRead,
): AsyncIterable<readonly SeriesPoints[]> {
  return prefetched(() => chunksOf(context, request))
}

async function* chunksOf(
  context: ReadContext,
  { select, range }: ScanRead,
): AsyncGenerator<readonly SeriesPoints[]> {
  const all = await seriesOf(context, select)
  const slices = slicesOf(range, context.partitions.known, { partitions: SCAN_PARTITIONS })
  // Series by series: where the range is in several parts, each series is read through all of them.
  const groupSize = slices.length === 1 ? CHUNK_SERIES : 1
  for (let at = 0; at < all.length; at += groupSize) {
    const group = all.slice(at, at + groupSize)
    for (const slice of slices) yield* chunksOfGroup(context, group, slice)
  }
}

// oxlint-disable-next-line max-params -- which series, and when
async function* chunksOfGroup(
  context: ReadContext,
  group: readonly Series[],
  range: TimeRange,
): AsyncGenerator<readonly SeriesPoints[]> {
  let rest = group
  let start = range.start
  while (rest.length > 0) {
    const { chunk, isLast } = await readChunk(context, { rest, start, range })
    if (chunk.length === 0) return
    yield chunk.map(({ place, ...points }) => ({
      device: rest[place].device,
      metric: rest[place].metric,
      ...points,
    }))
    if (isLast) return
    const last = chunk[chunk.length - 1]
    rest = rest.slice(last.place)
    start = last.timestamps[last.timestamps.length - 1] + 1
  }
}

interface ChunkPart extends Omit<SeriesPoints, 'device' | 'metric'> {
  readonly place: number
}

/** The next points, of the first series from `start` on: so many, and no more bytes of text than one may hold. */
async function readChunk(
  { pool }: ReadContext,
  { rest, start, range }: { rest: readonly Series[]; start: number; range: TimeRange },
): Promise<{ chunk: ChunkPart[]; isLast: boolean }> {
  const rows = (await copyOut(
    pool,
    `WITH found AS (
        SELECT s.n, q.time, q.value, q.text FROM unnest('{${rest.map(({ id }) => id).join()}}'::bigint[])
          WITH ORDINALITY s (id, n)
        CROSS JOIN LATERAL (
          SELECT p.time, p.value, p.text FROM points p
          WHERE p.series_id = s.id AND ${during(range)}
            AND p.time >= CASE s.n WHEN 1 THEN ${timeLiteral(start)} ELSE ${timeLiteral(range.start)} END
          ORDER BY p.time LIMIT ${CHUNK_POINTS}) q
        LIMIT ${CHUNK_POINTS}),
      counted AS (
        SELECT *, row_number() OVER w AS place, sum(coalesce(octet_length(text), 0)) OVER w AS bytes
        FROM found WINDOW w AS (ORDER BY n, time ROWS UNBOUNDED PRECEDING))
      SELECT n, array_agg(time ORDER BY time), array_agg(value ORDER BY time),
        CASE WHEN count(text) > 0 THEN array_agg(text ORDER BY time) END, (SELECT count(*) FROM found)
      FROM counted WHERE bytes <= ${CHUNK_TEXT_BYTES} OR place = 1 GROUP BY n ORDER BY n`,
  )) as [Buffer, Buffer, Buffer, Buffer | null, Buffer][]
  let points = 0
  const chunk = rows.map(([n, times, values, texts]) => {
    const timestamps = readTimes(times)
    points += timestamps.length
    return {
      ...{ place: readInt8(n) - 1, timestamps, values: readFloats(values) },
      ...(texts === null ? {} : { texts: readTexts(texts) }),
    }
  })
  const found = rows.length === 0 ? 0 : readInt8(rows[0][4])
  return { chunk, isLast: points === found && found < CHUNK_POINTS }
}

/** In the selector's order of devices. */
async function seriesOf({ pool }: ReadContext, select: SeriesSelector): Promise<Series[]> {
  const { rows } = await pool.query<Series>({
    text: `SELECT s.id, s.device, s.metric FROM series s WHERE ${selectedBy(select)}`,
  })
  const place = new Map(select.devices.toReversed().map((device, i) => [device, -i]))
  const order = (a: Series, b: Series): number =>
    place.get(a.device)! - place.get(b.device)! || (a.metric < b.metric ? -1 : 1)
  return rows.sort(order)
}

export async function readDownsampled(
  context: ReadContext,
  { select, range, maxPoints, bound }: DownsampleRead,
): Promise<SeriesPoints[]> {
  const room = new AnswerRoom(bound)
  const found: SeriesPoints[] = []
  let parts: SeriesPoints[] = []
  const finish = (): void => {
    if (parts.length === 0) return
    const [{ device, metric }] = parts
    const sampled = downsample(numbersOf(parts), maxPoints)
    parts = []
    room.take(sampled.timestamps.length)
    if (sampled.timestamps.length > 0) found.push({ device, metric, ...sampled })
  }
  // One series after the other, each by itself: all of them would be everything that there is.
  for await (const chunk of chunksOf(context, { select, range })) {
    for (const points of chunk) {
      const before = parts.at(-1)
      if (before?.device !== points.device || before.metric !== points.metric) finish()
      parts.push(points)
    }
  }
  finish()
  return found
}

/** The points that are numbers, in one piece. */
function numbersOf(parts: readonly SeriesPoints[]) {
  const total = parts.reduce((sum, part) => sum + part.timestamps.length, 0)
  const timestamps = new Float64Array(total)
  const values = new Float64Array(total)
  let at = 0
  for (const part of parts) {
    for (let i = 0; i < part.timestamps.length; i++) {
      if (part.texts?.[i] !== undefined) continue
      timestamps[at] = part.timestamps[i]
      values[at++] = part.values[i]
    }
  }
  return { timestamps: timestamps.subarray(0, at), values: values.subarray(0, at) }
}

/** The newest point of every series, from its own table or from the index. */
export async function* latestPoints(context: ReadContext): AsyncGenerator<LatestColumns> {
  const from = context.keepsLatest
    ? 'latest l'
    : `LATERAL (SELECT p.series_id, p.time, p.value, p.text FROM points p
        WHERE p.series_id = s.id ORDER BY p.time DESC LIMIT 1) l`
  type Row = [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer | null, Buffer | null]
  for (let after = 0; ;) {
    const rows = (await copyOut(
      context.pool,
      `SELECT s.id, s.tenant, s.device, s.metric, l.time, l.value, l.text
        FROM series s JOIN ${from} ON l.series_id = s.id WHERE s.id > ${after}
        ORDER BY s.id LIMIT ${LATEST_ROWS}`,
    )) as Row[]
    if (rows.length > 0) yield latestColumns(rows)
    if (rows.length < LATEST_ROWS) return
    after = readInt8(rows[rows.length - 1][0])
  }
}

function latestColumns(
  rows: readonly (readonly [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer | null,
    Buffer | null,
  ])[],
): LatestColumns {
  return {
    tenants: rows.map(row => readText(row[1])),
    devices: rows.map(row => readText(row[2])),
    metrics: rows.map(row => readText(row[3])),
    timestamps: Float64Array.from(rows, row => readTime(row[4])),
    values: Float64Array.from(rows, row => (row[5] === null ? NaN : row[5].readDoubleBE())),
    texts: rows.map(row => (row[6] === null ? undefined : readText(row[6]))),
  }
}
