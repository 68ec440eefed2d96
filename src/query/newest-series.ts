import type { SeriesTime } from '../ports/latest.ts'

/** Of one time in order of device and metric, so that pages are the same each time. */
export const newestFirst = (a: SeriesTime, b: SeriesTime): number =>
  b.timeUs - a.timeUs || compare(a.device, b.device) || compare(a.metric, b.metric)

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

/**
 * The `count` series with the newest points, newest first. The newest `count` points of all are
 * among theirs: any other series' newest point is older than each of these.
 */
export class NewestSeries {
  readonly #count: number
  #floorUs = -1
  #series: SeriesTime[] = []

  constructor(count: number) {
    this.#count = count
  }

  add(device: string, metric: string, timeUs: number): void {
    if (timeUs < this.#floorUs) return
    this.#series.push({ device, metric, timeUs })
    if (this.#series.length > 4 * this.#count + 1000) this.#cut()
  }

  list(): readonly SeriesTime[] {
    this.#cut()
    return this.#series
  }

  #cut(): void {
    this.#series.sort(newestFirst)
    if (this.#series.length < this.#count) return
    this.#series.length = this.#count
    this.#floorUs = this.#series[this.#count - 1].timeUs
  }
}
