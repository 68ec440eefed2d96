import type { SeriesBuckets } from '../../ports/store.ts'
import { nearestRank } from '../aggregates.ts'
import type { AggregatePlan } from '../aggregates.ts'
import { addPair, addRange } from './codec/double-sum.ts'
import type { BlockHeader } from './codec/block.ts'
import { PointBuffer } from './point-buffer.ts'
import { scan } from './scan.ts'
import type { FoundBlock, Receiver, ScanContext, ScanRange } from './scan.ts'

/** Buckets of one series, without the names. */
export type Buckets = Omit<SeriesBuckets, 'device' | 'metric'>

export interface BucketRange extends Omit<ScanRange, 'order' | 'limit'> {
  readonly intervalUs: number
  readonly plan: AggregatePlan
  /** With more buckets than this it ends. */
  readonly room: number
}

const block = new PointBuffer(4096)
const numbers = new PointBuffer(4096)

/** Fills one bucket after the other; points and summaries come rising in time. */
class BucketFiller implements Receiver {
  readonly starts: number[] = []
  readonly columns: number[][]
  readonly #intervalUs: number
  readonly #plan: AggregatePlan
  readonly #room: number
  #start = NaN
  #end = -Infinity
  #count = 0
  #min = Infinity
  #max = -Infinity
  #first = NaN
  #last = NaN
  readonly #sum = { high: 0, low: 0 }
  #values = new Float64Array(64)

  constructor({ intervalUs, plan, room }: BucketRange) {
    this.#intervalUs = intervalUs
    this.#room = room
    this.#plan = plan
    this.columns = plan.aggregates.map(() => [])
  }

  points(points: PointBuffer, from: number, to: number): boolean {
    if (points.texts !== undefined) {
      numbers.clear()
      for (let i = from; i < to; i++) {
        if (points.texts[i] === undefined)
          numbers.push(points.timestamps[i], points.values[i], undefined)
      }
      this.#runs(numbers, 0, numbers.length)
    } else this.#runs(points, from, to)
    return this.starts.length <= this.#room
  }

  block(found: FoundBlock): boolean {
    const { header } = found
    if (header.numbers === 0) return true
    if (!this.#plan.needsValues && this.#fits(header)) {
      this.#enter(header.firstTime)
      this.#addSummary(header)
      return this.starts.length <= this.#room
    }
    block.clear()
    found.decodeOnto(block)
    return this.points(block, 0, block.length)
  }

  /** Ends the last bucket. */
  finish(): void {
    if (this.#count > 0) this.#emit()
  }

  #fits({ firstTime, lastTime }: BlockHeader): boolean {
    const { floor } = Math
    return floor(firstTime / this.#intervalUs) === floor(lastTime / this.#intervalUs)
  }

  /** Adds numeric points, run by run of those in one bucket. */
  #runs(points: PointBuffer, from: number, to: number): void {
    const { timestamps } = points
    let at = from
    while (at < to) {
      this.#enter(timestamps[at])
      const end = this.#end
      let next = at + 1
      while (next < to && timestamps[next] < end) next++
      this.#addValues(points.values, at, next)
      at = next
    }
  }

  #enter(time: number): void {
    if (time < this.#end) return
    if (this.#count > 0) this.#emit()
    this.#start = Math.floor(time / this.#intervalUs) * this.#intervalUs
    this.#end = this.#start + this.#intervalUs
    this.#count = 0
    this.#min = Infinity
    this.#max = -Infinity
    this.#sum.high = 0
    this.#sum.low = 0
  }

  #addValues(values: Float64Array, from: number, to: number): void {
    let min = this.#min
    let max = this.#max
    for (let i = from; i < to; i++) {
      const value = values[i]
      if (value < min) min = value
      if (value > max) max = value
    }
    this.#min = min
    this.#max = max
    addRange(this.#sum, values, from, to)
    if (this.#count === 0) this.#first = values[from]
    this.#last = values[to - 1]
    if (this.#plan.needsValues) this.#keep(values, from, to)
    this.#count += to - from
  }

  #addSummary(header: BlockHeader): void {
    if (header.min < this.#min) this.#min = header.min
    if (header.max > this.#max) this.#max = header.max
    addPair(this.#sum, header.sumHigh, header.sumLow)
    if (this.#count === 0) this.#first = header.firstValue
    this.#last = header.lastValue
    this.#count += header.numbers
  }

  #keep(values: Float64Array, from: number, to: number): void {
    const needed = this.#count + to - from
    if (needed > this.#values.length) {
      const larger = new Float64Array(2 * needed)
      larger.set(this.#values.subarray(0, this.#count))
      this.#values = larger
    }
    this.#values.set(values.subarray(from, to), this.#count)
  }

  #emit(): void {
    const { aggregates, percentiles, needsValues } = this.#plan
    const values = needsValues ? this.#values.subarray(0, this.#count).sort() : undefined
    this.starts.push(this.#start)
    for (let i = 0; i < aggregates.length; i++) {
      this.columns[i].push(
        values === undefined || Number.isNaN(percentiles[i])
          ? this.#plain(aggregates[i])
          : nearestRank(values, percentiles[i]),
      )
    }
  }

  #plain(aggregate: string): number {
    switch (aggregate) {
      case 'avg':
        return this.#sum.high / this.#count
      case 'min':
        return this.#min
      case 'max':
        return this.#max
      case 'count':
        return this.#count
      case 'sum':
        return this.#sum.high
      case 'first':
        return this.#first
      default:
        return this.#last
    }
  }
}

/** Buckets with numeric points of one series; undefined when there are none. */
export function readBuckets(context: ScanContext, range: BucketRange): Buckets | undefined {
  const filler = new BucketFiller(range)
  scan(context, { ...range, order: 'asc' }, filler)
  filler.finish()
  if (filler.starts.length === 0) return undefined
  return {
    timestamps: Float64Array.from(filler.starts),
    columns: filler.columns.map(column => Float64Array.from(column)),
  }
}
