import type { Executor } from '../executor.ts'
import type { RatePlan } from '../rate-plan.ts'

type ConstantArrivalRate = Extract<Executor, { kind: 'constant-arrival-rate' }>

export function constantArrivalRate(executor: ConstantArrivalRate): RatePlan {
  const { arrivals, rate, durationMs } = executor
  return {
    arrivals,
    segments: [{ fromMs: 0, toMs: durationMs, fromRate: rate, toRate: rate }],
    hasStages: false,
    stopsOnBreach: false,
  }
}
