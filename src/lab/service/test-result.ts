import { randomUUID } from 'node:crypto'
import type { EndpointResult } from '../generator/load.ts'
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
