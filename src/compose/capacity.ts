import { completeDemand, type DemandInput } from '../model/demand.ts'
import type { Calibration } from '../plan/calibration.ts'
import { planCapacity } from '../plan/capacity.ts'
import { planJson } from '../plan/plan-json.ts'
import { WeirError } from '../ports/errors.ts'

interface Logger {
  warn(fields: object, message: string): void
}

export interface CapacityPlans {
  /** The plan as JSON. @throws WeirError `rejected` */
  plan(input: DemandInput): Promise<object>
}

/**
 * Plans with the lab result at `path` (empty: without one), which is read when the first plan is
 * asked for, and again while it cannot be read: a node starts without the lab, and without it a
 * plan is the rule of thumb, and says so.
 */
export function capacityPlans(path: string, logger: Logger): CapacityPlans {
  let reading: Promise<Calibration> | undefined
  const calibration = async (): Promise<Calibration> => {
    const { readCalibration } = await import('../lab/analysis/calibration-file.ts')
    return readCalibration(path)
  }
  return {
    async plan(input) {
      const completed = completeDemand(input)
      if ('problems' in completed) {
        const all = completed.problems.map(({ field, detail }) => `${field} ${detail}`)
        throw new WeirError('rejected', all.join('; '))
      }
      const { demand } = completed
      if (path === '') return planJson(planCapacity(demand))
      try {
        reading ??= calibration()
        return planJson(planCapacity(demand, await reading))
      } catch (error) {
        if (!(error instanceof WeirError)) throw error
        reading = undefined
        logger.warn({ err: error }, 'the calibration of capacity plans cannot be read')
        const plan = planCapacity(demand)
        const unread = 'plan.calibration names a lab result that cannot be read; the log says why'
        return planJson({ ...plan, warnings: [unread, ...plan.warnings] })
      }
    },
  }
}
