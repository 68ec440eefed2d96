import { WeirError } from '../../ports/errors.ts'
import type {
  AnswerBound,
  BucketRead,
  DownsampleRead,
  LatestColumns,
  RawRead,
  SeriesSelector,
} from '../../ports/store.ts'
import { planAggregates } from '../aggregates.ts'
import { AnswerRoom } from '../answer-room.ts'
import { DamagedBlock } from './block-reader.ts'
import { readBuckets } from './buckets.ts'
import type { Engine } from './engine.ts'
import { downsample, numericPoints } from '../lttb.ts'
import type { PackedSeries } from './protocol.ts'
import { readPoints } from './raw.ts'
import type { Points } from './raw.ts'
import { Turns } from './turns.ts'

/** Longest turn of a query before other messages are served. */
const TURN_MS = 5
/** Series a chunk of `latest`. */
const LATEST_SERIES = 8192

export interface FoundSeries {
  readonly device: string
  readonly metric: string
  readonly columns: readonly Float64Array[]
  readonly texts?: readonly (string | undefined)[] | undefined
}

export function readRaw(engine: Engine, request: RawRead): Promise<PackedSeries> {
  const { select, range, order, bound } = request
  return forEach(engine, { select, columnCount: 2, bound }, (series, room) => {
    const limit = Math.min(request.limit, room + 1)
    const points = readPoints(engine, { series, start: range.start, end: range.end, order, limit })
    return points === undefined ? undefined : columnsOf(points)
  })
}

export async function readAllBuckets(engine: Engine, request: BucketRead): Promise<PackedSeries> {
  const { range, intervalUs, select, bound } = request
  if (!(intervalUs > 0 && Number.isSafeInteger(intervalUs))) {
    throw new WeirError('rejected', `an interval of ${intervalUs} microseconds is not possible`)
  }
  const plan = planAggregates(request.aggregates)
  const columnCount = 1 + plan.aggregates.length
  return forEach(engine, { select, columnCount, bound }, (series, room) => {
    const { start, end } = range
    const buckets = readBuckets(engine, { series, start, end, intervalUs, plan, room })
    return buckets === undefined ? undefined : { columns: [buckets.timestamps, ...buckets.columns] }
  })
}

export function readDownsampled(engine: Engine, request: DownsampleRead): Promise<PackedSeries> {
  const { start, end } = request.range
  const { select, bound } = request
  return forEach(engine, { select, columnCount: 2, bound }, series => {
    const order = 'asc'
    const points = readPoints(engine, { series, start, end, order, limit: Infinity })
    if (points === undefined) return undefined
    const sampled = downsample(numericPoints(points), request.maxPoints)
    return sampled.timestamps.length === 0 ? undefined : columnsOf(sampled)
  })
}

/** The newest durable points of series from id `from` on, and where the next chunk begins. */
export function readLatest(
  engine: Engine,
  from: number,
): { latest: LatestColumns; next: number | undefined } {
  const { table, columns } = engine
  const known = Math.min(table.seriesCount, columns.durableTime.length)
  const to = Math.min(known, from + LATEST_SERIES)
  const latest = {
    ...{ tenants: [] as string[], devices: [] as string[], metrics: [] as string[] },
    ...{ texts: [] as (string | undefined)[] },
  }
  const places: number[] = []
  for (let series = from; series < to; series++) {
    if (columns.durableTime[series] === -Infinity) continue
    const device = table.deviceOf(series)
    places.push(series)
    latest.tenants.push(device.tenant)
    latest.devices.push(device.name)
    latest.metrics.push(table.metricOf(series))
    latest.texts.push(columns.durableTexts.get(series))
  }
  const timestamps = Float64Array.from(places, series => columns.durableTime[series])
  const values = Float64Array.from(places, series => columns.durableValue[series])
  return { latest: { ...latest, timestamps, values }, next: to < known ? to : undefined }
}

function columnsOf({ timestamps, values, texts }: Points): Omit<FoundSeries, 'device' | 'metric'> {
  return { columns: [timestamps, values], texts }
}

interface Gathering {
  readonly select: SeriesSelector
  readonly columnCount: number
  readonly bound: AnswerBound | undefined
}

/**
 * Reads the selected series one by one, between messages, and packs what is not empty. `read` is
 * told how much there is room for: it need not go on when it has more.
 */
async function forEach(
  engine: Engine,
  { select, columnCount, bound }: Gathering,
  read: (series: number, room: number) => Omit<FoundSeries, 'device' | 'metric'> | undefined,
): Promise<PackedSeries> {
  const turns = new Turns(TURN_MS)
  const room = new AnswerRoom(bound)
  const found: FoundSeries[] = []
  for (const { device, metric, series } of selected(engine, select)) {
    if (turns.isOver) await turns.rest()
    try {
      const columns = read(series, room.left)
      if (columns === undefined) continue
      room.take(columns.columns[0].length)
      found.push({ device, metric, ...columns })
    } catch (error) {
      throw nameDamaged(engine, error, { tenant: select.tenant, device, metric })
    }
  }
  return pack(found, columnCount)
}

/** The error of a read of one series, with the names of the series where a block is damaged. */
export function nameDamaged(
  engine: Engine,
  error: unknown,
  { tenant, device, metric }: { tenant: string; device: string; metric: string },
): unknown {
  if (!(error instanceof DamagedBlock)) return error
  const name = `${tenant} / ${device} / ${metric}`
  const message = `a block of ${name} in ${error.path} is damaged: ${String(error.cause)}`
  engine.suspect(error)
  return new WeirError('corrupt', message, { cause: error })
}

interface Selected {
  readonly device: string
  readonly metric: string
  readonly series: number
}

function selected({ table }: Engine, { tenant, devices, metrics }: SeriesSelector): Selected[] {
  const chosen: Selected[] = []
  for (const device of new Set(devices)) {
    const known = table.findDevice(tenant, device)?.series
    if (known === undefined) continue
    for (const metric of metrics.length === 0 ? known.keys() : new Set(metrics)) {
      const series = known.get(metric)
      if (series !== undefined) chosen.push({ device, metric, series })
    }
  }
  return chosen
}

export function pack(found: readonly FoundSeries[], columnCount: number): PackedSeries {
  const lengths = Uint32Array.from(found, ({ columns }) => columns[0].length)
  let total = 0
  for (const length of lengths) total += length
  const all = new Float64Array(total * columnCount)
  const texts: [number, readonly (string | undefined)[]][] = []
  let at = 0
  found.forEach((series, i) => {
    for (const column of series.columns) {
      all.set(column, at)
      at += column.length
    }
    if (series.texts !== undefined) texts.push([i, series.texts])
  })
  return {
    devices: found.map(({ device }) => device),
    metrics: found.map(({ metric }) => metric),
    ...{ lengths, columnCount, texts, columns: all.buffer },
  }
}
