import type { Latency } from '../generator/load.ts'

/** What a p99 and a p95 need at least: below, one single value decides. */
const P99_COUNT = 100
const P95_COUNT = 20

export interface Tail {
  readonly name: 'p99' | 'p95' | 'p50'
  readonly ms: number
}

/**
 * The highest of these percentiles that a distribution has enough values for. Of 40 values the p99 is
 * the slowest one, and that one lies beyond the true p99 in every third run of a system that holds.
 */
export function tailOf({ count, p50Ms, p95Ms, p99Ms }: Latency): Tail {
  if (count >= P99_COUNT) return { name: 'p99', ms: p99Ms }
  if (count >= P95_COUNT) return { name: 'p95', ms: p95Ms }
  return { name: 'p50', ms: p50Ms }
}
