import type { EndpointResult, Latency, LoadResult } from '../generator/load.ts'
import type { ProbeFigures } from '../probes/figures.ts'

// A step of 30 s at 1000 requests/s, a point each, in which everything holds.

export function latencyOf(given: Partial<Latency>): Latency {
  return { count: 30_000, meanMs: 4, p50Ms: 3, p95Ms: 9, p99Ms: 20, maxMs: 40, ...given }
}

export function endpointOf(given: Partial<EndpointResult>): EndpointResult {
  return {
    name: 'POST telemetry',
    requests: 30_000,
    successes: 30_000,
    tolerated: 0,
    failures: 0,
    timeouts: 0,
    statuses: { 201: 30_000 },
    latency: latencyOf({}),
    histogram: '',
    ...given,
  }
}

export function loadOf(given: Partial<LoadResult>): LoadResult {
  return {
    startedAt: '2026-11-21T10:00:00.000Z',
    measuredMs: 30_000,
    offeredRate: 1000,
    achievedRate: 1000,
    errorShare: 0,
    latency: latencyOf({}),
    endpoints: [endpointOf({})],
    stages: [],
    ticks: [],
    sendLag: latencyOf({ p99Ms: 0.4 }),
    generatorCpuShare: 0.2,
    acknowledgedPoints: 30_000,
    uncertainPoints: 0,
    ...given,
  }
}

export function probesOf(given: Partial<ProbeFigures>): ProbeFigures {
  return {
    roles: [],
    node: {},
    backlog: { slopePerSecond: 0, drainedMs: 0, maxPoints: 0 },
    freshness: latencyOf({ count: 300, p99Ms: 30 }),
    ledger: {
      acknowledged: 30_000,
      uncertain: 0,
      stored: 30_000,
      counted: 30_000,
      imbalance: 0,
      problems: [],
    },
    stealPct: 0,
    diskBytes: 1_000_000,
    samples: [],
    ...given,
  }
}
