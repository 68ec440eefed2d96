import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import { fixedBytes, type FixedBytes } from './byte-reader.ts'

/** What stands in a slot of a message, between its fixed parts. */
export const SLOT_DEVICE = 0
export const SLOT_TIME = 1
export const SLOT_METRIC = 2

/**
 * The fixed bytes of one kind of message: `{"device_id":"`, `","timestamp":"`, … Devices of a fleet
 * send the same bytes again and again but for the values, so comparing the fixed parts and reading
 * only the slots replaces parsing. A message that matches is JSON, because the one it was taken
 * from was, and the slots hold tokens of the same kind.
 */
export class MessageShape {
  /** The bytes before each slot, and after the last: one more than slots. */
  readonly fixed: readonly FixedBytes[]
  readonly slots: readonly number[]
  /** Whether the time is a string. */
  readonly quotedTime: boolean
  /** The metrics in order, by their ids in the series table. */
  readonly #metrics: readonly number[]
  /** Per device and metric: series + 1; 0 where it was not asked for yet. A device is one run. */
  #series = new Uint32Array(0)

  constructor(parts: ShapeParts) {
    this.fixed = parts.fixed
    this.slots = parts.slots
    this.quotedTime = parts.quotedTime
    this.#metrics = parts.metrics
  }

  /** The device's series of the shape's metric at `place`; -1 when there is none yet. */
  series(device: DeviceEntry, place: number, table: SeriesTable): number {
    const metrics = this.#metrics
    const at = device.id * metrics.length + place
    if (at >= this.#series.length) this.#grow(at)
    const known = this.#series[at]
    if (known > 0) return known - 1
    const series = device.series.get(table.metricName(metrics[place])) ?? -1
    this.#series[at] = series + 1
    return series
  }

  #grow(at: number): void {
    const larger = new Uint32Array(2 * at + 64)
    larger.set(this.#series)
    this.#series = larger
  }
}

interface ShapeParts {
  readonly fixed: readonly FixedBytes[]
  readonly slots: readonly number[]
  readonly metrics: readonly number[]
  readonly quotedTime: boolean
}

/** Notes where the slots of a message are while it is parsed token by token. */
export class ShapeRecorder {
  #begin = 0
  #bounds: number[] = []
  #slots: number[] = []
  #metrics: number[] = []
  #quotedTime = false

  open(at: number): void {
    this.#begin = at
    this.#bounds = []
    this.#slots = []
    this.#metrics = []
    this.#quotedTime = false
  }

  slot(kind: number, from: number, to: number): void {
    this.#slots.push(kind)
    this.#bounds.push(from, to)
  }

  metric(id: number, from: number, to: number): void {
    this.slot(SLOT_METRIC, from, to)
    this.#metrics.push(id)
  }

  time(quoted: boolean, from: number, to: number): void {
    this.slot(SLOT_TIME, from, to)
    this.#quotedTime = quoted
  }

  close(bytes: Uint8Array, end: number): MessageShape {
    const fixed: FixedBytes[] = []
    let from = this.#begin
    for (let i = 0; i < this.#bounds.length; i += 2) {
      fixed.push(fixedBytes(bytes.subarray(from, this.#bounds[i])))
      from = this.#bounds[i + 1]
    }
    fixed.push(fixedBytes(bytes.subarray(from, end)))
    const quotedTime = this.#quotedTime
    return new MessageShape({ fixed, slots: this.#slots, metrics: this.#metrics, quotedTime })
  }
}
