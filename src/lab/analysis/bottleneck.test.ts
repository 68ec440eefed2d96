import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labResults } from '../report/results.fixture.ts'
import type { DatabaseFigures, NodeFigures, ProbeFigures } from '../probes/figures.ts'
import type { Breach, LabRecord, StepRecord } from '../run/record.ts'
import { bottleneckOf, bottlenecksOf } from './bottleneck.ts'
import type { Bottleneck } from './bottleneck.ts'
import type { Cause, Explanation } from './explanation.ts'
import { testWorkload } from './lab-records.fixture.ts'
import { resultSet } from './result-set.ts'
import { utilisationOf } from './utilisation.ts'

interface Scene {
  /** CPU seconds in the 100 s of the step, by role. */
  readonly cpu: Readonly<Record<string, number>>
  readonly processes?: Readonly<Record<string, number>>
  readonly cores?: number
  readonly generatorShare?: number
  readonly node?: NodeFigures
  readonly machine?: Pick<ProbeFigures, 'cpuPressurePct'>
  readonly waits?: Readonly<Record<string, number>>
  readonly backlog?: Partial<ProbeFigures['backlog']>
  readonly breach?: Breach
  readonly outcome?: 'fail' | 'invalid' | 'void'
  readonly profile?: string
  readonly rate?: number
}

const SLOW: Breach = { rule: 'p99', detail: 'p99 of GET latest 412 ms, at most 300 ms' }

/** A cell that sustains 80 % of the rate of its failed step, which saw what the scene says. */
function explain(scene: Scene): readonly Explanation[] {
  const { rate = 1000, profile = 'write-heavy', outcome = 'fail', breach = SLOW } = scene
  const cores = scene.cores ?? 4
  const records = labResults({ solutions: ['baseline'], profiles: [profile], blocks: 1, cores })
  const changed = records.map((record): LabRecord => {
    if (record.kind === 'run') return record
    if (record.kind === 'cell') {
      const maxRate = outcome === 'fail' ? rate * 0.8 : 0
      return { ...record, maxRate, limit: [breach] }
    }
    // The second of the two bisections is the one that fails.
    if (record.verdict.outcome !== 'fail' || record.phase !== 'bisect') return record
    const { load, probes } = record
    return {
      ...record,
      rate,
      load: {
        ...{ ...load!, measuredMs: 100_000, offeredRate: rate, achievedRate: rate },
        generatorCpuShare: scene.generatorShare ?? 0.05,
        latency: { ...load!.latency, meanMs: 80 },
      },
      probes: {
        ...{ ...probes!, ...scene.machine, stealPct: 0, node: scene.node ?? {} },
        roles: Object.entries(scene.cpu).map(([role, cpuSeconds]) => ({
          role: role as 'api',
          ...{ cpuSeconds, cpuMeanPct: cpuSeconds, cpuMaxPct: cpuSeconds, memoryMaxBytes: 1e8 },
          processesMax: scene.processes?.[role] ?? 1,
        })),
        database: { ...probes!.database!, waits: scene.waits ?? {} } satisfies DatabaseFigures,
        backlog: { ...probes!.backlog, ...scene.backlog },
      },
      verdict: { outcome, breaches: [breach] },
    }
  })
  const wanted = outcome === 'fail' ? changed : changed.filter(isNoConfirmation)
  const set = resultSet(wanted)
  return bottleneckOf(set.cells[0], set.run, [])!.explanations
}

const isNoConfirmation = (record: LabRecord): boolean =>
  record.kind !== 'step' || !['confirm', 'overload', 'pilot'].includes(record.phase)

const causes = (scene: Scene): Cause[] => explain(scene).map(({ cause }) => cause)

test('utilisation: CPU of a request, ceilings and Little’s law by hand', () => {
  const records = labResults({ solutions: ['baseline'], profiles: ['mixed'], blocks: 1 })
  const { confirm } = resultSet(records).cells[0].results[0]
  const { load, probes } = confirm
  const use = utilisationOf(
    {
      ...confirm,
      load: {
        ...{ ...load, measuredMs: 10_000, achievedRate: 200, generatorCpuShare: 0.1 },
        latency: { ...load.latency, meanMs: 50 },
      },
      probes: {
        ...{ ...probes, stealPct: 2 },
        node: { poolSize: 15, poolBusyMean: 12, poolWaitingMean: 4 },
        roles: [{ ...probes.roles[0], role: 'api', cpuSeconds: 8, cpuMeanPct: 80 }],
      },
    },
    { cores: 2 },
  )
  assert.equal(use.concurrency, 10)
  // 8 s of CPU for 2000 requests, and 1 s of the generator's: 4.5 ms each, of 2000 ms a second.
  assert.deepEqual(
    use.roles.map(({ role, cpuMsPerRequest }) => [role, cpuMsPerRequest]),
    [
      ['api', 4],
      ['generator', 0.5],
    ],
  )
  assert.ok(Math.abs(use.machineCeiling - 2000 / 4.5) < 1e-9)
  assert.equal(use.machinePct, 47)
  assert.deepEqual(use.pool, {
    ...{ size: 15, busy: 12, waiting: 4 },
    ...{ waitMs: 20, serviceMs: 60, ceiling: 250 },
  })
})

test('a full machine: says who uses it, and that merged writes are to be tried', () => {
  const [first] = explain({ cpu: { api: 70, database: 120 }, cores: 2 })
  assert.equal(first.cause, 'machine')
  assert.match(first.text, /97.5 % of 2 cores \(database 120 %, api 70 %, generator 5 %/)
  const { change, expected } = first.prediction!
  assert.deepEqual(change.flags, ['--store.postgres.writes=merged', '--ingest.commit=merged'])
  assert.ok(Math.abs(expected.min - 1.1 * 800) < 1e-6)
  // What a request costs then is not known, so there is no most.
  assert.equal(expected.max, undefined)
  assert.match(first.prediction!.text, /: at least 880\/s \(now 800\)/)
})

test('a full machine under reads is to try a cache', () => {
  const [{ prediction }] = explain({
    ...{ cpu: { api: 70, database: 120 }, cores: 2, profile: 'read-heavy' },
  })
  assert.equal(prediction!.change.topology, 'cache')
})

test('a query that is a POST is no write', () => {
  const [run, ...steps] = labResults({
    ...{ solutions: ['baseline'], profiles: ['analytics'], blocks: 1 },
  })
  const workload = testWorkload('analytics', 0.2)
  const [write, read] = workload.requests
  const requests = [write, { ...read, name: 'POST query' }]
  const named = steps.map((record): LabRecord => {
    if (record.kind !== 'step') return record
    const [posts, gets] = record.load!.endpoints
    const endpoints = [
      { ...posts, name: write.name, requests: 20 },
      { ...gets, name: 'POST query', requests: 80 },
    ]
    return { ...record, load: { ...record.load!, endpoints } }
  })
  assert.ok(run.kind === 'run')
  const set = resultSet([{ ...run, workloads: [{ ...workload, requests }] }, ...named])
  const [first] = bottleneckOf(set.cells[0], set.run)!.explanations
  assert.equal(first.prediction?.change.topology, 'cache')
})

test('a full machine whose pool is full too: a larger pool is predicted to give nothing', () => {
  const node = { poolSize: 15, poolBusyMean: 15, poolWaitingMean: 40 }
  const found = explain({ cpu: { api: 120, database: 70 }, cores: 2, node })
  assert.deepEqual(
    found.map(({ cause }) => cause),
    ['machine', 'pool'],
  )
  assert.match(found[0].prediction!.text, /a pool of 30 instead of 15: 640 to 880\/s/)
})

test('a full core of the API, with room on the machine', () => {
  const [first, ...others] = explain({ cpu: { api: 96, database: 60 } })
  assert.equal(first.cause, 'api-core')
  assert.deepEqual(others, [])
  assert.deepEqual(first.prediction!.change.flags, ['--processes.min=2', '--processes.max=2'])
  assert.equal(first.prediction!.expected.max, 1600)
  // Two processes that use as much have room.
  assert.deepEqual(causes({ cpu: { api: 96, database: 60 }, processes: { api: 2 } }), ['unknown'])
})

test('a pool of several processes is told, and changed, for each of them', () => {
  const node = { poolSize: 30, poolBusyMean: 30, poolWaitingMean: 40 }
  const [first] = explain({ cpu: { api: 60, database: 160 }, processes: { api: 2 }, node })
  assert.match(first.prediction!.text, /a pool of 30 instead of 15 in each of 2 processes/)
  assert.deepEqual(first.prediction!.change.flags, ['--postgres.poolSize=30'])
})

test('requests that mostly wait for a connection, though the pool is not full on average', () => {
  const node = { poolSize: 15, poolBusyMean: 9.7, poolWaitingMean: 44.5 }
  const [first, ...others] = explain({ cpu: { api: 60 }, node })
  assert.equal(first.cause, 'pool')
  assert.match(first.text, /44.5 ms of the 80 ms that each takes, 44.5 of them at a time/)
  assert.deepEqual(others, [])
  const wal = explain({ cpu: { api: 60 }, node, waits: { 'IO: WalSync': 0.5 } })
  assert.deepEqual(
    wal.map(({ cause }) => cause),
    ['wal', 'pool'],
  )
})

test('a full pool: its ceiling, its wait, and the CPU as the next limit', () => {
  const node = { poolSize: 15, poolBusyMean: 14.9, poolWaitingMean: 40 }
  const [first] = explain({ cpu: { api: 60, database: 160 }, node })
  assert.equal(first.cause, 'pool')
  // 14.9 ms of a connection for a request: 67.1 a second each, 1007 all.
  assert.match(first.text, /15 connections × 67.1 requests\/s each = 1007\/s/)
  assert.match(first.text, /40 requests wait for one, which is 40 ms of the 80 ms/)
  assert.deepEqual(first.prediction!.change.flags, ['--postgres.poolSize=30'])
  assert.match(first.prediction!.text, /of which database uses most|each connection does/)
  assert.deepEqual(causes({ cpu: { api: 60 }, node: { ...node, poolWaitingMean: 0 } }), ['unknown'])
})

test('waits for the WAL, and for locks', () => {
  const [wal] = explain({
    cpu: { api: 40 },
    waits: { 'IO: WalSync': 0.3, 'LWLock: WALWrite': 0.2 },
  })
  assert.equal(wal.cause, 'wal')
  assert.match(wal.text, /50 % of what its connections were seen at/)
  assert.equal(wal.prediction!.change.topology, 'tune')
  const [lock] = explain({ cpu: { api: 40 }, waits: { 'Lock: tuple': 0.4, 'LWLock: Buffer': 0.1 } })
  assert.equal(lock.cause, 'locks')
  assert.match(lock.text, /50 % .* mostly Lock: tuple/)
})

test('an event loop that is held up', () => {
  const [first] = explain({ cpu: { api: 50 }, node: { eventLoopP99Ms: 140 } })
  assert.equal(first.cause, 'event-loop')
  assert.deepEqual(causes({ cpu: { api: 50 }, node: { eventLoopP99Ms: 10 } }), ['unknown'])
})

test('where nothing is full the pressure on the cores is told, if the kernel tells it', () => {
  const [told] = explain({ cpu: { api: 50 }, machine: { cpuPressurePct: 33.2 } })
  assert.match(told.text, /in 33.2 % of the time something that could run waited for a core; what/)
  assert.equal(told.evidence.at(-1)?.value, 33.2)
  const [untold] = explain({ cpu: { api: 50 } })
  assert.doesNotMatch(untold.text, /waited for a core/)
})

test('a consumer that is slower than the gateway', () => {
  const breach: Breach = { rule: 'backlog', detail: 'backlog grows by 900 points/s' }
  const backlog = { slopePerSecond: 900, maxPoints: 40_000 }
  const [first] = explain({ cpu: { api: 40, queue: 20, consumer: 97 }, breach, backlog })
  assert.equal(first.cause, 'queue-lag')
  assert.match(first.text, /grows by 900 points\/s.*uses 97 % of its core/)
  assert.deepEqual(first.prediction!.change.flags, ['--processes.processors=2'])
  const [waits] = explain({ cpu: { api: 40, queue: 20, consumer: 30 }, breach, backlog })
  assert.match(waits.text, /waits for what it writes to/)
})

test('few hits in a cache', () => {
  const node = { cacheHitShare: 0.2 }
  const [first] = explain({ cpu: { api: 40, cache: 10 }, node, profile: 'mixed' })
  assert.equal(first.cause, 'cache')
  assert.match(first.text, /answers 20 % of the reads; the other 80 %/)
  const many = { cpu: { api: 40, cache: 10 }, node: { cacheHitShare: 0.9 }, profile: 'mixed' }
  assert.deepEqual(causes(many), ['unknown'])
})

test('nothing is full: says so, with Little’s law, and predicts no change', () => {
  const [first, ...others] = explain({ cpu: { api: 40, database: 30 } })
  assert.equal(first.cause, 'unknown')
  assert.match(first.text, /80 requests at a time \(Little’s law\); what broke first: p99 of GET/)
  assert.deepEqual(others, [])
})

test('a lost point and an inexact generator come before everything else', () => {
  const lost: Breach = { rule: 'ledger', detail: '3 points are not stored' }
  assert.equal(causes({ cpu: { api: 40 }, breach: lost, outcome: 'invalid' })[0], 'ledger')
  const lag: Breach = { rule: 'send-lag', detail: 'send lag p99 9 ms, at most 5 ms' }
  assert.equal(causes({ cpu: { api: 40 }, breach: lag, outcome: 'void' })[0], 'generator')
})

/** Of a cell that sustains 880 and breaks at 970, with a step more between them. */
function withStep(change: Pick<StepRecord, 'rate' | 'verdict'>, isMeasured = true): Bottleneck {
  const [run, ...rest] = labResults({ solutions: ['baseline'], profiles: ['mixed'], blocks: 1 })
  const steps = rest.map((record): LabRecord => {
    if (record.kind === 'cell') return { ...record, maxRate: 880 }
    if (record.kind === 'run' || record.phase !== 'bisect') return record
    return { ...record, rate: record.verdict.outcome === 'fail' ? 970 : 700 }
  })
  const failed = steps.findIndex(
    step => step.kind === 'step' && step.phase === 'bisect' && step.rate === 970,
  )
  const { load, probes, ...bare } = steps[failed] as StepRecord
  const figures = isMeasured ? { load: load!, probes: probes! } : {}
  const set = resultSet([run, ...steps.toSpliced(failed, 0, { ...bare, ...figures, ...change })])
  return bottleneckOf(set.cells[0], set.run)!
}

test('the lowest rate that was not sustained is told of, whatever was wrong with it', () => {
  const lost: Breach = { rule: 'ledger', detail: '3 points lost' }
  const late: Breach = { rule: 'send-lag', detail: 'send lag p99 9 ms, at most 5 ms' }
  const invalid = withStep({ rate: 920, verdict: { outcome: 'invalid', breaches: [lost] } })
  assert.deepEqual([invalid.rate, invalid.explanations[0].cause], [920, 'ledger'])
  const blurred = withStep({ rate: 920, verdict: { outcome: 'void', breaches: [late] } })
  assert.deepEqual([blurred.rate, blurred.explanations[0].cause], [920, 'generator'])
  const again = withStep({ rate: 970, verdict: { outcome: 'void', breaches: [late] } })
  assert.equal(again.rate, 970)
  assert.notEqual(again.explanations[0].cause, 'generator', 'a second try decided it')
  const below = withStep({ rate: 800, verdict: { outcome: 'void', breaches: [late] } })
  assert.equal(below.rate, 970)
})

test('a system that ended leaves no figures, and is what stopped it all the same', () => {
  const crash: Breach = { rule: 'crash', detail: 'the system ended under load: ECONNREFUSED' }
  const { rate, explanations } = withStep(
    { rate: 920, verdict: { outcome: 'fail', breaches: [crash] } },
    false,
  )
  assert.equal(rate, 920)
  assert.deepEqual(explanations, [
    {
      cause: 'crash',
      text: 'There are no figures of it: the system ended under load: ECONNREFUSED.',
      evidence: [{ figure: 'offered', value: 920, unit: '/s' }],
    },
  ])
})

test('every cell of a run that has a step is explained, the control is not', () => {
  const found = bottlenecksOf(resultSet(labResults({ blocks: 1 })))
  assert.equal(found.length, 7 * 4)
  assert.ok(found.every(({ explanations }) => explanations.length > 0))
})
