import { deviceIdProblem, nameProblem } from '../model/names.ts'
import type { Rejection, RejectReason } from '../model/rejection.ts'
import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import { isoFromTime, MAX_TIME_US, timeFromIso, timeFromNumber } from '../model/time.ts'
import type { Violations } from '../model/violation.ts'
import type { BatchBuilder, PointVisitor } from './batch-builder.ts'
import { InexactNumber } from './json.ts'
import type { DeviceRates } from './device-rates.ts'
import type { DevicePolicy, IngestLimits } from './limits.ts'
import { seriesRefusal } from './series-room.ts'
import type { ValueCheck } from './value-check.ts'

/** The fast way of plain bodies; false: not plain, decode it anew (see `MessageScanner`). */
export interface BodyScanner {
  scanMessages(body: Buffer, sink: PointSink): boolean
  scanRecord(body: Buffer, sink: PointSink, target: RecordTarget): boolean
}

/** Whose metrics a flat record holds, and which of its fields is the time. */
export interface RecordTarget {
  readonly device: DeviceEntry
  readonly timeField: string
}

export interface SinkContext {
  readonly table: SeriesTable
  readonly scanner: BodyScanner
  readonly limits: IngestLimits
  readonly devices: DevicePolicy
  /** What products declare; absent: nothing. */
  readonly values?: ValueCheck
}

/** How a time is refused. */
export interface TimeRefusal {
  readonly field: string
  /** The time as the client wrote it. */
  readonly shown: string
  /** What it is not, for a time that is none. */
  readonly invalid: string
}

export interface SinkBegin {
  readonly nowMs: number
  /** The one device that the sender may write; undefined: any. */
  readonly only?: string | undefined
  /** Refuses devices that have sent too much. */
  readonly rates?: DeviceRates | undefined
}

/** Refusals kept in full; beyond it they are counted but not listed one by one. */
const MAX_LISTED_REJECTIONS = 1000

/**
 * Where a dialect puts the points of one request: checks names, times and values, appends what is
 * good to the open batch and notes what is not. One sink serves one request at a time, synchronously.
 *
 * Dialects set `index` to the item they are at; every refusal names it.
 */
export class PointSink {
  /** The place in the request of the item being decoded. */
  index = 0
  /** Arrival of the request, microseconds: the time of points that bring none. */
  arrivalUs = 0
  /** An integer beyond 2^53 passed by: JSON may have rounded it (see `decodeJson`). */
  sawLargeInteger = false
  /** The JSON was parsed exactly: large integers that come now are what the client wrote. */
  exactNumbers = false
  readonly #context: SinkContext
  #builder!: BatchBuilder
  #mark = 0
  #itemMark = 0
  #itemRejections = 0
  #itemUnlisted = 0
  #itemIndex = 0
  #device!: DeviceEntry
  #timeUs = 0
  /** Where the value stands that is being put (`data`). */
  #field = ''
  /** Set while products of the tenant declare what values must be. */
  #values: ValueCheck | undefined
  #depth = 0
  #latestUs = 0
  #rejections: Rejection[] = []
  #unlisted = 0
  #only: string | undefined
  #rates: DeviceRates | undefined

  constructor(context: SinkContext) {
    this.#context = context
  }

  get scanner(): BodyScanner {
    return this.#context.scanner
  }

  begin(builder: BatchBuilder, { nowMs, only, rates }: SinkBegin): void {
    this.#builder = builder
    this.#only = only
    this.#rates = rates
    this.#mark = builder.points
    this.arrivalUs = nowMs * 1000
    this.#latestUs = Math.min(MAX_TIME_US, (nowMs + this.#context.limits.maxFutureMs) * 1000)
    this.#rejections = []
    this.#unlisted = 0
    const { values } = this.#context
    this.#values = values?.begin(builder.tenant) === true ? values : undefined
    this.item(0)
  }

  /** A body of its own begins, the `index`th of the request: what `restart` goes back to. */
  item(index: number): void {
    this.#itemMark = this.#builder.points
    this.#itemRejections = this.#rejections.length
    this.#itemUnlisted = this.#unlisted
    this.#itemIndex = index
    this.#values?.item()
    this.index = index
    this.exactNumbers = false
    this.sawLargeInteger = false
  }

  /** Forgets everything of this body, to decode it anew. */
  restart(): void {
    this.#builder.rollback(this.#itemMark)
    this.#rejections.length = this.#itemRejections
    this.#unlisted = this.#itemUnlisted
    this.#values?.restart()
    this.sawLargeInteger = false
    this.index = this.#itemIndex
  }

  get accepted(): number {
    return this.#builder.points - this.#mark
  }

  /** Points of the body that is being decoded. */
  get #itemPoints(): number {
    return this.#builder.points - this.#itemMark
  }

  /** What of this request is accepted so far, for dialects that answer with the stored record. */
  visitAccepted(visit: PointVisitor): void {
    this.#builder.visit(this.#mark, visit)
  }

  get rejections(): readonly Rejection[] {
    const points = this.#unlisted
    if (points === 0) return this.#rejections
    const detail = `${points} further points were refused; only the first refusals are listed`
    const rest: Rejection = { index: this.index, field: '', detail, reason: 'unlisted', points }
    return [...this.#rejections, rest]
  }

  /** Values of this request that are not as their product declares them. */
  get violations(): Violations | undefined {
    return this.#values?.found()
  }

  get tenant(): string {
    return this.#builder.tenant
  }

  /** Whether a known device may send now. */
  admits(device: DeviceEntry): boolean {
    if (this.#only !== undefined && device.name !== this.#only) return false
    if (this.#rates !== undefined && this.#waitMs(device) > 0) return false
    return this.#context.devices.admits(device)
  }

  /** Whether so many points at that time are within the bounds. */
  takes(timeUs: number, points: number): boolean {
    const { maxPointsPerRequest } = this.#context.limits
    return timeUs <= this.#latestUs && this.#itemPoints + points <= maxPointsPerRequest
  }

  /** Whether products of the tenant declare what values must be: then `checkedPoint`, else `point`. */
  get checksValues(): boolean {
    return this.#values !== undefined
  }

  /** Whether a product says what values of the series must be: then not `point` or `text`. */
  isDeclared(series: number): boolean {
    return this.#values?.isDeclared(series) === true
  }

  /** One point of a known series that has passed every check (`admits`, `takes`, finite). */
  point(series: number, timeUs: number, value: number): void {
    this.#builder.addNumber(series, timeUs, value)
  }

  /** The same for a text of ASCII. */
  text(series: number, timeUs: number, text: string): void {
    this.#builder.addText(series, timeUs, text)
  }

  /** Whether a text of so many bytes is within the bound. */
  takesText(bytes: number): boolean {
    return bytes <= this.#context.limits.maxTextBytes
  }

  /** The message is of that time, and its metrics stand in `field` of the item `index`. */
  checkedMessage(timeUs: number, field: string): void {
    this.#at(timeUs)
    this.#field = field
  }

  /** The same as `point`, but for what the device's product declares. */
  checkedPoint(series: number, value: number, isBoolean: boolean): void {
    const values = this.#values
    if (values !== undefined && !values.takes(series, value, isBoolean)) {
      this.#refuseUndeclared(series, values)
      return
    }
    this.#builder.addNumber(series, this.#timeUs, value)
  }

  /** The device of that name, or undefined when it was refused. */
  device(name: unknown, field = 'device_id'): DeviceEntry | undefined {
    const { table, devices } = this.#context
    if (typeof name !== 'string') {
      this.reject(field, name === undefined ? 'is missing' : 'must be a string', 'invalid_name')
      return undefined
    }
    if (this.#only !== undefined && name !== this.#only) {
      this.reject(field, `this key may write ${JSON.stringify(this.#only)} only`, 'forbidden')
      return undefined
    }
    const known = table.findDevice(this.#builder.tenant, name)
    if (known !== undefined && devices.admits(known)) {
      return this.#refusesRate(known, field) ? undefined : known
    }
    const problem = deviceIdProblem(name)
    if (problem !== undefined) {
      this.reject(field, problem, 'invalid_name')
    } else if (known !== undefined || !devices.admitsNew(this.#builder.tenant, name)) {
      // A token is not repeated, in an answer or in a log.
      const shown = field === 'token' ? 'with this token' : JSON.stringify(name)
      this.reject(field, `device ${shown} is not registered`, 'unknown_device')
    } else return table.device(this.#builder.tenant, name)
    return undefined
  }

  #waitMs(device: DeviceEntry): number {
    return this.#rates?.waitMs(device, this.arrivalUs / 1000) ?? 0
  }

  #refusesRate(device: DeviceEntry, field: string): boolean {
    const retryAfterMs = this.#waitMs(device)
    if (retryAfterMs === 0) return false
    const rate = `${this.#rates?.pointsPerSecond} points a second (limits.devicePointsPerSecond)`
    const detail = `${JSON.stringify(device.name)} may send ${rate}; again in ${retryAfterMs} ms`
    this.rejectPoints(1, { field, detail, reason: 'rate_limited', retryAfterMs })
    return true
  }

  /**
   * Microseconds of a client's time, the arrival when there is none, or NaN when it was refused,
   * and with it the `points` that were to have it.
   */
  time(value: unknown, field = 'timestamp', points = 1): number {
    if (value === undefined || value === null) return this.arrivalUs
    let time = NaN
    if (typeof value === 'number') time = timeFromNumber(value)
    else if (typeof value === 'string') time = timeFromIso(value)
    else if (value instanceof InexactNumber) time = value.timeUs()
    if (time <= this.#latestUs) {
      if (typeof value === 'number' && value > Number.MAX_SAFE_INTEGER) this.#large()
      return time
    }
    const invalid = 'is not an ISO 8601 time or a number of s, ms, µs or ns'
    this.#refuseTime(time, points, { field, shown: String(value), invalid })
    return NaN
  }

  /**
   * The same for a time whose unit is known: `timeUs`, or NaN when it was refused, and with it the
   * `points` that were to have it. `shown` is what the client wrote, `invalid` what it is not.
   */
  unitTime(timeUs: number, points: number, refusal: TimeRefusal): number {
    if (timeUs >= 0 && timeUs <= this.#latestUs) return timeUs
    this.#refuseTime(timeUs, points, refusal)
    return NaN
  }

  #refuseTime(time: number, points: number, { field, shown, invalid }: TimeRefusal): void {
    if (time > this.#latestUs) {
      const name = time > MAX_TIME_US ? shown : isoFromTime(time)
      const bound = `${this.#context.limits.maxFutureMs} ms ahead of the clock`
      const detail = `${name} is more than ${bound} (ingest.maxFutureMs)`
      this.rejectPoints(points, { field, detail, reason: 'future_time' })
    } else this.rejectPoints(points, { field, detail: invalid, reason: 'invalid_time' })
  }

  /** Says of which device and time the metrics are that come next. */
  message(device: DeviceEntry, timeUs: number): void {
    this.#device = device
    this.#at(timeUs)
  }

  /** A flat or nested object of metrics; `field` is where it stands in the item. */
  metrics(data: object, field: string): void {
    const record = data as Record<string, unknown>
    let empty = true
    for (const name in record) {
      empty = false
      this.#put(name, record[name], field)
    }
    if (empty) this.reject(field, 'has no metrics', 'malformed')
  }

  /** One metric; `field` is the object it stands in, so that a refusal names `field.name`. */
  metric(name: string, value: unknown, field: string): void {
    this.#put(name, value, field)
  }

  #put(name: string, value: unknown, field: string): void {
    this.#field = field
    if (typeof value === 'number') {
      if (value - value === 0) {
        if (value > Number.MAX_SAFE_INTEGER || value < -Number.MAX_SAFE_INTEGER) this.#large()
        const series = this.#series(name, field)
        if (series >= 0) this.checkedPoint(series, value, false)
      } else this.#refuseValue(field, name, 'is beyond the range of a float64')
    } else if (typeof value === 'boolean') {
      const series = this.#series(name, field)
      if (series >= 0) this.checkedPoint(series, value ? 1 : 0, true)
    } else if (typeof value === 'string') this.#putText(name, value, field)
    else if (value instanceof InexactNumber) this.#putInexact(name, value.source, field)
    else if (Array.isArray(value) || value === null || typeof value !== 'object') {
      const kind = value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value
      this.#refuseValue(field, name, `must be a number, boolean, string or object, not ${kind}`)
    } else this.#putNested(name, value as Record<string, unknown>, field)
  }

  #putInexact(name: string, source: string, field: string): void {
    const nearest = Number(source)
    if (String(nearest) !== source) {
      const detail = `${source} has no exact float64; send it as a string`
      this.reject(path(field, name), detail, 'inexact_number')
      return
    }
    // The shortest way to write a float64, which is how programs write theirs: it reads back the same.
    const series = this.#series(name, field)
    if (series >= 0) this.checkedPoint(series, nearest, false)
  }

  #putText(name: string, text: string, field: string): void {
    const { maxTextBytes } = this.#context.limits
    if (3 * text.length > maxTextBytes && Buffer.byteLength(text) > maxTextBytes) {
      const detail = `is longer than ${maxTextBytes} bytes (ingest.maxTextBytes)`
      this.reject(path(field, name), detail, 'too_long')
    } else if (!text.isWellFormed()) {
      this.#refuseValue(field, name, 'must be well-formed Unicode (it has half a surrogate pair)')
    } else {
      const series = this.#series(name, field)
      if (series >= 0) this.#addText(series, text)
    }
  }

  #addText(series: number, text: string): void {
    const values = this.#values
    if (values !== undefined && !values.takesText(series)) {
      this.#refuseUndeclared(series, values)
      return
    }
    this.#builder.addText(series, this.#timeUs, text)
  }

  /** The value is not as its product declares it, which wants it refused. */
  #refuseUndeclared(series: number, values: ValueCheck): void {
    const { detail, reason } = values.refusal()
    this.reject(path(this.#field, this.#context.table.metricOf(series)), detail, reason)
  }

  /** Objects in objects become `outer.inner`; a stack instead of recursion bounds the depth. */
  #putNested(prefix: string, record: Record<string, unknown>, field: string): void {
    if (++this.#depth >= this.#context.limits.maxDepth) {
      const detail = `is nested deeper than ${this.#context.limits.maxDepth} (ingest.maxDepth)`
      this.reject(path(field, prefix), detail, 'too_deep')
    } else {
      let empty = true
      for (const name in record) {
        empty = false
        this.#put(`${prefix}.${name}`, record[name], field)
      }
      if (empty) this.#refuseValue(field, prefix, 'is an empty object')
    }
    this.#depth--
  }

  #series(name: string, field: string): number {
    const known = this.#device.series.get(name)
    const limits = this.#context.limits
    if (known === undefined) {
      const problem = nameProblem(name)
      if (problem !== undefined) {
        this.reject(path(field, name), `metric name ${problem}`, 'invalid_name')
        return -1
      }
      const fresh = { tenant: this.#builder.tenant, count: 1 }
      const refusal = seriesRefusal(this.#context.table, limits, fresh)
      if (refusal !== undefined) {
        this.reject(path(field, name), refusal, 'limit')
        return -1
      }
    }
    if (this.#itemPoints >= limits.maxPointsPerRequest) {
      const detail = `the request has more than ${limits.maxPointsPerRequest} points (ingest.maxPointsPerRequest)`
      this.reject(path(field, name), detail, 'limit')
      return -1
    }
    return known ?? this.#context.table.series(this.#device, name)
  }

  #refuseValue(field: string, name: string, detail: string): void {
    this.reject(path(field, name), detail, 'invalid_value')
  }

  #at(timeUs: number): void {
    this.#timeUs = timeUs
    if (this.#values !== undefined) this.#values.timeUs = timeUs
  }

  #large(): void {
    if (!this.exactNumbers) this.sawLargeInteger = true
  }

  /**
   * One metric's column of a device: a value for each time, NaN in `times` marking rows that are
   * refused and counted already. Numbers of a known series are appended without a look-up each.
   */
  column(
    device: DeviceEntry,
    name: string,
    { times, values }: { times: Float64Array; values: readonly unknown[] },
  ): void {
    this.#device = device
    const room = this.#context.limits.maxPointsPerRequest - this.#itemPoints
    const series = device.series.get(name) ?? -1
    for (let i = 0; i < times.length; i++) {
      const timeUs = times[i]
      const value = values[i]
      this.index = i
      if (timeUs !== timeUs) continue
      if (series >= 0 && i < room && typeof value === 'number' && isPlain(value)) {
        if (this.#values === undefined) this.#builder.addNumber(series, timeUs, value)
        else {
          this.checkedMessage(timeUs, 'metrics')
          this.checkedPoint(series, value, false)
        }
      } else {
        this.#at(timeUs)
        this.#put(name, value, 'metrics')
      }
    }
  }

  /** Refuses one point, or an item of which nobody knows how many points it was to be. */
  reject(field: string, detail: string, reason: RejectReason): void {
    this.rejectPoints(1, { field, detail, reason })
  }

  /** Tells the client something about the item that costs no point, such as a stray field. */
  remark(field: string, detail: string, reason: RejectReason): void {
    this.rejectPoints(0, { field, detail, reason })
  }

  rejectPoints(points: number, refusal: Omit<Rejection, 'index' | 'points'>): void {
    if (this.#rejections.length < MAX_LISTED_REJECTIONS) {
      this.#rejections.push({ index: this.index, ...refusal, points })
    } else this.#unlisted += points
  }
}

/** `data.temperature`; names are cut, because a refused name may be of any length. */
function path(field: string, name: string): string {
  const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name
  return field === '' ? shown : `${field}.${shown}`
}

/** Finite, and not an integer that JSON may have rounded. */
function isPlain(value: number): boolean {
  return value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER
}
