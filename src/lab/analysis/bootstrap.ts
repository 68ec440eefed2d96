import { median } from './median.ts'

/** 95 % of the bootstrap's medians lie in it. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** A statistic with what it was made of: every value is printed, not only the middle. */
export interface Estimate {
  readonly median: number
  /** Absent with fewer than two values: one run says nothing of the next. */
  readonly interval?: Interval
  readonly values: readonly number[]
}

interface Weighted {
  readonly value: number
  readonly weight: number
}

const CONFIDENCE = 0.95

/** The median with its percentile interval (Efron 1979). */
export function estimate(values: readonly number[]): Estimate {
  const middle = { median: median(values), values }
  if (values.length < 2) return middle
  return { ...middle, interval: percentiles(bootstrapMedians(values)) }
}

/**
 * Of the quotient of two medians whose values are not paired, as of two result sets: both are
 * resampled, each by itself. `values` are all quotients.
 */
export function estimateRatio(above: readonly number[], below: readonly number[]): Estimate {
  const values = above.flatMap(a => below.map(b => a / b))
  const middle = { median: median(above) / median(below), values }
  if (above.length < 2 || below.length < 2) return middle
  const ratios = bootstrapMedians(above).flatMap(a =>
    bootstrapMedians(below).map(b => ({ value: a.value / b.value, weight: a.weight * b.weight })),
  )
  return { ...middle, interval: percentiles(ratios) }
}

/**
 * By the number of values, from none to ten: how often their interval holds the true median. Of an
 * odd number its ends are two of the values, whatever they are, so that it follows from their ranks;
 * of an even number it is the same within half a percent for every distribution that was tried.
 */
const COVERAGE = [0, 0, 0.5, 0.75, 0.875, 0.9375, 0.9375, 0.875, 0.93, 0.961, 0.945] as const

/**
 * What the "95 %" of an interval of `n` values is worth. A bootstrap cannot leave their range, which
 * is too narrow with few; later its ends go from one value to the next, so that seven are worth less
 * than six. Beyond ten it stays as near as with ten (docs/decisions/0031).
 */
export function coverageOf(n: number): number {
  return COVERAGE[Math.min(n, COVERAGE.length - 1)]
}

/**
 * The medians that resamples with replacement have, each with its probability. It is worked out,
 * not drawn: for a median the sum over all n^n resamples has a closed form, so the same values give
 * the same interval everywhere, without a seed.
 */
function bootstrapMedians(values: readonly number[]): Weighted[] {
  const sorted = [...values].sort((a, b) => a - b)
  const n = sorted.length
  const lower = (n + 1) >> 1
  // The k-th smallest of n draws is at most the i-th value when at least k draws are.
  const rankAtMost = (i: number): number => binomialTail(n, lower, i / n)
  if (n % 2 === 1) {
    return sorted.map((value, i) => ({ value, weight: rankAtMost(i + 1) - rankAtMost(i) }))
  }
  // Even: the lower middle is at most value i and the upper one beyond value j when exactly half of
  // the draws are at most i, and the other half beyond j.
  const apart = (i: number, j: number): number =>
    choose(n, lower) * (i / n) ** lower * ((n - j) / n) ** lower
  return sorted.flatMap((low, at) => {
    const i = at + 1
    let same = rankAtMost(i) - rankAtMost(i - 1)
    const pairs: Weighted[] = []
    for (let j = i + 1; j <= n; j++) {
      const weight = apart(i, j - 1) - apart(i - 1, j - 1) - apart(i, j) + apart(i - 1, j)
      pairs.push({ value: (low + sorted[j - 1]) / 2, weight })
      same -= weight
    }
    return [{ value: low, weight: same }, ...pairs]
  })
}

function percentiles(weighted: readonly Weighted[]): Interval {
  const sorted = [...weighted].sort((a, b) => a.value - b.value)
  const tail = (1 - CONFIDENCE) / 2
  return {
    low: percentile(sorted, tail),
    // From the other end, so that the interval of 1 ÷ x is 1 ÷ the interval of x.
    high: percentile([...sorted].reverse(), tail),
  }
}

function percentile(ordered: readonly Weighted[], share: number): number {
  let sum = 0
  for (const { value, weight } of ordered) {
    sum += weight
    if (sum >= share) return value
  }
  return ordered[ordered.length - 1].value
}

/** At least `k` of `n` draws succeed. */
function binomialTail(n: number, k: number, probability: number): number {
  let sum = 0
  for (let i = k; i <= n; i++) {
    sum += choose(n, i) * probability ** i * (1 - probability) ** (n - i)
  }
  return sum
}

function choose(n: number, k: number): number {
  let result = 1
  for (let i = 1; i <= k; i++) result = (result * (n - k + i)) / i
  return result
}
