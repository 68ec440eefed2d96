import type { SeriesPoints } from '../../ports/store.ts'
import { RunLengths } from './run-lengths.ts'

/** Rows of a group: what DuckDB and others read in one piece, and some MB here. */
export const GROUP_ROWS = 1 << 17
/** A group is closed before its texts take more. */
const GROUP_TEXT_UNITS = 8 << 20
const TWO_32 = 2 ** 32

/** Names of a column that occur in a group, and which row has which. */
export class NameColumn {
  readonly names: string[] = []
  readonly runs = new RunLengths()
  readonly #places = new Map<string, number>()

  add(name: string, count: number): void {
    let place = this.#places.get(name)
    if (place === undefined) {
      place = this.names.push(name) - 1
      this.#places.set(name, place)
    }
    this.runs.add(place, count)
  }
}

/** The columns of a row group while it fills. */
export class RowGroup {
  rows = 0
  /** Little-endian int64, as two halves. */
  readonly times: Uint32Array
  firstTime = Infinity
  lastTime = -Infinity
  readonly devices = new NameColumn()
  readonly metrics = new NameColumn()
  /** Of the rows that have a number. */
  readonly values: Float64Array
  numbers = 0
  /** 1 for a row with a number, 0 for one without. */
  readonly hasNumber = new RunLengths()
  readonly hasText = new RunLengths()
  readonly texts: string[] = []
  #textUnits = 0

  /** In the memory of one that has been written, if there is one. */
  constructor(written?: RowGroup) {
    this.times = written?.times ?? new Uint32Array(2 * GROUP_ROWS)
    this.values = written?.values ?? new Float64Array(GROUP_ROWS)
  }

  get isFull(): boolean {
    return this.rows === GROUP_ROWS || this.#textUnits >= GROUP_TEXT_UNITS
  }

  /** Takes points from place `from` on; returns where it stopped. */
  add(points: SeriesPoints, from: number): number {
    const to = Math.min(points.timestamps.length, from + GROUP_ROWS - this.rows)
    const end =
      points.texts === undefined
        ? this.#addNumbers(points.values, from, to)
        : this.#addMixed(points, from, to)
    this.#addTimes(points.timestamps, from, end)
    this.devices.add(points.device, end - from)
    this.metrics.add(points.metric, end - from)
    this.rows += end - from
    return end
  }

  #addTimes(timestamps: Float64Array, from: number, to: number): void {
    if (from === to) return
    const { times } = this
    let at = 2 * this.rows
    for (let i = from; i < to; i++) {
      const time = timestamps[i]
      const high = Math.floor(time / TWO_32)
      times[at++] = time - high * TWO_32
      times[at++] = high
    }
    // They rise.
    this.firstTime = Math.min(this.firstTime, timestamps[from])
    this.lastTime = Math.max(this.lastTime, timestamps[to - 1])
  }

  #addNumbers(values: Float64Array, from: number, to: number): number {
    this.values.set(values.subarray(from, to), this.numbers)
    this.numbers += to - from
    this.hasNumber.add(1, to - from)
    this.hasText.add(0, to - from)
    return to
  }

  #addMixed({ values, texts }: SeriesPoints, from: number, to: number): number {
    for (let i = from; i < to; i++) {
      const text = texts?.[i]
      if (text === undefined) this.values[this.numbers++] = values[i]
      else {
        this.texts.push(text)
        this.#textUnits += text.length
      }
      this.hasNumber.add(text === undefined ? 1 : 0, 1)
      this.hasText.add(text === undefined ? 0 : 1, 1)
      if (this.#textUnits >= GROUP_TEXT_UNITS) return i + 1
    }
    return to
  }
}
