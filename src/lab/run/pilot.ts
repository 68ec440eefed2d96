import type { Executor } from '../generator/executor.ts'
import type { LoadResult, StageResult } from '../generator/load.ts'
import type { ProbeFigures, ResourceSample } from '../probes/figures.ts'
import type { StepAnswer } from '../search/search.ts'
import { judge } from '../search/verdict.ts'
import type { Slo, Workload } from '../workloads/workload.ts'
import type { Phases, StepRecord, Verdict } from './record.ts'

/** A backlog worth more of the load than this: a queue takes what nobody behind it can. */
const MAX_BACKLOG_SECONDS = 1
/** A stage that was cut shorter says nothing. */
const WHOLE_STAGE_SHARE = 0.9

/** The stages of a pilot; the first is longer by the warm-up, which is not measured. */
export function pilotExecutor(rates: readonly number[], phases: Phases): Executor {
  const { pilotStepMs, warmUpMs } = phases
  return {
    ...{ kind: 'ramping-arrival-rate', arrivals: 'poisson', steps: true, stopsOnBreach: true },
    startRate: rates[0],
    stages: rates.map((rate, i) => ({
      rate,
      durationMs: i === 0 ? warmUpMs + pilotStepMs : pilotStepMs,
    })),
  }
}

/** The load does not see that a queue fills up: the ramp has to end there all the same. */
export function isDrowning(
  sample: ResourceSample | undefined,
  { workload, rate }: { workload: Workload; rate: number },
): boolean {
  if (sample === undefined) return false
  const weights = workload.requests.reduce((sum, { weight }) => sum + weight, 0)
  const perRequest =
    workload.requests.reduce((sum, { weight, points }) => sum + weight * points, 0) / weights
  // Ramps are steep: what is waiting is compared with the load of now.
  return perRequest > 0 && sample.backlogPoints > 2 * MAX_BACKLOG_SECONDS * rate * perRequest
}

/** The first stage that broke the SLO, as far as the ramp went. */
export function brokenStage(
  load: LoadResult,
  probes: ProbeFigures | undefined,
): StageResult | undefined {
  return load.stages.find(stage => stage.breaches.length > 0 || lags(stage, load, probes))
}

function lags(stage: StageResult, load: LoadResult, probes: ProbeFigures | undefined): boolean {
  const sample = probes?.samples.findLast(({ atMs }) => atMs <= stage.toMs)
  if (sample === undefined || sample.atMs < stage.fromMs) return false
  const answered = load.stages.reduce(
    (sum, { achievedRate, fromMs, toMs }) => sum + (achievedRate * (toMs - fromMs)) / 1000,
    0,
  )
  const perRequest = answered === 0 ? 0 : load.acknowledgedPoints / answered
  return (
    sample.backlogPoints > MAX_BACKLOG_SECONDS * stage.achievedRate * Math.max(perRequest, 0.01)
  )
}

interface JudgedPilot {
  readonly load: LoadResult
  readonly probes?: ProbeFigures
  readonly slo: Slo
  readonly drainLimitMs: number
}

/** Of a pilot the broken stage is judged: all of them together mean nothing. */
export function judgePilot(pilot: JudgedPilot): Verdict {
  const { load, probes } = pilot
  const stage = brokenStage(load, probes) ?? load.stages.at(-1)
  if (stage === undefined) return judge(pilot)
  const verdict = judge({
    ...pilot,
    load: asLoad(load, stage),
    // Over a ramp that ends beyond the limit every backlog grows.
    ...(probes === undefined
      ? {}
      : { probes: { ...probes, backlog: { ...probes.backlog, slopePerSecond: 0 } } }),
  })
  if (stage.breaches.length === 0) return verdict
  const known = verdict.breaches.some(({ rule }) =>
    ['p99', 'p95', 'errors', 'achieved'].includes(rule),
  )
  if (known) return verdict
  const breaches = stage.breaches.map(detail => ({ rule: ruleOf(detail), detail }))
  const outcome = verdict.outcome === 'pass' ? 'fail' : verdict.outcome
  return { outcome, breaches: [...verdict.breaches, ...breaches] }
}

function asLoad(load: LoadResult, stage: StageResult): LoadResult {
  const { offeredRate, achievedRate, errorShare, latency } = stage
  const measuredMs = stage.toMs - stage.fromMs
  const counts = { requests: latency.count, successes: 0, tolerated: 0, failures: 0, timeouts: 0 }
  const endpoints = [
    { name: `all requests at ${stage.rate}/s`, ...counts, statuses: {}, latency, histogram: '' },
  ]
  return { ...load, offeredRate, achievedRate, errorShare, latency, measuredMs, endpoints }
}

function ruleOf(detail: string): 'p99' | 'p95' | 'errors' | 'achieved' {
  if (/p95/.test(detail)) return 'p95'
  if (/error|fail/i.test(detail)) return 'errors'
  return /achieved/i.test(detail) ? 'achieved' : 'p99'
}

/**
 * What the search is told of a step that was recorded, now or before the run was stopped. Of a pilot:
 * the highest rate whose stage held, and the first that did not.
 */
export function answerOf({ phase, load, probes, verdict }: StepRecord, phases: Phases): StepAnswer {
  if (phase !== 'pilot' || load === undefined) return { verdict }
  const broken = brokenStage(load, probes)
  const crash = verdict.breaches.some(({ rule }) => rule === 'crash')
  const broke = broken?.rate ?? (crash ? load.stages.at(-1)?.rate : undefined)
  const held = load.stages
    .filter(({ rate, fromMs, toMs }) => {
      const isWhole = toMs - fromMs >= WHOLE_STAGE_SHARE * phases.pilotStepMs
      return isWhole && (broke === undefined || rate < broke)
    })
    .at(-1)?.rate
  return {
    verdict,
    ...(held === undefined ? {} : { held }),
    ...(broke === undefined ? {} : { broke }),
  }
}
