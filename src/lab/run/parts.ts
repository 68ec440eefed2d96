import type { LoadResult, StartLoad } from '../generator/load.ts'
import type { ProbeFigures, ResourceSample } from '../probes/figures.ts'
import type { Solution } from '../system/solution.ts'
import type { SystemHouse, SystemUnderTest } from '../system/system.ts'
import type { Workload } from '../workloads/workload.ts'
import type { MachineFacts } from './record.ts'
import type { recoveryMs } from './recovery.ts'

/** Probes of one step; `src/lab/probes/probes.ts` has those of a real system. */
export interface StepProbes {
  finish(
    load: LoadResult,
    options: { drainLimitMs: number; counts: boolean },
  ): Promise<ProbeFigures>
  stop(): Promise<void>
  latest(): ResourceSample | undefined
}

export type StartProbes = (
  system: SystemUnderTest,
  options: { workload: Workload; seed: number; warmUpMs: number },
) => Promise<StepProbes>

/** What runs the steps. Handed in, so that a run can be tested without servers. */
export interface StepParts {
  readonly startLoad: StartLoad
  /** Absent: of a foreign URL nothing but its answers is seen. */
  readonly startProbes?: StartProbes
  readonly house: Pick<SystemHouse, 'start'>
  /** Absent: it is asked over HTTP. */
  readonly measureRecovery?: typeof recoveryMs
}

/** What a run is made of. */
export interface RunParts {
  readonly startLoad: StartLoad
  readonly startProbes: StartProbes
  readonly measureRecovery?: typeof recoveryMs
  readonly openHouse: (options: HouseOptions) => Promise<SystemHouse>
  readonly machineFacts: (options: {
    directory: string
    solutions: readonly Solution[]
  }) => Promise<MachineFacts>
  readonly workloads: Readonly<Record<string, Workload>>
}

interface HouseOptions {
  readonly directory: string
  readonly report: (line: string) => void
  readonly solutions: readonly Solution[]
}
