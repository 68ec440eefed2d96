import type { Executor } from '../executor.ts'
import type { RatePlan } from '../rate-plan.ts'

type ConstantArrivalRate = Extract<Executor, { kind: 'constant-arrival-rate' }>

export function constantArrivalRate(executor: ConstantArrivalRate, rampUpMs = 0): RatePlan {
  const { arrivals, rate, durationMs } = executor
  const rise = { fromMs: 0, toMs: rampUpMs, fromRate: 0, toRate: rate }
  return {
    arrivals,
    segments: [
      ...(rampUpMs > 0 ? [rise] : []),
      { fromMs: rampUpMs, toMs: durationMs, fromRate: rate, toRate: rate },
    ],
    hasStages: false,
    stopsOnBreach: false,
  }
}
