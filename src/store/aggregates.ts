import { WeirError } from '../ports/errors.ts'
import type { Aggregate } from '../ports/store.ts'

/** What has to be gathered for some aggregates, and how each column comes out of it. */
export interface AggregatePlan {
  readonly aggregates: readonly Aggregate[]
  /** Per aggregate its percentile, NaN for the others. */
  readonly percentiles: readonly number[]
  /** Whether the values themselves are needed, so that summaries do not do. */
  readonly needsValues: boolean
}

const PERCENTILE = /^p(\d{1,2}(?:\.\d+)?|100(?:\.0+)?)$/
const PLAIN = new Set<string>(['avg', 'min', 'max', 'count', 'sum', 'first', 'last'])

/** @throws WeirError `rejected` for an aggregate that does not exist. */
export function planAggregates(aggregates: readonly Aggregate[]): AggregatePlan {
  const percentiles = aggregates.map(name => {
    if (PLAIN.has(name)) return NaN
    const match = PERCENTILE.exec(name)
    if (match === null) throw new WeirError('rejected', `there is no aggregate ${name}`)
    return Number(match[1])
  })
  return { aggregates, percentiles, needsValues: percentiles.some(p => !Number.isNaN(p)) }
}

/**
 * A percentile as a fraction, less by what floats are wrong: 99.9 % of 1000 values are 999.0000000000001 to them, and
 * the rank, which is rounded up, would be the next one.
 */
export function fractionOf(percentile: number): number {
  return Math.max(0, percentile / 100 - 1e-14)
}

/** Nearest rank on sorted values. */
export function nearestRank(sorted: Float64Array, percentile: number): number {
  const rank = Math.ceil(fractionOf(percentile) * sorted.length)
  return sorted[Math.max(0, rank - 1)]
}
