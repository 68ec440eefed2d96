import type { RateSegment } from './arrivals.ts'
import type { Arrivals } from './executor.ts'

/** What an executor of the open loop comes to: when how many requests are to arrive. */
export interface RatePlan {
  readonly arrivals: Arrivals
  readonly segments: readonly RateSegment[]
  /** Whether each segment is a stage of its own in the result. */
  readonly hasStages: boolean
  readonly stopsOnBreach: boolean
}
