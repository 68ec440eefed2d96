import type { BenchmarkName, RunRecord } from './benchmark.ts'

/** What runs now. Rates are of the last whole second. */
export type BenchmarkStatus =
  | { readonly status: 'idle'; readonly last_run: RunRecord | null }
  | {
      readonly status: 'running' | 'stopping'
      readonly run_id: string
      readonly benchmark: BenchmarkName
      readonly started_at: string
      readonly test_type: string | null
      /** Which of `tests` it is, from 1; `null`: it ends when a rate does not hold. */
      readonly test: number
      readonly tests: number | null
      readonly phase: 'starting' | 'warming up' | 'measuring'
      readonly target_rps: number | null
      readonly rate_rps: number | null
      readonly p99_latency_ms: number | null
      readonly failures_rps: number | null
      readonly elapsed_s: number
      readonly left_s: number | null
      readonly test_left_s: number
      readonly last_run: RunRecord | null
    }
