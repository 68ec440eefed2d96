import type { RateSegment } from '../arrivals.ts'
import type { Executor } from '../executor.ts'
import type { RatePlan } from '../rate-plan.ts'

type RampingArrivalRate = Extract<Executor, { kind: 'ramping-arrival-rate' }>

export function rampingArrivalRate(executor: RampingArrivalRate): RatePlan {
  const { arrivals, startRate, stages, steps, stopsOnBreach } = executor
  const segments: RateSegment[] = []
  let fromMs = 0
  let before = startRate
  for (const { rate, durationMs } of stages) {
    const toMs = fromMs + durationMs
    segments.push({ fromMs, toMs, fromRate: steps ? rate : before, toRate: rate })
    before = rate
    fromMs = toMs
  }
  return { arrivals, segments, hasStages: true, stopsOnBreach }
}
