import type { Latency } from './load.ts'

/** Values below are counted one by one, above in steps of less than a thousandth (three digits). */
const SUB_BUCKETS = 2048
const HALF = SUB_BUCKETS / 2
const HALF_BITS = 10
/** 2³⁰ µs, a quarter of an hour: more than any time-out. */
const MAX_US = 0x3fffffff
const LENGTH = indexOf(MAX_US) + 1

/**
 * An HdrHistogram of microseconds with three significant digits: the buckets of the reference
 * implementation, found with a shift where hdr-histogram-js takes a logarithm (5 against 80 ns a
 * value), and percentiles without iterators (some 20 µs against milliseconds, in which nothing can
 * be sent). `encoded` makes the standard form of it.
 */
export class LatencyHistogram {
  count = 0
  readonly #counts = new Uint32Array(LENGTH)
  #sumUs = 0
  #maxUs = 0

  record(ms: number): void {
    const us = Math.min(MAX_US, Math.max(0, Math.round(ms * 1000)))
    this.#counts[indexOf(us)]++
    this.count++
    this.#sumUs += us
    if (us > this.#maxUs) this.#maxUs = us
  }

  add(other: LatencyHistogram): void {
    for (let i = 0; i < LENGTH; i++) this.#counts[i] += other.#counts[i]
    this.count += other.count
    this.#sumUs += other.#sumUs
    this.#maxUs = Math.max(this.#maxUs, other.#maxUs)
  }

  reset(): void {
    this.#counts.fill(0)
    this.count = this.#sumUs = this.#maxUs = 0
  }

  /** The highest value that the percentile's bucket stands for; 0 where nothing was recorded. */
  percentileMs(percentile: number): number {
    return this.#percentilesMs([percentile])[0]
  }

  latency(): Latency {
    const [p50Ms, p95Ms, p99Ms] = this.#percentilesMs([50, 95, 99])
    const meanMs = this.count === 0 ? 0 : this.#sumUs / this.count / 1000
    return { count: this.count, meanMs, p50Ms, p95Ms, p99Ms, maxMs: this.#maxUs / 1000 }
  }

  /** V2 compressed, base64; microseconds. */
  async encoded(): Promise<string> {
    const { build, encodeIntoCompressedBase64 } = await import('hdr-histogram-js')
    const histogram = build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: MAX_US,
      numberOfSignificantValueDigits: 3,
      autoResize: false,
    })
    for (let i = 0; i < LENGTH; i++) {
      if (this.#counts[i] > 0) histogram.recordValueWithCount(lowestUs(i), this.#counts[i])
    }
    return encodeIntoCompressedBase64(histogram)
  }

  #percentilesMs(ascending: readonly number[]): number[] {
    const found: number[] = []
    let seen = 0
    let index = -1
    for (const percentile of ascending) {
      const wanted = Math.max(1, Math.ceil((percentile / 100) * this.count - 1e-9))
      if (this.count === 0) {
        found.push(0)
        continue
      }
      while (seen < wanted) seen += this.#counts[++index]
      found.push(Math.min(this.#maxUs, lowestUs(index + 1) - 1) / 1000)
    }
    return found
  }
}

function indexOf(us: number): number {
  const bucket = Math.max(0, 31 - Math.clz32(us) - HALF_BITS)
  return (bucket << HALF_BITS) + (us >>> bucket)
}

function lowestUs(index: number): number {
  if (index < SUB_BUCKETS) return index
  const bucket = (index >>> HALF_BITS) - 1
  return (HALF + (index & (HALF - 1))) * 2 ** bucket
}
