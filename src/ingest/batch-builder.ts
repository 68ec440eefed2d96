import type { Batch } from '../model/batch.ts'
import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import { nextEpoch, type SeriesMarks } from './series-marks.ts'

const INITIAL_POINTS = 1024
/** Columns that grew beyond this are dropped after a seal, so that one huge request is not kept. */
const KEEP_POINTS = 1 << 18

export type PointVisitor = (metric: string, timeUs: number, value: number | string) => void

/**
 * The open batch of a tenant: dialects append points straight into its columns, many requests
 * one after the other, until the gate seals it into a `Batch`. No object is made for a point.
 */
export class BatchBuilder {
  readonly tenant: string
  readonly #table: SeriesTable
  readonly #marks: SeriesMarks
  #epoch = nextEpoch()
  #points = 0
  #timestamps = new Float64Array(INITIAL_POINTS)
  #values = new Float64Array(INITIAL_POINTS)
  #seriesIndex = new Uint32Array(INITIAL_POINTS)
  #texts: (string | undefined)[] | undefined
  #textBytes = 0
  #series: number[] = []

  constructor(tenant: string, table: SeriesTable, marks: SeriesMarks) {
    this.tenant = tenant
    this.#table = table
    this.#marks = marks
  }

  get points(): number {
    return this.#points
  }

  /** About what the batch takes in memory and as a frame. */
  get bytes(): number {
    return this.#points * 20 + this.#textBytes
  }

  /** `series` is an id of the process's series table; `timeUs` and `value` have been checked. */
  addNumber(series: number, timeUs: number, value: number): void {
    const at = this.#points
    if (at === this.#timestamps.length) this.#grow()
    this.#timestamps[at] = timeUs
    this.#values[at] = value
    this.#seriesIndex[at] = this.#place(series)
    this.#points = at + 1
  }

  addText(series: number, timeUs: number, text: string): void {
    this.#texts ??= []
    this.#texts[this.#points] = text
    this.#textBytes += textBytes(text)
    this.addNumber(series, timeUs, NaN)
  }

  /** Calls `visit` with each point from `from` on, in the order of their arrival. */
  visit(from: number, visit: PointVisitor): void {
    for (let at = from; at < this.#points; at++) {
      const series = this.#series[this.#seriesIndex[at]]
      visit(
        this.#table.metricOf(series),
        this.#timestamps[at],
        this.#texts?.[at] ?? this.#values[at],
      )
    }
  }

  /** Calls `visit` with each device and its points from `from` on; neighbours are one call. */
  visitDevices(from: number, visit: (device: DeviceEntry, points: number) => void): void {
    let device: DeviceEntry | undefined
    let points = 0
    for (let at = from; at < this.#points; at++) {
      const next = this.#table.deviceOf(this.#series[this.#seriesIndex[at]])
      if (next !== device) {
        if (device !== undefined) visit(device, points)
        device = next
        points = 0
      }
      points++
    }
    if (device !== undefined) visit(device, points)
  }

  /** Takes back every point from `points` on. */
  rollback(points: number): void {
    this.#points = points
    const texts = this.#texts
    if (texts === undefined || texts.length <= points) return
    for (let at = points; at < texts.length; at++) this.#textBytes -= textBytes(texts[at])
    texts.length = points
  }

  /** The batch of everything added since the last seal, and an empty builder again. */
  seal(): Batch {
    const n = this.#points
    const seriesIndex = this.#seriesIndex.slice(0, n)
    const series = this.#usedSeries(seriesIndex)
    const texts = this.#texts
    if (texts !== undefined) texts.length = n
    const batch: Batch = {
      ...this.#dictionary(series),
      seriesIndex,
      timestamps: this.#timestamps.slice(0, n),
      values: this.#values.slice(0, n),
      ...(texts === undefined ? {} : { texts }),
    }
    this.#table.remember(batch, Uint32Array.from(series))
    this.#reset()
    return batch
  }

  #place(series: number): number {
    const marks = this.#marks
    if (series >= marks.seriesEpoch.length) marks.growSeries(series)
    if (marks.seriesEpoch[series] === this.#epoch) return marks.seriesPlace[series]
    const place = this.#series.length
    marks.seriesEpoch[series] = this.#epoch
    marks.seriesPlace[series] = place
    this.#series.push(series)
    return place
  }

  /** Drops series that a rollback left without points, renumbering `seriesIndex` in place. */
  #usedSeries(seriesIndex: Uint32Array): number[] {
    const places = new Int32Array(this.#series.length).fill(-1)
    for (let i = 0; i < seriesIndex.length; i++) places[seriesIndex[i]] = 0
    if (!places.includes(-1)) return this.#series
    const used: number[] = []
    for (let s = 0; s < places.length; s++) {
      if (places[s] === 0) places[s] = used.push(this.#series[s]) - 1
    }
    for (let i = 0; i < seriesIndex.length; i++) seriesIndex[i] = places[seriesIndex[i]]
    return used
  }

  #dictionary(
    series: readonly number[],
  ): Pick<Batch, 'tenant' | 'devices' | 'metrics' | 'seriesDevice' | 'seriesMetric'> {
    const devices: string[] = []
    const metrics: string[] = []
    const seriesDevice = new Uint32Array(series.length)
    const seriesMetric = new Uint32Array(series.length)
    const marks = this.#marks
    const epoch = nextEpoch()
    for (let s = 0; s < series.length; s++) {
      const device: DeviceEntry = this.#table.deviceOf(series[s])
      if (device.id >= marks.deviceEpoch.length) marks.growDevices(device.id)
      if (marks.deviceEpoch[device.id] !== epoch) {
        marks.deviceEpoch[device.id] = epoch
        marks.devicePlace[device.id] = devices.push(device.name) - 1
      }
      seriesDevice[s] = marks.devicePlace[device.id]
      const metric = this.#table.metricIdOf(series[s])
      if (metric >= marks.metricEpoch.length) marks.growMetrics(metric)
      if (marks.metricEpoch[metric] !== epoch) {
        marks.metricEpoch[metric] = epoch
        marks.metricPlace[metric] = metrics.push(this.#table.metricOf(series[s])) - 1
      }
      seriesMetric[s] = marks.metricPlace[metric]
    }
    return { tenant: this.tenant, devices, metrics, seriesDevice, seriesMetric }
  }

  #grow(): void {
    const length = this.#timestamps.length * 2
    this.#timestamps = copyInto(new Float64Array(length), this.#timestamps)
    this.#values = copyInto(new Float64Array(length), this.#values)
    this.#seriesIndex = copyInto(new Uint32Array(length), this.#seriesIndex)
  }

  #reset(): void {
    this.#epoch = nextEpoch()
    this.#points = 0
    this.#texts = undefined
    this.#textBytes = 0
    this.#series = []
    if (this.#timestamps.length > KEEP_POINTS) {
      this.#timestamps = new Float64Array(INITIAL_POINTS)
      this.#values = new Float64Array(INITIAL_POINTS)
      this.#seriesIndex = new Uint32Array(INITIAL_POINTS)
    }
  }
}

/** At most: of ASCII it is a third. */
const textBytes = (text: string | undefined): number => 3 * (text?.length ?? 0)

function copyInto<T extends Float64Array | Uint32Array>(target: T, source: T): T {
  target.set(source)
  return target
}
