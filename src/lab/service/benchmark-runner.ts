import { randomUUID } from 'node:crypto'
import { WeirError } from '../../ports/errors.ts'
import type { LoadPlan, LoadResult, RunningLoad, StartLoad, Tick } from '../generator/load.ts'
import type { Verdict } from '../run/record.ts'
import type { Slo, Workload } from '../workloads/workload.ts'
import type { Benchmark, BenchmarkTest, Conclusion, RunRecord, TestResult } from './benchmark.ts'
import type { BenchmarkStatus } from './benchmark-status.ts'
import type { ResultBook } from './result-book.ts'
import { testResult, unreached } from './test-result.ts'
import { whyUnreachable } from './reachable.ts'

/** Beyond the time-out of its requests, until a generator that was stopped has its figures. */
const STOP_LIMIT_MS = 5000

export interface RunnerOptions {
  /** `http://HOST:PORT`. */
  readonly target: string
  readonly key?: string | undefined
  readonly workload: Workload
  readonly startLoad: StartLoad
  readonly judge: (step: { load: LoadResult; slo: Slo }) => Verdict
  readonly book: ResultBook
  /** Told what nobody else hears: a run that failed. */
  readonly report: (line: string) => void
}

export interface StartedRun {
  readonly runId: string
  /** Never rejects: what went wrong is in the record. */
  readonly ended: Promise<RunRecord>
}

interface Run {
  readonly id: string
  readonly benchmark: Benchmark
  readonly startedAt: string
  readonly beganMs: number
  testsDone: number
  /** Of a ceiling: the highest rate that has held so far. */
  heldRps?: number
  isStopping: boolean
  /** Ends a generator at once, and what it would have found with it. */
  readonly kill: AbortController
  test?: BenchmarkTest
  testBeganMs: number
  tick?: Tick | undefined
  load?: RunningLoad | undefined
  ended: Promise<RunRecord>
}

/** Runs one benchmark at a time, its tests one after the other, each in a generator of its own. */
export class BenchmarkRunner {
  #run: Run | undefined
  readonly #options: RunnerOptions

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  /** @throws WeirError (conflict) while one runs. */
  start(benchmark: Benchmark): StartedRun {
    if (this.#run !== undefined) {
      const { benchmark: other, startedAt } = this.#run
      const since = startedAt.slice(11, 19)
      const hint = 'wait for it (GET /benchmark-status) or end it (POST /stop-benchmark)'
      throw new WeirError('conflict', `${other.name} runs since ${since} UTC: ${hint}`)
    }
    const run: Run = {
      id: randomUUID(),
      benchmark,
      startedAt: new Date().toISOString(),
      ...{ beganMs: performance.now(), testBeganMs: performance.now() },
      ...{ testsDone: 0, isStopping: false, kill: new AbortController() },
      ended: Promise.resolve() as never,
    }
    this.#run = run
    run.ended = this.#perform(run).finally(() => (this.#run = undefined))
    return { runId: run.id, ended: run.ended }
  }

  /**
   * No further requests; resolves when it has ended and what it found is kept. What is not answered
   * `withinMs` is given up, and the test with it.
   */
  async stop(withinMs?: number): Promise<RunRecord | undefined> {
    const run = this.#run
    if (run === undefined) return undefined
    run.isStopping = true
    run.load?.stop()
    const limitMs = withinMs ?? run.benchmark.settings.timeoutMs + STOP_LIMIT_MS
    const kill = setTimeout(() => run.kill.abort(), limitMs)
    try {
      return await run.ended
    } finally {
      clearTimeout(kill)
    }
  }

  get status(): BenchmarkStatus {
    const run = this.#run
    const last = this.#options.book.runs.at(-1) ?? null
    if (run === undefined) return { status: 'idle', last_run: last }
    const { benchmark, test, tick } = run
    const { warmUpMs } = benchmark.settings
    const elapsedMs = performance.now() - run.beganMs
    const testMs = warmUpMs + (test?.durationMs ?? 0)
    const testLeftMs = testMs - (performance.now() - run.testBeganMs)
    const isWarm = tick !== undefined && tick.atMs > warmUpMs
    return {
      status: run.isStopping ? 'stopping' : 'running',
      run_id: run.id,
      benchmark: benchmark.name,
      started_at: run.startedAt,
      test_type: test?.type ?? null,
      test: run.testsDone + 1,
      tests: benchmark.plannedTests ?? null,
      phase: tick === undefined ? 'starting' : isWarm ? 'measuring' : 'warming up',
      target_rps: test?.targetRps ?? null,
      rate_rps: tick?.achieved ?? null,
      p99_latency_ms: tick?.p99Ms ?? null,
      failures_rps: tick?.failures ?? null,
      elapsed_s: seconds(elapsedMs),
      left_s: benchmark.plannedMs === undefined ? null : seconds(benchmark.plannedMs - elapsedMs),
      test_left_s: seconds(testLeftMs),
      last_run: last,
    }
  }

  async #perform(run: Run): Promise<RunRecord> {
    const { book, report } = this.#options
    let conclusion: Conclusion
    let status: RunRecord['status'] = 'done'
    try {
      conclusion = await this.#testAll(run)
      if (run.isStopping) status = 'stopped'
    } catch (error) {
      conclusion = { ...heldOf(run), problem: (error as Error).message }
      status = run.isStopping ? 'stopped' : 'failed'
      report(`${run.benchmark.name} ${status}: ${conclusion.problem}`)
    }
    const record: RunRecord = {
      run_id: run.id,
      benchmark: run.benchmark.name,
      started_at: run.startedAt,
      ended_at: new Date().toISOString(),
      ...{ status, tests: run.testsDone },
      ...(conclusion.ceilingRps === undefined ? {} : { ceiling_rps: conclusion.ceilingRps }),
      ...(conclusion.limit === undefined ? {} : { limit: conclusion.limit }),
      ...(conclusion.problem === undefined ? {} : { problem: conclusion.problem }),
    }
    await book.addRun(record).catch((error: Error) => {
      report(`the run is not on disk: ${error.message}`)
    })
    return record
  }

  async #testAll(run: Run): Promise<Conclusion> {
    const sequence = run.benchmark.tests()
    for (let next = sequence.next(); ;) {
      if (next.done === true) return next.value
      if (run.isStopping) return heldOf(run)
      run.test = next.value
      const { result, verdict } = await this.#test(run, next.value)
      // Of a test that was stopped before its measured time there are no figures.
      if (!run.isStopping || result.requests > 0) {
        await this.#options.book.addTest(result)
        run.testsDone++
      }
      if (run.isStopping) continue
      if (run.benchmark.name === 'throughput-ceiling' && verdict.outcome === 'pass') {
        run.heldRps = next.value.targetRps
      }
      next = sequence.next(verdict)
    }
  }

  async #test(run: Run, test: BenchmarkTest): Promise<{ result: TestResult; verdict: Verdict }> {
    const { startLoad, judge, target } = this.#options
    const { id: runId, benchmark } = run
    run.testBeganMs = performance.now()
    run.tick = undefined
    try {
      const plan = this.#planOf(benchmark, test)
      let load: RunningLoad
      try {
        load = await startLoad(plan, tick => (run.tick = tick), run.kill.signal)
      } catch (error) {
        if (run.kill.signal.aborted) throw error
        const problem = await whyUnreachable(target)
        // Somebody is there: then it is the generator that did not start.
        if (problem === undefined) throw error
        return unreached(problem, { ...{ runId, benchmark, test, target } })
      }
      run.load = load
      // It was asked to stop before there was anything to be stopped.
      if (run.isStopping) load.stop()
      const measured = await load.result
      const verdict = withoutEcho(judge({ load: measured, slo: benchmark.settings.slo }))
      const stopped = run.isStopping
      const result = testResult(
        { load: measured, verdict },
        { ...{ runId, benchmark, test, target, stopped } },
      )
      return { result, verdict }
    } finally {
      run.load = undefined
    }
  }

  #planOf({ settings }: Benchmark, { targetRps, durationMs }: BenchmarkTest): LoadPlan {
    const { target: url, key, workload } = this.#options
    const { devices, arrivals, seed, connections, warmUpMs, timeoutMs, slo } = settings
    return {
      ...{ url, seed, connections, warmUpMs, timeoutMs, slo },
      ...(key === undefined ? {} : { key }),
      workload: { ...workload, devices },
      executor: {
        ...{ kind: 'constant-arrival-rate', arrivals, rate: targetRps },
        durationMs: warmUpMs + durationMs,
      },
    }
  }
}

/** What a ceiling has found, also where it comes to no end of its own. */
function heldOf({ heldRps }: Run): Conclusion {
  return heldRps === undefined ? {} : { ceilingRps: heldRps }
}

/** The bound on p95 is that on p99 here: where the p99 is too high, it says nothing more. */
function withoutEcho({ outcome, breaches }: Verdict): Verdict {
  const isTail = breaches.some(({ rule }) => rule === 'p99')
  return { outcome, breaches: breaches.filter(({ rule }) => !isTail || rule !== 'p95') }
}

const seconds = (ms: number): number => Math.max(0, Math.round(ms / 100) / 10)
