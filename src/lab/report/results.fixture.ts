import { readFileSync } from 'node:fs'
import type { Latency, LoadResult, StageResult, Tick } from '../generator/load.ts'
import type { DatabaseFigures, ProbeFigures, ResourceSample } from '../probes/figures.ts'
import type {
  Breach,
  CellKey,
  LabRecord,
  Phase,
  Phases,
  RunRecord,
  StepRecord,
} from '../run/record.ts'
import { CONTROL, SOLUTIONS } from '../run/solutions.ts'
import type { Role } from '../system/system.ts'
import { DEFAULT_SLO } from '../workloads/workload.ts'

/** What is to be wrong with a cell; by `solution profile`, or `solution profile block`. */
export type Fault = 'missing' | 'unstarted' | 'invalid' | 'void' | 'not met' | 'unfinished'

export interface ResultOptions {
  readonly seed?: number
  readonly blocks?: number
  readonly isQuick?: boolean
  readonly cores?: number
  readonly solutions?: readonly string[]
  readonly profiles?: readonly string[]
  /** All rates are so many times higher, as of another commit. */
  readonly speed?: number
  readonly commit?: string
  readonly faults?: Readonly<Record<string, Fault>>
}

/** CPU milliseconds that a request costs each role, and the share of writes in the profile. */
type Costs = Partial<Record<Role, number>>

const PROFILES: Readonly<Record<string, number>> = {
  'read-heavy': 0.05,
  'write-heavy': 0.95,
  mixed: 0.5,
  analytics: 0.6,
}
const GENERATOR_MS = 0.03

export const PROFILE_IDS = Object.keys(PROFILES)
export const SOLUTION_IDS = ['baseline', 'tune', 'scale', 'cache', 'queue', 'cluster', 'embedded']

/**
 * Records that a run of the lab could have written: rates, latencies and CPU follow from what a
 * request costs each role, with noise from the seed. The same options give the same records.
 */
export function labResults(options: ResultOptions = {}): LabRecord[] {
  const { seed = 7, blocks = 3, faults = {} } = options
  const run = runRecord(options)
  const random = seeded(seed)
  const records: LabRecord[] = [run]
  for (let block = 1; block <= blocks; block++) {
    // A block is faster or slower as a whole; pairing in blocks takes that out.
    const drift = 1 + 0.06 * (random() - 0.5)
    for (const { id: solution } of run.solutions) {
      for (const profile of run.profiles) {
        const cell = { block, solution, profile }
        const fault = faults[`${solution} ${profile} ${block}`] ?? faults[`${solution} ${profile}`]
        const speed = (options.speed ?? 1) * drift * (1 + 0.03 * (random() - 0.5))
        records.push(...cellRecords({ run, cell, speed, fault, random }))
      }
    }
  }
  return records
}

function runRecord(options: ResultOptions): RunRecord {
  const { seed = 7, blocks = 3, isQuick = false, cores = 2 } = options
  const ids = options.solutions ?? [...SOLUTION_IDS, 'baseline-again']
  const solutions = [...SOLUTIONS, CONTROL].filter(({ id }) => ids.includes(id))
  const names = [...new Set(solutions.map(({ topology }) => topology))]
  const file = (name: string): URL => new URL(`../../../topologies/${name}.yaml`, import.meta.url)
  return {
    kind: 'run',
    formatVersion: 1,
    id: `run-${seed}`,
    startedAt: '2026-03-01T08:00:00.000Z',
    command: `weir lab run${isQuick ? ' --quick' : ''} --blocks ${blocks} --seed ${seed}`,
    ...{ isQuick, seed, blocks, solutions },
    profiles: options.profiles ?? PROFILE_IDS,
    slo: DEFAULT_SLO,
    phases: phasesOf(isQuick),
    machine: {
      cpu: 'Example CPU @ 2.60GHz',
      cores,
      memoryBytes: 8 * 2 ** 30,
      kernel: 'Linux 6.8.0',
      node: 'v24.1.0',
      commit: options.commit ?? '0123456789abcdef0123456789abcdef01234567',
      fsyncP50Ms: 0.21,
      fsyncP99Ms: 1.4,
      servers: ['PostgreSQL 18.4', 'Redis 7.0.15', 'Kafka 4.1.0'],
      topologies: Object.fromEntries(names.map(name => [name, readFileSync(file(name), 'utf8')])),
    },
  }
}

function phasesOf(isQuick: boolean): Phases {
  const second = isQuick ? 200 : 1000
  return {
    ...{ startRate: 50, pilotFactor: 1.5, pilotStepMs: 10 * second, warmUpMs: 10 * second },
    ...{ measureMs: 30 * second, precision: 0.05, confirmMs: 120 * second },
    ...{ overloadFactor: 1.5, overloadMs: 30 * second, maxVoids: 3, drainLimitMs: 5000 },
  }
}

interface CellOptions {
  readonly run: RunRecord
  readonly cell: CellKey
  readonly speed: number
  readonly fault: Fault | undefined
  readonly random: () => number
}

interface StepOptions extends CellOptions {
  /** What it can do, requests a second. */
  readonly ceiling: number
  readonly costs: Costs
}

function cellRecords(options: CellOptions): LabRecord[] {
  const { run, cell, speed, fault } = options
  const end = { kind: 'cell' as const, cell, endedAt: run.startedAt, maxRate: 0, limit: [] }
  if (fault === 'unstarted') return []
  if (fault === 'missing')
    return [{ ...end, problem: `no Kafka on this machine (${cell.solution})` }]
  const costs = costsOf(cell)
  const sum = Object.values(costs).reduce((all, cost) => all + cost, GENERATOR_MS)
  const ceiling = ((run.machine.cores * 1000) / sum) * speed
  const scene = { ...options, ceiling, costs }
  const pilot = pilotStep(scene)
  if (fault === 'unfinished') return [pilot]
  if (fault === 'not met') {
    const limit: Breach[] = [{ rule: 'p99', detail: 'p99 of GET latest 912 ms, at most 300 ms' }]
    return [pilot, { ...end, limit }]
  }
  if (fault === 'void') {
    const lag: Breach = { rule: 'send-lag', detail: 'send lag p99 9.1 ms, at most 5 ms' }
    const bad = stepAt(scene, { phase: 'confirm', rate: ceiling * 0.8, attempt: 1 })
    const step = { ...bad, verdict: { outcome: 'void' as const, breaches: [lag] } }
    return [pilot, step, step, { ...end, problem: 'every try was void: send lag p99 9.1 ms' }]
  }
  if (fault === 'invalid') return [pilot, invalidStep(scene), end]
  const maxRate = Math.round(ceiling * 0.88)
  const failed = stepAt(scene, { phase: 'bisect', rate: Math.round(ceiling * 0.97), attempt: 1 })
  const overload = stepAt(scene, { phase: 'overload', rate: Math.round(maxRate * 1.5), attempt: 1 })
  return [
    pilot,
    stepAt(scene, { phase: 'bisect', rate: Math.round(ceiling * 0.7), attempt: 1 }),
    failed,
    stepAt(scene, { phase: 'confirm', rate: maxRate, attempt: 1 }),
    { ...overload, recoveryMs: 400 + 3000 * options.random() },
    { ...end, maxRate, limit: failed.verdict.breaches },
  ]
}

function costsOf({ solution, profile }: CellKey): Costs {
  const writes = PROFILES[profile] ?? 0.5
  const by = (write: number, read: number): number => write * writes + read * (1 - writes)
  const heavy = profile === 'analytics' ? 4 : 1
  const base: Costs = { api: by(0.5, 0.45), database: by(0.9, 0.5) * heavy }
  const all: Record<string, Costs> = {
    tune: { api: by(0.3, 0.4), database: by(0.3, 0.4) * heavy },
    scale: { api: by(0.6, 0.55), database: by(1, 0.6) * heavy, supervisor: 0.08 },
    cache: { api: by(0.55, 0.25), database: by(0.9, 0.1) * heavy, cache: by(0.1, 0.05) },
    queue: { api: by(0.35, 0.45), database: by(0.3, 0.5) * heavy, queue: 0.3, consumer: 0.1 },
    cluster: { api: 0.3, database: 0.15 * heavy, queue: 0.25, consumer: 0.08, cache: 0.06 },
    embedded: { api: by(0.05, 0.04) * heavy },
  }
  return all[solution] ?? base
}

function pilotStep(options: StepOptions): StepRecord {
  const { run, ceiling } = options
  const { startRate, pilotFactor, pilotStepMs } = run.phases
  const stages: StageResult[] = []
  let rate = startRate
  for (let at = 0; stages.length === 0 || rate / pilotFactor < ceiling; at += pilotStepMs) {
    const load = latencyAt(rate / ceiling, rate * (pilotStepMs / 1000))
    const breaches = breachesOf(load, rate, ceiling).map(({ detail }) => detail)
    stages.push({
      ...{ rate, fromMs: at, toMs: at + pilotStepMs, offeredRate: rate },
      achievedRate: Math.min(rate, ceiling),
      errorShare: rate > ceiling ? 0.03 : 0,
      ...{ latency: load, breaches },
    })
    rate *= pilotFactor
  }
  const last = stages[stages.length - 1]
  const step = stepAt(options, { phase: 'pilot', rate: last.rate, attempt: 1 })
  const ticks = stages.flatMap(stage =>
    ticksOf(options, { rate: stage.rate, fromMs: stage.fromMs, toMs: stage.toMs }),
  )
  const load = { ...step.load!, stages, ticks, stoppedAtMs: last.toMs }
  return { ...step, load }
}

function invalidStep(options: StepOptions): StepRecord {
  const step = stepAt(options, { phase: 'confirm', rate: options.ceiling * 0.8, attempt: 1 })
  const problems = ['12 acknowledged points are not stored']
  const ledger = { ...step.probes!.ledger, stored: step.probes!.ledger.stored - 12, problems }
  const breaches: Breach[] = [{ rule: 'ledger', detail: problems[0] }]
  return {
    ...step,
    probes: { ...step.probes!, ledger },
    verdict: { outcome: 'invalid', breaches },
  }
}

/** One step at a constant rate. */
function stepAt(
  options: StepOptions,
  { phase, rate, attempt }: { phase: Phase; rate: number; attempt: number },
): StepRecord {
  const { run, cell, ceiling } = options
  const ms = phase === 'confirm' ? run.phases.confirmMs : run.phases.measureMs
  const load = loadAt(options, rate, ms)
  const breaches = breachesOf(load.latency, rate, ceiling)
  const outcome = breaches.length === 0 ? ('pass' as const) : ('fail' as const)
  return {
    ...{ kind: 'step', cell, phase, attempt, rate, startedAt: run.startedAt, load },
    probes: probesAt(options, load),
    verdict: { outcome, breaches },
  }
}

function breachesOf({ p99Ms }: Latency, rate: number, ceiling: number): Breach[] {
  const { p99Ms: bound } = DEFAULT_SLO
  const breaches: Breach[] = []
  if (p99Ms > bound) {
    const detail = `p99 of GET latest ${Math.round(p99Ms)} ms, at most ${bound} ms`
    breaches.push({ rule: 'p99', detail })
  }
  if (rate > ceiling) {
    const share = ((ceiling / rate) * 100).toFixed(1)
    breaches.push({ rule: 'achieved', detail: `achieved ${share} % of offered, at least 99 %` })
  }
  return breaches
}

function loadAt(options: StepOptions, rate: number, measuredMs: number): LoadResult {
  const { ceiling, cell } = options
  const achieved = Math.min(rate, ceiling * 0.97)
  const requests = Math.round((rate * measuredMs) / 1000)
  const latency = latencyAt(rate / ceiling, requests)
  const writes = PROFILES[cell.profile] ?? 0.5
  const errorShare = rate > ceiling ? 0.04 : 0.0004
  const endpoint = (name: string, share: number): LoadResult['endpoints'][number] => ({
    name,
    requests: Math.round(requests * share),
    successes: Math.round(requests * share * (1 - errorShare)),
    ...{ tolerated: 0, failures: Math.round(requests * share * errorShare), timeouts: 0 },
    statuses: { '200': Math.round(requests * share) },
    ...{ latency, histogram: '' },
  })
  const fromMs = 0
  return {
    startedAt: options.run.startedAt,
    measuredMs,
    ...{ offeredRate: rate, achievedRate: achieved, errorShare, latency, stages: [] },
    endpoints: [endpoint('POST telemetry', writes), endpoint('GET latest', 1 - writes)],
    ticks: ticksOf(options, { rate, fromMs, toMs: measuredMs + options.run.phases.warmUpMs }),
    sendLag: { count: requests, meanMs: 0.2, p50Ms: 0.1, p95Ms: 0.5, p99Ms: 1.1, maxMs: 4 },
    generatorCpuShare: (achieved * GENERATOR_MS) / 1000,
    acknowledgedPoints: Math.round(requests * writes * 3),
    uncertainPoints: 0,
  }
}

function latencyAt(use: number, count: number): Latency {
  const mean = use < 0.99 ? 2.5 / (1 - use) ** 1.3 : 400 + 2500 * (use - 0.99)
  return {
    ...{ count: Math.round(count), meanMs: mean, p50Ms: mean * 0.75 },
    ...{ p95Ms: mean * 2.6, p99Ms: mean * 4.4, maxMs: mean * 9 },
  }
}

function ticksOf(
  { ceiling, random }: StepOptions,
  { rate, fromMs, toMs }: { rate: number; fromMs: number; toMs: number },
): Tick[] {
  const ticks: Tick[] = []
  for (let atMs = fromMs; atMs < toMs; atMs += 1000) {
    const { p50Ms, p95Ms, p99Ms, meanMs } = latencyAt((rate / ceiling) * (1 + 0.02 * random()), 1)
    ticks.push({
      ...{ atMs, offered: Math.round(rate * (0.95 + 0.1 * random())) },
      achieved: Math.round(Math.min(rate, ceiling) * (0.95 + 0.1 * random())),
      ...{ failures: 0, p50Ms, p95Ms, p99Ms: p99Ms * (0.8 + 0.5 * random()) },
      ...{ inFlight: Math.round((rate * meanMs) / 1000), waiting: 0 },
    })
  }
  return ticks
}

function probesAt({ costs, cell, run, random }: StepOptions, load: LoadResult): ProbeFigures {
  const seconds = load.measuredMs / 1000
  const pct = (cost: number): number => (load.achievedRate * cost) / 10
  const named = Object.entries(costs) as [Role, number][]
  const isPool = costs.database !== undefined
  const serviceMs = 15 / (run.machine.cores * 0.55)
  const sample = (atMs: number): ResourceSample => ({
    atMs,
    cpuPct: Object.fromEntries(
      named.map(([role, cost]) => [role, pct(cost) * (0.9 + 0.2 * random())]),
    ),
    memoryBytes: Object.fromEntries(
      named.map(([role], i) => [role, (90 + 60 * i + atMs / 4000) * 2 ** 20]),
    ),
    backlogPoints: 0,
  })
  const points = load.acknowledgedPoints
  return {
    roles: named.map(([role, cost], i) => ({
      role,
      cpuMeanPct: pct(cost),
      cpuMaxPct: pct(cost) * 1.1,
      cpuSeconds: (pct(cost) / 100) * seconds,
      memoryMaxBytes: (120 + 60 * i) * 2 ** 20,
      processesMax: role === 'database' ? 17 : cell.solution === 'scale' && role === 'api' ? 2 : 1,
    })),
    ...(isPool ? { database: databaseAt(load) } : {}),
    node: {
      eventLoopP99Ms: 12,
      ...(isPool
        ? {
            poolSize: 15,
            poolBusyMean: Math.min(15, (load.achievedRate * serviceMs) / 1000),
            poolWaitingMean: 0,
          }
        : {}),
      ...(costs.cache === undefined ? {} : { cacheHitShare: 0.8 }),
    },
    backlog: { slopePerSecond: 0, drainedMs: 40, maxPoints: 120 },
    freshness: { count: 100, meanMs: 8, p50Ms: 6, p95Ms: 20, p99Ms: 45, maxMs: 90 },
    ledger: {
      ...{ acknowledged: points, uncertain: 0, stored: points, imbalance: 0, problems: [] },
    },
    stealPct: 0.3,
    diskBytes: 40 * 2 ** 20 + points * 60,
    samples: Array.from({ length: Math.ceil(seconds) }, (_, i) => sample(i * 1000)),
  }
}

function databaseAt({ achievedRate }: LoadResult): DatabaseFigures {
  return {
    ...{ connectionsMax: 17, activeMean: 3.2, waitingMean: 0.8, waits: { 'WAL: WalSync': 0.12 } },
    ...{ transactionsPerSecond: achievedRate, rowsWrittenPerSecond: achievedRate * 1.5 },
    ...{ rowsReadPerSecond: achievedRate * 3, blocksReadPerSecond: 4, blockHitShare: 0.998 },
    walBytesPerSecond: achievedRate * 220,
  }
}

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
