import type { Batch } from '../model/batch.ts'
import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import type { LatestPoint, LatestView } from '../ports/latest.ts'
import type { LatestColumns } from '../ports/store.ts'

/**
 * The newest point of every series by device time, in memory: columns over the dense series ids of
 * the process. Fed with every batch before it is acknowledged, restored from the store at start.
 * Of two points with the same time the later write wins, as everywhere.
 */
export class LatestTable implements LatestView {
  readonly #table: SeriesTable
  #times = new Float64Array(1024).fill(-1)
  #values = new Float64Array(1024)
  readonly #texts = new Map<number, string>()
  /** By tenant, the device of the newest point of all. */
  readonly #newest = new Map<string, { device: DeviceEntry; timeUs: number }>()

  constructor(table: SeriesTable) {
    this.#table = table
  }

  /** Hot: once for every durable batch. */
  update(batch: Batch): void {
    const ids = this.#table.resolve(batch)
    this.#reserve()
    const { seriesIndex, timestamps, values, texts } = batch
    const times = this.#times
    const newest = this.#values
    let newestAt = 0
    for (let i = 0; i < timestamps.length; i++) {
      if (timestamps[i] >= timestamps[newestAt]) newestAt = i
      const series = ids[seriesIndex[i]]
      if (timestamps[i] < times[series]) continue
      times[series] = timestamps[i]
      const value = values[i]
      if (value !== value && texts?.[i] !== undefined) this.#texts.set(series, texts[i] ?? '')
      else if (newest[series] !== newest[series]) this.#texts.delete(series)
      newest[series] = value
    }
    if (timestamps.length > 0) this.#seeNewest(ids[seriesIndex[newestAt]], timestamps[newestAt])
  }

  /** What the store holds, at start, before the log is replayed. */
  restore(columns: LatestColumns): void {
    const { tenants, devices, metrics, timestamps, values, texts } = columns
    for (let i = 0; i < timestamps.length; i++) {
      const series = this.#table.series(this.#table.device(tenants[i], devices[i]), metrics[i])
      this.#reserve()
      if (timestamps[i] < this.#times[series]) continue
      this.#times[series] = timestamps[i]
      this.#values[series] = values[i]
      const text = texts[i]
      if (text === undefined) this.#texts.delete(series)
      else this.#texts.set(series, text)
      this.#seeNewest(series, timestamps[i])
    }
  }

  /** The device of the tenant's newest point. */
  newestDevice(tenant: string): DeviceEntry | undefined {
    return this.#newest.get(tenant)?.device
  }

  /** The time of the series' newest point, -1 when there is none. */
  timeOf(series: number): number {
    return series < this.#times.length ? this.#times[series] : -1
  }

  point(series: number): LatestPoint | undefined {
    if (!(this.#times[series] >= 0)) return undefined
    const value = this.#values[series]
    return {
      metric: this.#table.metricOf(series),
      timeUs: this.#times[series],
      value: value === value ? value : (this.#texts.get(series) ?? ''),
    }
  }

  /** The newest value of each metric of a device, or of `metrics` only; empty when there is none. */
  device(device: DeviceEntry, metrics?: readonly string[]): LatestPoint[] {
    const points: LatestPoint[] = []
    for (const [metric, series] of device.series) {
      if (metrics !== undefined && metrics.length > 0 && !metrics.includes(metric)) continue
      const point = this.point(series)
      if (point !== undefined) points.push(point)
    }
    return points
  }

  #seeNewest(series: number, timeUs: number): void {
    const device = this.#table.deviceOf(series)
    const newest = this.#newest.get(device.tenant)
    if (newest === undefined) this.#newest.set(device.tenant, { device, timeUs })
    else if (timeUs >= newest.timeUs) {
      newest.device = device
      newest.timeUs = timeUs
    }
  }

  #reserve(): void {
    const needed = this.#table.seriesCount
    const have = this.#times.length
    if (needed <= have) return
    const times = new Float64Array(2 * needed).fill(-1, have)
    const values = new Float64Array(2 * needed)
    times.set(this.#times)
    values.set(this.#values)
    this.#times = times
    this.#values = values
  }
}
