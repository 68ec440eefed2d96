import type { Slo, Workload } from '../workloads/workload.ts'
import { expectedRequests, type RateSegment } from './arrivals.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import type { StageResult } from './load.ts'
import type { Meaning, Settled } from './recorder.ts'

/** How often what is allowed for a whole stage must have happened to end it before its end. */
const CERTAINTY = 2

interface Stage {
  readonly rate: number
  /** Of its measured part. */
  readonly fromMs: number
  readonly toMs: number
  readonly expected: number
  readonly latencies: (LatencyHistogram | undefined)[]
  offered: number
  achieved: number
  failures: number
  slow: number
  breaches: readonly string[] | undefined
}

/**
 * The stages of a run and what they break of the SLO. Requests count for the stage in which they
 * were meant to be sent. A stage is judged when the p99 of the SLO has passed since its end: what
 * has no answer by then is too late, however it ends, and counts as not achieved.
 */
export class Stages {
  readonly #stages: readonly Stage[]
  readonly #slo: Slo
  readonly #names: readonly string[]

  constructor(segments: readonly RateSegment[], slo: Slo, options: StageOptions) {
    this.#slo = slo
    this.#names = options.workload.requests.map(({ name }) => name)
    this.#stages = segments.map(segment => stageOf(segment, options.warmUpMs))
  }

  /** A request was due. */
  due(intendedMs: number): void {
    const stage = this.#at(intendedMs)
    if (stage !== undefined) stage.offered++
  }

  settle({ kind, intendedMs, nowMs }: Settled, meaning: Meaning): void {
    const stage = this.#at(intendedMs)
    if (stage === undefined) return
    const latencyMs = nowMs - intendedMs
    const latency = (stage.latencies[kind] ??= new LatencyHistogram())
    latency.record(latencyMs)
    if (latencyMs > this.#slo.p99Ms) stage.slow++
    if (meaning === 'failure') stage.failures++
    else if (stage.breaches === undefined) stage.achieved++
  }

  /** Judges what can be judged by now; true: a stage has broken the SLO, or is sure to. */
  hasBreach(nowMs: number, waiting: number): boolean {
    for (const stage of this.#stages) {
      if (stage.fromMs > nowMs) break
      if (stage.breaches !== undefined) continue
      if (nowMs >= stage.toMs + this.#slo.p99Ms) stage.breaches = this.#judge(stage)
      else if (nowMs < stage.toMs) {
        const certain = this.#certain(stage, waiting)
        if (certain !== undefined) stage.breaches = [certain]
      }
      if (stage.breaches !== undefined && stage.breaches.length > 0) return true
    }
    return false
  }

  /** Of those that have begun. */
  results(endMs: number): StageResult[] {
    const begun = this.#stages.filter(({ fromMs, toMs }) => fromMs < endMs && fromMs < toMs)
    return begun.map(stage => {
      const toMs = Math.min(stage.toMs, endMs)
      const seconds = (toMs - stage.fromMs) / 1000
      const all = new LatencyHistogram()
      for (const latency of stage.latencies) if (latency !== undefined) all.add(latency)
      return {
        ...{ rate: stage.rate, fromMs: stage.fromMs, toMs, latency: all.latency() },
        offeredRate: stage.offered / seconds,
        achievedRate: stage.achieved / seconds,
        errorShare: share(stage.failures, stage.offered),
        breaches: stage.breaches ?? this.#judge(stage),
      }
    })
  }

  #judge(stage: Stage): string[] {
    const { p95Ms, p99Ms, maxErrorShare, minAchievedShare } = this.#slo
    const breaches: string[] = []
    for (const [kind, latency] of stage.latencies.entries()) {
      if (latency === undefined) continue
      const found = latency.latency()
      const name = this.#names[kind]
      if (found.p99Ms > p99Ms) breaches.push(slower(`p99 of ${name}`, found.p99Ms, p99Ms))
      if (found.p95Ms > p95Ms) breaches.push(slower(`p95 of ${name}`, found.p95Ms, p95Ms))
    }
    const errors = share(stage.failures, stage.offered)
    if (errors > maxErrorShare)
      breaches.push(`errors ${percent(errors)}, at most ${percent(maxErrorShare)}`)
    const achieved = stage.offered === 0 ? 1 : stage.achieved / stage.offered
    if (achieved < minAchievedShare)
      breaches.push(`achieved ${percent(achieved)}, at least ${percent(minAchievedShare)}`)
    return breaches
  }

  /** What no rest of the stage can make good. */
  #certain(stage: Stage, waiting: number): string | undefined {
    const { p99Ms, maxErrorShare } = this.#slo
    // Those that wait and have not come within the last p99 are too late already.
    const late = Math.max(0, waiting - (CERTAINTY * stage.rate * p99Ms) / 1000)
    const slow = Math.floor(stage.slow + late)
    const expected = Math.round(stage.expected)
    if (slow > CERTAINTY * 0.01 * expected + 1)
      return `${slow} of ${expected} slower than ${p99Ms} ms, at most 1 %`
    if (stage.failures > CERTAINTY * maxErrorShare * expected + 1)
      return `${stage.failures} errors of ${expected}, at most ${percent(maxErrorShare)}`
    return undefined
  }

  #at(intendedMs: number): Stage | undefined {
    for (let i = this.#stages.length - 1; i >= 0; i--) {
      const stage = this.#stages[i]
      if (intendedMs >= stage.fromMs) return intendedMs < stage.toMs ? stage : undefined
    }
    return undefined
  }
}

export interface StageOptions {
  readonly workload: Workload
  readonly warmUpMs: number
}

function stageOf(segment: RateSegment, warmUpMs: number): Stage {
  const { toMs, toRate: rate } = segment
  const fromMs = Math.min(toMs, Math.max(segment.fromMs, warmUpMs))
  return {
    ...{ rate, fromMs, toMs, latencies: [], breaches: undefined },
    expected: expectedRequests(segment) * ((toMs - fromMs) / (toMs - segment.fromMs)),
    ...{ offered: 0, achieved: 0, failures: 0, slow: 0 },
  }
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
const percent = (value: number): string => `${Number((100 * value).toFixed(2))} %`
const slower = (what: string, foundMs: number, atMostMs: number): string =>
  `${what} ${Math.round(foundMs)} ms, at most ${atMostMs} ms`
