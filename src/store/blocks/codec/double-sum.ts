/**
 * A sum as an unevaluated pair of float64: `high` is the rounded sum, `low` what rounding lost.
 * Sums of sums then agree to some 30 digits whatever the order, so that an aggregate does not
 * depend on where blocks end. Once `high` is no longer finite, `low` is 0.
 */
export interface DoubleSum {
  high: number
  low: number
}

/** Adds one value: Knuth's TwoSum into `high`, the error into `low`. */
export function addValue(sum: DoubleSum, value: number): void {
  addPair(sum, value, 0)
}

/** Adds another sum, for example that of a block's header. */
export function addPair(sum: DoubleSum, high: number, low: number): void {
  const total = sum.high + high
  const part = total - sum.high
  const error = sum.high - (total - part) + (high - part) + (sum.low + low)
  sum.high = total + error
  sum.low = error - (sum.high - total)
  if (!Number.isFinite(total)) {
    sum.high = total
    sum.low = 0
  }
}

/** Adds `values[from, to)`; the loop keeps its pair in registers. */
// oxlint-disable-next-line max-params -- called per bucket: no object each time
export function addRange(sum: DoubleSum, values: Float64Array, from: number, to: number): void {
  let high = 0
  let low = 0
  for (let i = from; i < to; i++) {
    const value = values[i]
    const total = high + value
    const part = total - high
    low += high - (total - part) + (value - part)
    high = total
  }
  addPair(sum, high, Number.isFinite(high) ? low : 0)
}
