import { randomUUID } from 'node:crypto'
import type { EndpointResult } from '../generator/load.ts'
import type { Verdict } from '../run/record.ts'
import type { Benchmark, BenchmarkTest, Measured, TestResult } from './benchmark.ts'

export interface TestContext {
  readonly runId: string
  readonly benchmark: Benchmark
  readonly test: BenchmarkTest
  readonly target: string
  readonly stopped: boolean
}

/** What is kept of a load: figures rounded to what they can say, no histograms. */
export function testResult({ load, verdict }: Measured, context: TestContext): TestResult {
  const { benchmark, test } = context
  const { devices, connections, arrivals, seed } = benchmark.settings
  const { latency, endpoints } = load
  const ms = (value: number): number | null => (latency.count === 0 ? null : rounded(value))
  const sum = (of: (endpoint: EndpointResult) => number): number =>
    endpoints.reduce((total, endpoint) => total + of(endpoint), 0)
  return {
    id: randomUUID(),
    run_id: context.runId,
    benchmark: benchmark.name,
    test_type: test.type,
    started_at: load.startedAt,
    target_rps: test.targetRps,
    offered_rps: rounded(load.offeredRate),
    actual_rps: rounded(load.achievedRate),
    p50_latency_ms: ms(latency.p50Ms),
    p95_latency_ms: ms(latency.p95Ms),
    p99_latency_ms: ms(latency.p99Ms),
    max_latency_ms: ms(latency.maxMs),
    error_rate: load.errorShare,
    duration_s: rounded(load.measuredMs / 1000),
    requests: sum(({ requests }) => requests),
    failures: sum(({ failures }) => failures),
    timeouts: sum(({ timeouts }) => timeouts),
    statuses: statusesOf(endpoints),
    acknowledged: load.acknowledgedPoints,
    outcome: verdict.outcome,
    breaches: verdict.breaches.map(({ detail }) => detail),
    stopped: context.stopped,
    send_lag_p99_ms: rounded(load.sendLag.p99Ms),
    generator_cpu_share: rounded(load.generatorCpuShare),
    target: context.target,
    ...{ devices, connections, arrivals, seed },
    ...(load.firstFailure === undefined ? {} : { problem: load.firstFailure }),
  }
}

/** Nobody listens there: nothing could be sent, so all of it failed. */
export function unreached(
  problem: string,
  { runId, benchmark, test, target }: Omit<TestContext, 'stopped'>,
): { result: TestResult; verdict: Verdict } {
  const { devices, connections, arrivals, seed } = benchmark.settings
  const verdict: Verdict = { outcome: 'fail', breaches: [{ rule: 'errors', detail: problem }] }
  const result: TestResult = {
    id: randomUUID(),
    run_id: runId,
    benchmark: benchmark.name,
    test_type: test.type,
    started_at: new Date().toISOString(),
    ...{ target_rps: test.targetRps, offered_rps: 0, actual_rps: 0 },
    ...{ p50_latency_ms: null, p95_latency_ms: null, p99_latency_ms: null, max_latency_ms: null },
    ...{ error_rate: 1, duration_s: 0, requests: 0, failures: 0, timeouts: 0, statuses: {} },
    ...{ acknowledged: 0, outcome: verdict.outcome, breaches: [problem], stopped: false },
    ...{ send_lag_p99_ms: 0, generator_cpu_share: 0, target },
    ...{ devices, connections, arrivals, seed, problem },
  }
  return { result, verdict }
}

function statusesOf(endpoints: readonly EndpointResult[]): Record<string, number> {
  const statuses: Record<string, number> = {}
  for (const endpoint of endpoints) {
    for (const [status, count] of Object.entries(endpoint.statuses)) {
      statuses[status] = (statuses[status] ?? 0) + count
    }
  }
  return statuses
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000
