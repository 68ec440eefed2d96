import type { Arrivals } from '../generator/executor.ts'
import type { LoadResult } from '../generator/load.ts'
import type { Outcome, Verdict } from '../run/record.ts'
import type { Slo } from '../workloads/workload.ts'

/** By the path that starts it. */
export type BenchmarkName = 'baseline-suite' | 'throughput-ceiling' | 'run-benchmark'

/** The same for all tests of a benchmark. */
export interface LoadSettings {
  readonly devices: number
  readonly arrivals: Arrivals
  readonly seed: number
  readonly connections: number
  readonly warmUpMs: number
  readonly timeoutMs: number
  readonly slo: Slo
}

/** One constant rate for one time: a line of the table. */
export interface BenchmarkTest {
  readonly type: string
  readonly targetRps: number
  readonly durationMs: number
}

/** What a benchmark comes to, besides its tests. */
export interface Conclusion {
  /** Of a ceiling: the highest rate that held; 0: not even the first did. */
  readonly ceilingRps?: number
  /** What kept the next rate from holding. */
  readonly limit?: readonly string[]
  readonly problem?: string
}

/** Yields tests, is sent what became of them, returns the conclusion. */
export type TestSequence = Generator<BenchmarkTest, Conclusion, Verdict>

export interface Benchmark {
  readonly name: BenchmarkName
  readonly settings: LoadSettings
  /** Measured time and warm-ups of all tests; absent where nobody knows how many there will be. */
  readonly plannedMs?: number
  readonly plannedTests?: number
  tests(): TestSequence
}

/** A line of the table, as it is kept and answered. Times in milliseconds, rates a second. */
export interface TestResult {
  readonly id: string
  readonly run_id: string
  readonly benchmark: BenchmarkName
  readonly test_type: string
  readonly started_at: string
  readonly target_rps: number
  readonly offered_rps: number
  readonly actual_rps: number
  /** `null` where nothing was answered or waited for. */
  readonly p50_latency_ms: number | null
  readonly p95_latency_ms: number | null
  readonly p99_latency_ms: number | null
  readonly max_latency_ms: number | null
  /** Of all requests: 0 to 1. */
  readonly error_rate: number
  readonly duration_s: number
  readonly requests: number
  readonly failures: number
  readonly timeouts: number
  readonly statuses: Readonly<Record<string, number>>
  readonly acknowledged: number
  /** `void`: the generator itself was late, so the figures say nothing of the target. */
  readonly outcome: Outcome
  readonly breaches: readonly string[]
  readonly stopped: boolean
  readonly send_lag_p99_ms: number
  readonly generator_cpu_share: number
  readonly target: string
  readonly devices: number
  readonly connections: number
  readonly arrivals: Arrivals
  readonly seed: number
  /** The first failure in words, or why there was no load at all. */
  readonly problem?: string
}

/** A benchmark that has ended. */
export interface RunRecord {
  readonly run_id: string
  readonly benchmark: BenchmarkName
  readonly started_at: string
  readonly ended_at: string
  readonly status: 'done' | 'stopped' | 'failed'
  readonly tests: number
  readonly ceiling_rps?: number
  readonly limit?: readonly string[]
  readonly problem?: string
}

/** What a test result is made from. */
export interface Measured {
  readonly load: LoadResult
  readonly verdict: Verdict
}
