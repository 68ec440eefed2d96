import type { RejectReason } from '../model/rejection.ts'
import type { DeviceEntry } from '../model/series-table.ts'
import { isoFromTime, MAX_TIME_US } from '../model/time.ts'

/** Where decoders put rows: what they use of the gate's sink, which checks names, times and values. */
export interface RowTarget {
  /** The row that comes next; refusals name it. */
  item(index: number): void
  device(name: unknown, field?: string): DeviceEntry | undefined
  time(value: unknown, field?: string, points?: number): number
  takes(timeUs: number, points: number): boolean
  point(series: number, timeUs: number, value: number): void
  message(device: DeviceEntry, timeUs: number): void
  metric(name: string, value: unknown, field: string): void
  reject(field: string, detail: string, reason: RejectReason): void
  rejectPoints(
    points: number,
    refusal: { field: string; detail: string; reason: RejectReason },
  ): void
}

/** What came of an import so far. */
export interface RefusedRow {
  /** Place of the row in the file, from 0: the line of a text (its header too), the row of a table. */
  readonly index: number
  readonly field: string
  readonly detail: string
}

/**
 * Puts rows into a target. Names are remembered from row to row, because files have long runs of the
 * same ones; made anew for every piece, because what a device may do can change.
 */
export class RowWriter {
  readonly target: RowTarget
  #deviceName: string | undefined
  #device: DeviceEntry | undefined
  #metric: string | undefined
  #series = -1
  #timeUs = 0

  constructor(target: RowTarget) {
    this.target = target
  }

  /** Whether the device may send; when not, the row is refused. */
  device(name: string | undefined, field: string): boolean {
    if (this.#device !== undefined && name === this.#deviceName) return true
    this.#deviceName = name
    this.#metric = undefined
    this.#device = this.target.device(name === '' ? undefined : name, field)
    return this.#device !== undefined
  }

  /** Whether a time in microseconds is one that is taken; when not, the row's points are refused. */
  time(timeUs: number, field: string, points: number): boolean {
    this.#timeUs = timeUs
    if (timeUs >= 0 && this.target.takes(timeUs, 0)) return true
    if (timeUs >= 0 && timeUs <= MAX_TIME_US) {
      // Too far ahead: said as for every other door.
      return !Number.isNaN(this.target.time(isoFromTime(timeUs), field, points))
    }
    const detail = 'is not a time of ISO 8601, or a number of the unit asked for, since 1970'
    this.target.rejectPoints(points, { field, detail, reason: 'invalid_time' })
    return false
  }

  /** A number of the device and time given last. */
  number(metric: string, value: number): void {
    if (metric !== this.#metric) {
      this.#metric = metric
      this.#series = this.#device?.series.get(metric) ?? -1
    }
    if (this.#series >= 0 && value - value === 0 && this.target.takes(this.#timeUs, 1)) {
      this.target.point(this.#series, this.#timeUs, value)
    } else this.#slowly(metric, value)
  }

  text(metric: string, text: string): void {
    this.#slowly(metric, text)
  }

  #slowly(metric: string, value: number | string): void {
    if (this.#device === undefined) return
    this.target.message(this.#device, this.#timeUs)
    this.target.metric(metric, value, '')
    this.#metric = undefined
  }
}
