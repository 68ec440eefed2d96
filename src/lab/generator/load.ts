import type { Slo, Workload } from '../workloads/workload.ts'
import type { Executor } from './executor.ts'

/** What one run of the generator is to do. Crosses a process border, so it is plain data. */
export interface LoadPlan {
  /** `http://HOST:PORT`. */
  readonly url: string
  readonly key?: string
  readonly workload: Workload
  /** In place of the workload's own. */
  readonly executor: Executor
  readonly slo: Slo
  /** Arrival times, kinds, devices and values are drawn from it before the run. */
  readonly seed: number
  /** At most; opened before the run. A request waits for a free one, and that counts. */
  readonly connections: number
  /** Requests meant to be sent before are not measured, but their points count. */
  readonly warmUpMs: number
  /** Of the warm-up: a constant rate is reached evenly within this time. Absent: at once. */
  readonly rampUpMs?: number
  /** A request without an answer for so long is a time-out; its connection is opened anew. */
  readonly timeoutMs: number
}

/** Milliseconds. From the intended time of sending to the last byte of the answer. */
export interface Latency {
  readonly count: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface EndpointResult {
  /** Of the RequestKind. */
  readonly name: string
  /** Meant to be sent in the measured time. */
  readonly requests: number
  readonly successes: number
  /** Answers that the kind tolerates. */
  readonly tolerated: number
  /** All others: errors, refusals, time-outs. */
  readonly failures: number
  readonly timeouts: number
  /** By status; `0` is a connection that broke. */
  readonly statuses: Readonly<Record<string, number>>
  /** Of all answers and time-outs (as long as they were waited for). */
  readonly latency: Latency
  /** The same as an HdrHistogram in microseconds, V2 compressed, base64. */
  readonly histogram: string
}

/** One second of a run, or what is left of it. */
export interface Tick {
  /** Since the start of the run, warm-up too. */
  readonly atMs: number
  readonly offered: number
  readonly achieved: number
  readonly failures: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  /** Sent and not answered, and due and not sent. */
  readonly inFlight: number
  readonly waiting: number
}

export interface StageResult {
  readonly rate: number
  readonly fromMs: number
  readonly toMs: number
  readonly offeredRate: number
  readonly achievedRate: number
  readonly errorShare: number
  readonly latency: Latency
  /** What of the SLO it broke, in words; empty: nothing. */
  readonly breaches: readonly string[]
}

export interface LoadResult {
  readonly startedAt: string
  readonly measuredMs: number
  /** Requests a second that were meant to be sent in the measured time. */
  readonly offeredRate: number
  /** Of these, answered as expected or tolerated within the measured time. */
  readonly achievedRate: number
  readonly errorShare: number
  /** Over all endpoints. */
  readonly latency: Latency
  readonly endpoints: readonly EndpointResult[]
  /** Of executors with stages, each of them. */
  readonly stages: readonly StageResult[]
  readonly ticks: readonly Tick[]
  /** From the intended time to the write, where a connection was free: the instrument's own error. */
  readonly sendLag: Latency
  /** Of one core, in the measured time. */
  readonly generatorCpuShare: number
  /** Over the whole run, warm-up too: what the ledger must hold. */
  readonly acknowledgedPoints: number
  /** Of requests that were sent and not answered, or answered with a failure: there or not. */
  readonly uncertainPoints: number
  /** Set where the run ended early. */
  readonly stoppedAtMs?: number
  readonly firstFailure?: string
}

/** What the generator's process sends to the one that started it. */
export type GeneratorMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'tick'; readonly tick: Tick }
  | { readonly kind: 'result'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly message: string }

/** A run in a process of its own. `src/lab/generator/generator.ts` has `startLoad`. */
export interface RunningLoad {
  readonly pid: number
  /** Rejects when the process ends without one, or hangs and is killed. */
  readonly result: Promise<LoadResult>
  /** No further requests; the result is of what was due until then. */
  stop(): void
}

/** The signal ends the process at once, in whatever it is; there is no result then. */
export type StartLoad = (
  plan: LoadPlan,
  onTick?: (tick: Tick) => void,
  signal?: AbortSignal,
) => Promise<RunningLoad>
