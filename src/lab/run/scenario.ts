import type { LoadPlan, LoadResult, Tick } from '../generator/load.ts'
import type { Executor } from '../generator/executor.ts'
import type { ProbeFigures } from '../probes/figures.ts'
import { judge } from '../search/verdict.ts'
import type { Solution } from '../system/solution.ts'
import type { Workload } from '../workloads/workload.ts'
import { unlessEnded } from './crash.ts'
import type { StepParts, StepProbes } from './parts.ts'
import type { Verdict } from './record.ts'

const DRAIN_LIMIT_MS = 5000
const TIMEOUT_MS = 10_000
const CONNECTIONS = 1024

export interface ScenarioOptions {
  readonly solution: Solution
  readonly workload: Workload
  /** Mostly the workload's own. */
  readonly executor: Executor
  readonly seed: number
  readonly key?: string
  /** Ends it early; what was sent until then is judged. */
  readonly signal: AbortSignal
  readonly onTick: (tick: Tick) => void
}

export interface ScenarioResult {
  readonly workload: string
  readonly solution: string
  readonly load: LoadResult
  readonly probes?: ProbeFigures
  readonly verdict: Verdict
}

/** Runs a workload once as it is defined, where the search asks for rates of its own. */
export async function runScenario(
  parts: StepParts,
  options: ScenarioOptions,
): Promise<ScenarioResult> {
  const { solution, workload, executor, seed, key, signal, onTick } = options
  const system = await parts.house.start(solution, workload, seed)
  let probes: StepProbes | undefined
  try {
    probes = await parts.startProbes?.(system, { workload, seed, warmUpMs: 0 })
    const plan: LoadPlan = {
      ...{ url: system.url, workload, executor, slo: workload.slo, seed },
      ...(key === undefined ? {} : { key }),
      ...{ connections: CONNECTIONS, warmUpMs: 0, timeoutMs: TIMEOUT_MS },
    }
    const running = await parts.startLoad(plan, onTick)
    const stop = (): void => running.stop()
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    const load = await running.result
    signal.removeEventListener('abort', stop)
    const drain = { drainLimitMs: DRAIN_LIMIT_MS, counts: false }
    const figures = await probes?.finish(load, drain)
    const seen = figures === undefined ? {} : { probes: figures }
    const verdict = judge({ load, slo: workload.slo, drainLimitMs: DRAIN_LIMIT_MS, ...seen })
    return {
      ...{ workload: workload.id, solution: solution.id, load },
      ...seen,
      verdict: unlessEnded(system, verdict),
    }
  } finally {
    await probes?.stop().catch(() => {})
    await system.stop()
  }
}
