import type { LoadPlan, LoadResult, StageResult, StartLoad } from '../generator/load.ts'
import { endpointOf, latencyOf, loadOf, probesOf } from '../search/step.fixture.ts'
import type { Solution } from '../system/solution.ts'
import type { SystemHouse } from '../system/system.ts'
import { DEFAULT_SLO, type Workload } from '../workloads/workload.ts'
import type { RunParts, StartProbes } from './parts.ts'
import { QUICK_PHASES } from './phases.ts'
import type { MachineFacts } from './record.ts'
import type { RunSettings } from './settings.ts'

// A lab without servers and without time: systems that are nothing but the rate that they hold.

export const workloadNamed = (id: string): Workload => ({
  ...{ id, title: id, summary: `${id} in tests`, devices: 10, devicePrefix: 'device-' },
  metrics: { temperature: { min: 0, max: 1, decimals: 1 } },
  requests: [
    { name: 'POST', weight: 1, method: 'POST', path: ['/x'], expects: [201], points: 1 },
    {
      name: 'GET',
      weight: 1,
      method: 'GET',
      path: ['/x/', { is: 'device' }],
      expects: [200],
      points: 0,
    },
  ],
  history: { points: 0, intervalMs: 0 },
  executor: { kind: 'constant-arrival-rate', arrivals: 'poisson', rate: 1, durationMs: 1000 },
  slo: DEFAULT_SLO,
})

export const MACHINE: MachineFacts = {
  ...{ cpu: 'a processor', cores: 2, memoryBytes: 8e9, kernel: 'Linux 6', node: 'v24.21.0' },
  ...{ commit: 'abc1234', fsyncP50Ms: 0.3, fsyncP99Ms: 1, servers: [], topologies: {} },
}

export interface FakeLab {
  readonly parts: RunParts
  /** What was done, in its order: `start baseline`, `load 100`, `stop baseline`. */
  readonly log: string[]
  /** Requests a second that a solution holds; change it as you like. */
  readonly limits: Record<string, number>
  /** Called before each load. */
  onLoad: (plan: LoadPlan, solution: string) => void
  /** Of solutions that do not start. */
  readonly broken: Set<string>
  /** Why the system that runs has ended by itself. */
  failure: string | undefined
  readonly missing: Map<string, string>
  /** Changes what a load or the probes saw. */
  bend: (load: LoadResult, plan: LoadPlan) => LoadResult
  startProbes: StartProbes
}

/** A lab in which every solution holds `limits[id]`, else 1000 requests a second. */
export function fakeLab(limits: Record<string, number> = {}): FakeLab {
  const log: string[] = []
  let current = ''
  const startLoad: StartLoad = plan => {
    lab.onLoad(plan, current)
    const result = lab.bend(loadFor(plan, limits[current] ?? 1000), plan)
    log.push(`load ${ratesOf(plan).join(' ')}`)
    return Promise.resolve({ pid: 1, result: Promise.resolve(result), stop() {} })
  }
  const start: SystemHouse['start'] = solution => {
    if (lab.broken.has(solution.id)) return Promise.reject(new Error('no room\nat start'))
    current = solution.id
    log.push(`start ${solution.id}`)
    return Promise.resolve({
      ...{ solution, url: 'http://127.0.0.1:9' },
      processes: () => [{ pid: 1, role: 'api' }],
      failure: () => lab.failure,
      diskBytes: () => Promise.resolve(0),
      stop: () => {
        log.push(`stop ${solution.id}`)
        return Promise.resolve()
      },
    })
  }
  const lab: FakeLab = {
    ...{ log, limits, broken: new Set(), missing: new Map(), failure: undefined },
    onLoad() {},
    bend: load => load,
    startProbes: () =>
      Promise.resolve({
        finish: () => Promise.resolve(probesOf({})),
        stop: () => Promise.resolve(),
        latest: () => undefined,
      }),
    parts: {
      startLoad,
      startProbes: (system, options) => lab.startProbes(system, options),
      openHouse: () =>
        Promise.resolve({
          start,
          missing: () => Promise.resolve(lab.missing),
          close: () => {
            log.push('close')
            return Promise.resolve()
          },
        }),
      measureRecovery: () => Promise.resolve(40),
      machineFacts: () => Promise.resolve(MACHINE),
      workloads: { mixed: workloadNamed('mixed'), 'write-heavy': workloadNamed('write-heavy') },
    },
  }
  return lab
}

function ratesOf({ executor }: LoadPlan): number[] {
  if (executor.kind === 'ramping-arrival-rate') return executor.stages.map(({ rate }) => rate)
  return executor.kind === 'constant-arrival-rate' ? [executor.rate] : []
}

function loadFor(plan: LoadPlan, limit: number): LoadResult {
  const rates = ratesOf(plan)
  const slow = { p95Ms: 400, p99Ms: 900 }
  if (plan.executor.kind !== 'ramping-arrival-rate') {
    const latency = latencyOf(rates[0] <= limit ? {} : slow)
    return loadOf({
      ...{ offeredRate: rates[0], achievedRate: rates[0], latency },
      endpoints: [endpointOf({ latency })],
    })
  }
  const stages: StageResult[] = []
  let fromMs = 0
  for (const [i, { durationMs }] of plan.executor.stages.entries()) {
    const holds = rates[i] <= limit
    stages.push({
      ...{ rate: rates[i], offeredRate: rates[i], achievedRate: rates[i], errorShare: 0 },
      ...{ fromMs, toMs: fromMs + durationMs, latency: latencyOf(holds ? {} : slow) },
      breaches: holds ? [] : ['p99 900 ms, at most 300 ms'],
    })
    fromMs += durationMs
    if (!holds) break
  }
  return loadOf({ stages })
}

export const solutionsOf = (...ids: string[]): Solution[] =>
  ids.map(id => ({ id, topology: id, flags: [], summary: id }))

export function settingsOf(given: Partial<RunSettings> = {}): RunSettings {
  return {
    ...{ isQuick: true, seed: 7, blocks: 1, profiles: ['mixed', 'write-heavy'] },
    ...{ solutions: solutionsOf('baseline', 'tune'), slo: DEFAULT_SLO },
    phases: QUICK_PHASES,
    ...given,
  }
}
