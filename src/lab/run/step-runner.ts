import { totalMs } from '../generator/pace.ts'
import type { LoadPlan, LoadResult, Tick } from '../generator/load.ts'
import type { ProbeFigures } from '../probes/figures.ts'
import type { PlannedStep } from '../search/search.ts'
import { judge } from '../search/verdict.ts'
import type { Solution } from '../system/solution.ts'
import type { SystemUnderTest } from '../system/system.ts'
import type { Slo, Workload } from '../workloads/workload.ts'
import { stepSeed } from './blocks.ts'
import { crashed, firstLine, unlessEnded } from './crash.ts'
import type { StepParts, StepProbes } from './parts.ts'
import { isDrowning, judgePilot, pilotExecutor } from './pilot.ts'
import type { CellKey, Phases, StepRecord, Verdict } from './record.ts'
import { recoveryMs } from './recovery.ts'

const CONNECTIONS = 1024
/**
 * Of the warm-up, in which the rate rises. A process that has just started runs code that is not
 * compiled yet: at the full rate from its first moment it gathers a backlog, and what is measured
 * then is how long it takes to work that off.
 */
const RAMP_UP_SHARE = 2 / 3
/** Longer than any SLO here, and short enough that an overloaded step ends. */
const TIMEOUT_MS = 5000

export interface StepContext {
  readonly cell: CellKey
  readonly solution: Solution
  readonly workload: Workload
  /** Of the run; the steps' own are made of it. */
  readonly seed: number
  readonly slo: Slo
  readonly phases: Phases
  /** At most at once; 1024. */
  readonly connections?: number
  readonly key?: string
  /** Ends the step that runs; its record means nothing then. */
  readonly signal: AbortSignal
  readonly onTick?: (tick: Tick) => void
  /** What is done at the moment: `starting`, `load`, `draining`. */
  readonly onStage?: (stage: 'starting' | 'load' | 'draining') => void
}

/**
 * Runs the steps of one cell. Each has a fresh system; only the overload follows the confirmation on
 * the same one. Whatever a system does, `run` resolves: one that does not start, or ends, is a step
 * that failed with the breach `crash`.
 */
export class StepRunner {
  readonly #parts: StepParts
  readonly #context: StepContext
  #system: SystemUnderTest | undefined

  constructor(parts: StepParts, context: StepContext) {
    this.#parts = parts
    this.#context = context
  }

  async run(step: PlannedStep): Promise<StepRecord> {
    const { cell, onStage } = this.#context
    const head = { kind: 'step', cell, phase: step.phase, attempt: step.attempt } as const
    const rate = step.rates.at(-1)!
    const startedAt = new Date().toISOString()
    try {
      if (step.phase !== 'overload') await this.close()
      onStage?.('starting')
      this.#system ??= await this.#start()
    } catch (error) {
      const verdict = crashed(`the system did not start: ${firstLine(error)}`)
      return { ...head, rate, startedAt, verdict }
    }
    const outcome = await this.#load(this.#system, step)
    // The last stage that ran, of all that were planned.
    const reached = step.phase === 'pilot' ? (outcome.load?.stages.at(-1)?.rate ?? rate) : rate
    return { ...head, rate: reached, startedAt, ...outcome }
  }

  async close(): Promise<void> {
    const system = this.#system
    this.#system = undefined
    await system?.stop()
  }

  async #start(): Promise<SystemUnderTest> {
    const { solution, workload, seed, cell, signal } = this.#context
    // The same history in each of a cell's steps, and for every architecture.
    const historySeed = stepSeed(seed, cell, { phase: 'history', attempt: 0 })
    const start = (): Promise<SystemUnderTest> =>
      this.#parts.house.start(solution, workload, historySeed)
    try {
      return await start()
    } catch (error) {
      if (signal.aborted) throw error
      // It says nothing of the rate, as which it would count: once may be chance.
      return start()
    }
  }

  async #load(
    system: SystemUnderTest,
    step: PlannedStep,
  ): Promise<Pick<StepRecord, 'load' | 'probes' | 'verdict' | 'recoveryMs'>> {
    const { slo, phases, workload, key, signal, onStage } = this.#context
    const plan = this.#plan(system, step)
    let probes: StepProbes | undefined
    let load: LoadResult | undefined
    try {
      probes = await this.#parts.startProbes?.(system, {
        ...{ workload, seed: plan.seed, warmUpMs: plan.warmUpMs },
      })
      onStage?.('load')
      try {
        load = await this.#generate(plan, { probes, step })
      } catch (error) {
        const detail = `the generator ended: ${firstLine(error)}`
        const breaches = [{ rule: 'generator-cpu', detail }] as const
        return { verdict: unlessEnded(system, { outcome: 'void', breaches }) }
      }
      if (signal.aborted) return { load, verdict: STOPPED }
      const lateMs = lateness(load, plan)
      onStage?.('draining')
      const { drainLimitMs } = phases
      const [figures, recovery] = await Promise.all([
        probes?.finish(load, { drainLimitMs, counts: step.phase === 'confirm' }),
        step.phase === 'overload'
          ? (this.#parts.measureRecovery ?? recoveryMs)(system.url, {
              ...{ workload, slo, signal },
              ...(key === undefined ? {} : { key }),
            })
          : Promise.resolve(undefined),
      ])
      const judged = this.#judge(step, { load, probes: figures })
      const verdict = unlessEnded(system, judged)
      return {
        ...{ load, verdict },
        // Of a system that has ended, what the probes saw breaks off, and says nothing of points.
        ...(figures === undefined || verdict !== judged ? {} : { probes: figures }),
        ...(recovery === undefined ? {} : { recoveryMs: lateMs + recovery }),
      }
    } catch (error) {
      const more = load === undefined ? [] : this.#judge(step, { load }).breaches
      return {
        ...(load === undefined ? {} : { load }),
        verdict: crashed(`the system ended under load: ${firstLine(error)}`, more),
      }
    } finally {
      await probes?.stop().catch(() => {})
    }
  }

  #judge(
    { phase }: PlannedStep,
    seen: { load: LoadResult; probes?: ProbeFigures | undefined },
  ): Verdict {
    const { slo, phases } = this.#context
    const { load, probes } = seen
    const { drainLimitMs } = phases
    const step = { load, slo, drainLimitMs, ...(probes === undefined ? {} : { probes }) }
    return phase === 'pilot' ? judgePilot(step) : judge(step)
  }

  #plan(system: SystemUnderTest, step: PlannedStep): LoadPlan {
    const { workload, slo, phases, seed, cell, key, connections } = this.#context
    const isOverload = step.phase === 'overload'
    const warmUpMs = isOverload ? 0 : phases.warmUpMs
    const measuredMs = {
      bisect: phases.measureMs,
      confirm: phases.confirmMs,
      overload: phases.overloadMs,
    }
    return {
      url: system.url,
      ...(key === undefined ? {} : { key }),
      ...{ workload, slo, warmUpMs, rampUpMs: RAMP_UP_SHARE * warmUpMs },
      executor:
        step.phase === 'pilot'
          ? pilotExecutor(step.rates, phases)
          : {
              ...{ kind: 'constant-arrival-rate', arrivals: 'poisson', rate: step.rates[0] },
              durationMs: warmUpMs + measuredMs[step.phase],
            },
      seed: stepSeed(seed, cell, step),
      connections: connections ?? CONNECTIONS,
      timeoutMs: TIMEOUT_MS,
    }
  }

  async #generate(
    plan: LoadPlan,
    { probes, step }: { probes: StepProbes | undefined; step: PlannedStep },
  ): Promise<LoadResult> {
    const { signal, onTick, workload } = this.#context
    let wantsStop = false
    // Asked for before the load has started, it comes then.
    let stop = (): void => void (wantsStop = true)
    const onAbort = (): void => stop()
    const running = await this.#parts.startLoad(plan, tick => {
      onTick?.(tick)
      if (step.phase !== 'pilot') return
      if (isDrowning(probes?.latest(), { workload, rate: tick.offered })) stop()
    })
    let isStopped = false
    stop = () => {
      if (!isStopped) running.stop()
      isStopped = true
    }
    signal.addEventListener('abort', onAbort)
    if (wantsStop || signal.aborted) stop()
    try {
      return await running.result
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}

/** How long after the last request was due the last answer came, or was no longer waited for. */
function lateness({ startedAt }: LoadResult, { executor }: LoadPlan): number {
  return Math.max(0, Date.now() - Date.parse(startedAt) - totalMs(executor))
}

/** Nobody looks at it: a step that was cut short is not recorded. */
const STOPPED: Verdict = { outcome: 'void', breaches: [] }
