import { isoFromTime } from '../model/time.ts'
import type {
  Aggregate,
  BucketRead,
  DownsampleRead,
  RawRead,
  SeriesSelector,
  Store,
  TimeRange,
} from '../ports/store.ts'
import { encodeCursor, type Cursor } from './cursor.ts'
import { encodeSeriesBuckets, encodeSeriesPoints } from './encode.ts'
import { mergeRows } from './rows.ts'

export interface RowsRequest {
  readonly tenant: string
  readonly device: string
  readonly metrics: readonly string[]
  readonly range: TimeRange
  /** Rows, one a time of the device. */
  readonly limit: number
  readonly order: 'asc' | 'desc'
  readonly cursor?: Cursor
}

export interface BucketsRequest {
  readonly select: SeriesSelector
  readonly range: TimeRange
  /** As the client wrote it (`5m`), for the answer. */
  readonly interval: string
  readonly intervalUs: number
  readonly aggregates: readonly Aggregate[]
}

/**
 * Answers for history as JSON text, read from the store. Every answer is exact: late and repeated
 * points are merged by the store. Errors are the store's.
 */
export class Queries {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** `{device_id, data: [{timestamp, …metrics}], next_cursor}`: what was sent, a page at a time. */
  async rows(request: RowsRequest): Promise<string> {
    const { device, limit, order, cursor } = request
    const page = await this.page(request)
    const next =
      page.moreAfterUs === undefined
        ? 'null'
        : `"${encodeCursor({ order: cursor?.order ?? order, timeUs: page.moreAfterUs })}"`
    const head = `{"device_id":${JSON.stringify(device)},"count":${page.count},"limit":${limit}`
    return `${head},"next_cursor":${next},"data":${page.json}}`
  }

  /** The rows alone, for dialects with an envelope of their own. */
  async page(request: RowsRequest): Promise<ReturnType<typeof mergeRows>> {
    const { tenant, device, metrics, limit, cursor } = request
    const order = cursor?.order ?? request.order
    const raw: RawRead = {
      select: { tenant, devices: [device], metrics },
      range: cursor === undefined ? request.range : after(request.range, cursor),
      limit: limit + 1,
      order,
    }
    return mergeRows(await this.#store.read(raw), { limit, order })
  }

  /** `{start, end, interval, series: [{device_id, metric, timestamps, avg, …}]}`. */
  async buckets(request: BucketsRequest): Promise<string> {
    const { interval, aggregates, range } = request
    const read: BucketRead = {
      select: request.select,
      range,
      intervalUs: request.intervalUs,
      aggregates,
    }
    const series = encodeSeriesBuckets(await this.#store.buckets(read), aggregates)
    return `{${encodeRange(range)},"interval":"${interval}","series":${series}}`
  }

  /** `{start, end, series: [{device_id, metric, timestamps, values}]}`, LTTB to `maxPoints` each. */
  async chart(read: DownsampleRead): Promise<string> {
    const series = encodeSeriesPoints(await this.#store.downsample(read))
    return `{${encodeRange(read.range)},"max_points":${read.maxPoints},"series":${series}}`
  }

  /** `{start, end, series: [{device_id, metric, timestamps, values}]}`, at most `limit` points each. */
  async columns(read: RawRead): Promise<string> {
    const series = encodeSeriesPoints(await this.#store.read(read))
    return `{${encodeRange(read.range)},"limit":${read.limit},"series":${series}}`
  }
}

function after(range: TimeRange, { order, timeUs }: Cursor): TimeRange {
  return order === 'asc'
    ? { start: Math.max(range.start, timeUs + 1), end: range.end }
    : { start: range.start, end: Math.min(range.end, timeUs) }
}

function encodeRange({ start, end }: TimeRange): string {
  return `"start":"${isoFromTime(start)}","end":"${isoFromTime(end)}"`
}
