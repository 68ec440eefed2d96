import type { Detector, DetectorBatch, DetectorCounts } from './detector.ts'
import type { Findings } from './findings.ts'
import { SettingsByMetric, type RollingOptions } from './rolling-settings.ts'

/** The cells of a series before its window; a cache line, so that a point touches two. */
const TIME = 0
const MEAN = 1
/** The sum of squared differences from the mean. */
const M2 = 2
/** What the newest value has replaced, to take it back; NaN when the window was not full. */
const REPLACED = 3
const WINDOW = 8

/** Whole numbers in the cells between, as places among 32 bit ones from the series' first cell. */
const COUNT = 8
/** Where the next value goes. */
const PLACE = 9
/** Anomalies reported since the window last began anew. */
const REPORTED = 10
const SETTINGS = 11

/**
 * The running sum loses digits when a value far out leaves the window: if it falls by more than
 * this at once, it is summed anew. It is in any case each time the window has been filled.
 */
const CANCELLED = 1e-3

/** Settings as the loop over the points takes them. */
interface Limits {
  readonly window: number
  /** What one value of a full window counts. */
  readonly share: number
  readonly warmup: number
  readonly zSquared: number
  /** As a factor of the average, Infinity for none. */
  readonly deviation: number
}

/** How many times its threshold a value has to reach for `medium`, `high` and `critical`. */
const STEPS = [1.5, 2, 3]

/**
 * The first detector: a value is held against average and standard deviation of the values before
 * it, the last `window` of its series in order of device time.
 *
 * - A value is unusual from `zScore` standard deviations on, and at least `minDeviationPct` of the
 *   average away (a quiet sensor's last digit is no anomaly), or from `deviationPct` on.
 * - Unusual values enter the window too: what stays becomes usual after a few points, so a lasting
 *   change does not flood.
 * - A window of zeros has no scale, and one of 0 and 1 only is a switch: neither is judged by
 *   another 0 or 1.
 * - Points older than the newest of their series change nothing and are not judged, and the newest
 *   with the same value again does not either: a batch that is sent again changes nothing. The
 *   newest with another value replaces it, and is judged against the same window.
 */
export class RollingDeviation implements Detector {
  readonly name = 'rolling-deviation'
  readonly signature: string
  readonly #settings: SettingsByMetric
  readonly #stride: number
  readonly #limits: readonly Limits[]
  #rows = new Float64Array(0)
  /** The same memory. */
  #whole = new Int32Array(0)
  #late = 0
  #repeated = 0

  constructor(options: RollingOptions) {
    this.#settings = new SettingsByMetric(options)
    const { all } = this.#settings
    const longest = Math.max(...all.map(({ window }) => window))
    // Whole cache lines.
    this.#stride = WINDOW + 8 * Math.ceil(longest / 8)
    this.#limits = all.map(({ window, warmup, zScore, deviationPct }) => ({
      ...{ window, share: 1 / window, warmup: Math.max(2, warmup), zSquared: zScore * zScore },
      deviation: deviationPct > 0 ? deviationPct / 100 : Infinity,
    }))
    this.signature = `1 ${JSON.stringify(options)}`
  }

  get counts(): DetectorCounts {
    return { late: this.#late, repeated: this.#repeated }
  }

  reserve(slots: number): void {
    const length = slots * this.#stride
    if (length <= this.#rows.length) return
    const rows = new Float64Array(length)
    rows.set(this.#rows)
    this.#rows = rows
    this.#whole = new Int32Array(rows.buffer)
  }

  admit(slot: number, metric: string): void {
    const at = slot * this.#stride
    this.#rows.fill(0, at, at + WINDOW)
    this.#rows[at + TIME] = -1
    this.#rows[at + REPLACED] = NaN
    this.#whole[2 * at + SETTINGS] = this.#settings.placeOf(metric)
  }

  state(slots: number): Float64Array {
    return this.#rows.subarray(0, slots * this.#stride)
  }

  detect(batch: DetectorBatch, findings: Findings): void {
    const { slots, seriesIndex, timestamps, values, order } = batch
    const rows = this.#rows
    const whole = this.#whole
    const stride = this.#stride
    let known = 0
    let { window, share, warmup, zSquared, deviation } = this.#limits[0]
    for (let k = 0; k < timestamps.length; k++) {
      const i = order === undefined ? k : order[k]
      const slot = slots[seriesIndex[i]]
      const value = values[i]
      if (slot < 0 || value - value !== 0) continue
      const at = slot * stride
      const settings = whole[2 * at + SETTINGS]
      if (settings !== known) {
        if (settings < 0) continue
        ;({ window, share, warmup, zSquared, deviation } = this.#limits[settings])
        known = settings
      }
      const time = timestamps[i]
      if (time <= rows[at + TIME] && this.#isOld(at, time, value)) continue
      rows[at + TIME] = time
      const mean = rows[at + MEAN]
      const squares = rows[at + M2]
      const count = whole[2 * at + COUNT]
      const off = value - mean
      // A first sieve without roots or divisions; `#judge` has the last word.
      if (
        count >= warmup &&
        (off * off * (count - 1) > zSquared * squares ||
          Math.abs(off) >= deviation * Math.abs(mean)) &&
        this.#judge(at, value, findings)
      ) {
        findings.index[findings.count - 1] = i
      }
      // Welford's update, here and not in a function: that would cost as much again.
      const place = whole[2 * at + PLACE]
      const cell = at + WINDOW + place
      const old = rows[cell]
      rows[cell] = value
      let newMean: number
      let newSquares: number
      if (count < window) {
        newMean = mean + off / (count + 1)
        newSquares = squares + off * (value - newMean)
        rows[at + REPLACED] = NaN
        whole[2 * at + COUNT] = count + 1
      } else {
        // For a full window, of the difference that the exchange makes.
        newMean = mean + (value - old) * share
        newSquares = squares + (value - old) * (value - newMean + (old - mean))
        rows[at + REPLACED] = old
      }
      rows[at + MEAN] = newMean
      rows[at + M2] = newSquares
      whole[2 * at + PLACE] = place + 1
      if (place + 1 === window) this.#beginAnew(at)
      else if (!(newSquares >= squares * CANCELLED && newSquares < Infinity)) this.#sumAnew(at)
    }
  }

  /** The window has been filled once more. */
  #beginAnew(at: number): void {
    this.#whole[2 * at + PLACE] = 0
    this.#whole[2 * at + REPORTED] = 0
    this.#sumAnew(at)
  }

  /** Of a value that is not newer than the newest: late, the same again, or put in its place. */
  #isOld(at: number, time: number, value: number): boolean {
    if (time === this.#rows[at + TIME]) return !this.#takeBack(at, value)
    this.#late++
    return true
  }

  /** Mean and squares in two passes over the window. */
  #sumAnew(at: number): void {
    const rows = this.#rows
    const count = this.#whole[2 * at + COUNT]
    const end = at + WINDOW + count
    let mean = 0
    for (let cell = at + WINDOW; cell < end; cell++) mean += rows[cell]
    mean /= count
    if (mean - mean !== 0) {
      // Too large to be added up: a sum of parts is not.
      mean = 0
      for (let cell = at + WINDOW; cell < end; cell++) mean += rows[cell] / count
    }
    let sum = 0
    for (let cell = at + WINDOW; cell < end; cell++) sum += (rows[cell] - mean) ** 2
    rows[at + MEAN] = mean
    rows[at + M2] = sum
  }

  /** Removes the newest value, to be replaced by `value`; false when that is the same. */
  #takeBack(at: number, value: number): boolean {
    const rows = this.#rows
    const whole = this.#whole
    const { window } = this.#limits[whole[2 * at + SETTINGS]]
    const place = (whole[2 * at + PLACE] + window - 1) % window
    const cell = at + WINDOW + place
    if (rows[cell] === value) {
      this.#repeated++
      return false
    }
    const replaced = rows[at + REPLACED]
    whole[2 * at + PLACE] = place
    if (replaced === replaced) rows[cell] = replaced
    else whole[2 * at + COUNT]--
    this.#sumAnew(at)
    return true
  }

  /** Reports the value, all but its index, or returns false. */
  #judge(at: number, value: number, findings: Findings): boolean {
    const rows = this.#rows
    const whole = this.#whole
    const count = whole[2 * at + COUNT]
    const settings = this.#settings.all[whole[2 * at + SETTINGS]]
    const { zScore, minDeviationPct, maxPerWindow } = settings
    const mean = rows[at + MEAN]
    const off = value - mean
    const size = Math.abs(mean)
    // With this scale, `zScore` of it is never less than `minDeviationPct` of the average.
    const floor = (minDeviationPct / 100 / zScore) * size
    const scale = Math.max(Math.sqrt(rows[at + M2] / (count - 1)), floor)
    const score = scale > 0 && scale < Infinity ? off / scale : 0
    const byScore = Math.abs(score) / zScore
    const byPercent =
      size > 0 ? Math.abs(off) / size / this.#limits[whole[2 * at + SETTINGS]].deviation : 0
    const ratio = Math.max(byScore, byPercent)
    if (ratio < 1 || this.#isSwitch(at, value)) return false
    if (whole[2 * at + REPORTED] >= maxPerWindow) {
      findings.suppressed++
      return false
    }
    whole[2 * at + REPORTED]++
    const row = findings.next()
    findings.average[row] = mean
    findings.score[row] = score
    findings.severity[row] = STEPS.filter(step => ratio >= step).length
    return true
  }

  #isSwitch(at: number, value: number): boolean {
    if (value !== 0 && value !== 1) return false
    const end = at + WINDOW + this.#whole[2 * at + COUNT]
    for (let cell = at + WINDOW; cell < end; cell++) {
      if (this.#rows[cell] !== 0 && this.#rows[cell] !== 1) return false
    }
    return true
  }
}
