import type { Executor } from '../executor.ts'
import type { RatePlan } from '../rate-plan.ts'
import { rampingArrivalRate } from './ramping-arrival-rate.ts'

type Burst = Extract<Executor, { kind: 'burst' }>

/** Three stages, each at its rate from the beginning. */
export function burst({ arrivals, warmUp, burst: peak, coolDown }: Burst): RatePlan {
  return rampingArrivalRate({
    ...{ kind: 'ramping-arrival-rate', arrivals, startRate: warmUp.rate },
    stages: [warmUp, peak, coolDown],
    steps: true,
    stopsOnBreach: false,
  })
}
