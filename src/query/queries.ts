import { JsonWriter } from '../kit/json-writer.ts'
import type {
  Aggregate,
  BucketRead,
  DownsampleRead,
  RawRead,
  SeriesSelector,
  TimeRange,
} from '../ports/store.ts'
import type { Reads } from './bounded-reads.ts'
import { encodeCursor, type Cursor } from './cursor.ts'
import { writeSeriesBuckets, writeSeriesPoints, writeUnits, type SeriesUnit } from './encode.ts'
import { writeRows } from './rows.ts'

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

/** The unit of a metric; undefined: not known. */
export type UnitOf = (tenant: string, device: string, metric: string) => string | undefined

/**
 * Answers for history as JSON in UTF-8, read from the store. Every answer is exact: late and
 * repeated points are merged by the store. Errors are the store's.
 */
export class Queries {
  readonly #store: Reads
  readonly #unitOf: UnitOf
  /** Answers are written without waiting in between, so one does for all. */
  readonly #writer = new JsonWriter()

  /** `unitOf` is asked once a series of an answer; absent: answers tell no units. */
  constructor(store: Reads, unitOf: UnitOf = () => undefined) {
    this.#store = store
    this.#unitOf = unitOf
  }

  /** `{device_id, count, limit, units?, data: [{timestamp, …metrics}], next_cursor}`: a page of rows. */
  async rows(request: RowsRequest): Promise<Uint8Array> {
    const { tenant, device, metrics, limit, cursor } = request
    const order = cursor?.order ?? request.order
    const series = await this.#store.read({
      select: { tenant, devices: [device], metrics },
      range: cursor === undefined ? request.range : after(request.range, cursor),
      limit: limit + 1,
      order,
    })
    const writer = this.#writer
    writer.begin()
    writer.ascii('{"device_id":')
    writer.string(device)
    writer.ascii(`,"limit":${limit}`)
    writeUnits(writer, series, this.#unitsOf(tenant))
    writer.ascii(',"data":')
    const { count, moreAfterUs } = writeRows(writer, series, { limit, order })
    const next =
      moreAfterUs === undefined ? 'null' : `"${encodeCursor({ order, timeUs: moreAfterUs })}"`
    writer.ascii(`,"count":${count},"next_cursor":${next}}`)
    return writer.take()
  }

  /** `{start, end, interval, series: [{device_id, metric, timestamps, avg, …}]}`. */
  async buckets(request: BucketsRequest): Promise<Uint8Array> {
    const { select, range, interval, intervalUs, aggregates } = request
    const read: BucketRead = { select, range, intervalUs, aggregates }
    const series = await this.#store.buckets(read)
    const writer = this.#begin(range, `"interval":"${interval}"`)
    writeSeriesBuckets(writer, series, { aggregates, unitOf: this.#unitsOf(select.tenant) })
    return this.#end()
  }

  /** `{start, end, series: [{device_id, metric, timestamps, values}]}`, LTTB to `maxPoints` each. */
  async chart(read: DownsampleRead): Promise<Uint8Array> {
    const series = await this.#store.downsample(read)
    const writer = this.#begin(read.range, `"max_points":${read.maxPoints}`)
    writeSeriesPoints(writer, series, this.#unitsOf(read.select.tenant))
    return this.#end()
  }

  /** `{start, end, series: [{device_id, metric, timestamps, values}]}`, at most `limit` points each. */
  async columns(read: RawRead): Promise<Uint8Array> {
    const series = await this.#store.read(read)
    const writer = this.#begin(read.range, `"limit":${read.limit}`)
    writeSeriesPoints(writer, series, this.#unitsOf(read.select.tenant))
    return this.#end()
  }

  #unitsOf(tenant: string): SeriesUnit {
    return (device, metric) => this.#unitOf(tenant, device, metric)
  }

  #begin({ start, end }: TimeRange, asked: string): JsonWriter {
    const writer = this.#writer
    writer.begin()
    writer.ascii('{"start":')
    writer.time(start)
    writer.ascii(',"end":')
    writer.time(end)
    writer.ascii(`,${asked},"series":`)
    return writer
  }

  #end(): Uint8Array {
    this.#writer.ascii('}')
    return this.#writer.take()
  }
}

function after(range: TimeRange, { order, timeUs }: Cursor): TimeRange {
  return order === 'asc'
    ? { start: Math.max(range.start, timeUs + 1), end: range.end }
    : { start: range.start, end: Math.min(range.end, timeUs) }
}
