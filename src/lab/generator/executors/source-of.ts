import type { LoadPlan } from '../load.ts'
import type { RatePlan } from '../rate-plan.ts'
import type { Source } from '../source.ts'
import { Stages } from '../stages.ts'
import { burst } from './burst.ts'
import { ClosedLoop } from './closed.ts'
import { constantArrivalRate } from './constant-arrival-rate.ts'
import { OpenLoop } from './open-loop.ts'
import { rampingArrivalRate } from './ramping-arrival-rate.ts'
import { StormSource } from './reconnect-storm.ts'

export interface PlannedSource {
  readonly source: Source
  /** Empty for executors that have none. */
  readonly stages: Stages
  readonly stopsOnBreach: boolean
}

/** An executor of the plan, ready to run: a kind more is a file and a case here. */
export function sourceOf(plan: LoadPlan): PlannedSource {
  const { executor, seed, workload } = plan
  switch (executor.kind) {
    case 'constant-arrival-rate':
      return openLoop(plan, constantArrivalRate(executor, plan.rampUpMs))
    case 'ramping-arrival-rate':
      return openLoop(plan, rampingArrivalRate(executor))
    case 'burst':
      return openLoop(plan, burst(executor))
    case 'closed':
      return { ...withoutStages(plan), source: new ClosedLoop(executor, seed) }
    case 'reconnect-storm': {
      const source = new StormSource(executor, seed, workload.devices)
      return { ...withoutStages(plan), source }
    }
  }
}

function openLoop(plan: LoadPlan, rates: RatePlan): PlannedSource {
  const { slo, workload, warmUpMs, seed } = plan
  const stages = new Stages(rates.hasStages ? rates.segments : [], slo, { workload, warmUpMs })
  const source = new OpenLoop(rates, seed, intendedMs => stages.due(intendedMs))
  return { source, stages, stopsOnBreach: rates.stopsOnBreach }
}

function withoutStages({ slo, workload, warmUpMs }: LoadPlan): Omit<PlannedSource, 'source'> {
  return { stages: new Stages([], slo, { workload, warmUpMs }), stopsOnBreach: false }
}
