import { DEFAULT_SLO, type Workload } from '../workloads/workload.ts'
import type { Latency, LoadResult } from '../generator/load.ts'
import type { ProbeFigures } from '../probes/figures.ts'
import type { CellRecord, LabRecord, RunRecord, StepRecord } from '../run/record.ts'

const QUIET: Latency = { count: 1, meanMs: 1, p50Ms: 1, p95Ms: 2, p99Ms: 3, maxMs: 4 }

/** A profile of writes with two points and reads of newest values. */
export function testWorkload(id: string, writeShare: number): Workload {
  return {
    ...{ id, title: id, summary: '', devices: 1000, devicePrefix: 'device-' },
    metrics: { x: { min: 0, max: 1, decimals: 1 }, y: { min: 0, max: 1, decimals: 1 } },
    requests: [
      {
        ...{ name: 'POST telemetry', weight: writeShare, method: 'POST', path: ['/w'] },
        ...{ expects: [201], points: 2 },
      },
      {
        ...{ name: 'GET latest', weight: 1 - writeShare, method: 'GET', path: ['/r'] },
        ...{ expects: [200], points: 0 },
      },
    ],
    history: { points: 100, intervalMs: 1000 },
    executor: { kind: 'closed', users: 1, thinkMs: [0, 0], durationMs: 1 },
    slo: DEFAULT_SLO,
  }
}

export function testRun(workloads: readonly Workload[], solutions: readonly string[]): RunRecord {
  return {
    ...{ kind: 'run', formatVersion: 1, id: 'r1', startedAt: '2026-11-20T10:00:00.000Z' },
    ...{ command: 'weir lab run', isQuick: false, seed: 1, blocks: 1, slo: DEFAULT_SLO, workloads },
    profiles: workloads.map(({ id }) => id),
    solutions: solutions.map(id => ({
      ...{ id, topology: id.replace('-again', ''), flags: [], summary: '' },
    })),
    phases: {
      ...{ startRate: 50, pilotFactor: 1.5, pilotStepMs: 1000, warmUpMs: 10_000, measureMs: 1 },
      ...{ precision: 0.05, confirmMs: 10_000, overloadFactor: 1.5, overloadMs: 1 },
      ...{ maxVoids: 1, drainLimitMs: 1 },
    },
    machine: {
      ...{ cpu: 'Test CPU', cores: 2, memoryBytes: 4e9, kernel: '6.1', node: '24', commit: 'abc' },
      ...{ fsyncP50Ms: 1, fsyncP99Ms: 2, servers: [], topologies: {} },
    },
  }
}

export interface TestCell {
  readonly solution: string
  readonly workload: Workload
  /** Requests a second. */
  readonly maxRate: number
  /** By role, of a second. */
  readonly cpu?: Readonly<Record<string, number>>
  readonly block?: number
}

/** The confirmation of a cell and its end. */
export function testCell(given: TestCell): LabRecord[] {
  const { solution, workload, maxRate, cpu = { api: 0.5 }, block = 0 } = given
  const cell = { block, solution, profile: workload.id }
  const seconds = 10
  const [write] = workload.requests
  const endpoints = workload.requests.map(({ name, weight }) => {
    const successes = maxRate * weight * seconds
    return {
      ...{ name, requests: successes, successes, tolerated: 0, failures: 0, timeouts: 0 },
      ...{ statuses: {}, latency: QUIET, histogram: '' },
    }
  })
  const load: LoadResult = {
    ...{ startedAt: '', measuredMs: seconds * 1000, offeredRate: maxRate, achievedRate: maxRate },
    ...{ errorShare: 0, latency: QUIET, endpoints, stages: [], ticks: [], sendLag: QUIET },
    ...{ generatorCpuShare: 0.1, uncertainPoints: 0 },
    acknowledgedPoints: maxRate * write.weight * 2 * (seconds + 10),
  }
  const stored = load.acknowledgedPoints
  const probes: ProbeFigures = {
    roles: Object.entries(cpu).map(([role, share]) => ({
      ...{ role: role as 'api', cpuMeanPct: share * 100, cpuMaxPct: 100, processesMax: 1 },
      ...{ cpuSeconds: share * seconds, memoryMaxBytes: 300e6 },
    })),
    ...{ node: {}, backlog: { slopePerSecond: 0, maxPoints: 0 }, freshness: QUIET, samples: [] },
    ledger: { acknowledged: stored, uncertain: 0, stored, imbalance: 0, problems: [] },
    ...{ stealPct: 0, diskBytes: (stored + 200_000) * 3 },
  }
  const step: StepRecord = {
    ...{ kind: 'step', cell, phase: 'confirm', attempt: 0, rate: maxRate, startedAt: '' },
    ...{ load, probes, verdict: { outcome: 'pass', breaches: [] } },
  }
  const end: CellRecord = { kind: 'cell', cell, endedAt: '', maxRate, limit: [] }
  return [step, end]
}
