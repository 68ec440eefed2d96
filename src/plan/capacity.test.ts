import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { completeDemand, DEMAND_FIELDS, type Demand, type DemandInput } from '../model/demand.ts'
import { testCalibration } from './calibration.fixture.ts'
import { planCapacity, type CapacityPlan } from './capacity.ts'
import type { Resources } from './classic.ts'
import { phaseOf } from './phase.ts'
import { planJson, resourceSummary } from './plan-json.ts'

function demandOf(input: DemandInput): Demand {
  const completed = completeDemand(input)
  assert.ok('demand' in completed, JSON.stringify(completed))
  return completed.demand
}

const CLASSIC = demandOf({ devices: 5000, samplesPerSecond: 1, retentionDays: 90 })

test('the classic formula gives what it is known for', () => {
  const { classic, rates, phase, topology } = planCapacity(CLASSIC)
  assert.deepEqual(classic.atMean, {
    cores: 4,
    memoryBytes: 16e9,
    diskBytes: 1.944e12,
    networkBitsPerSecond: 4e6,
    storedBytesPerDay: 21.6e9,
  })
  assert.equal(
    resourceSummary(classic.atMean),
    '4 cores, 16 GB memory, 1.94 TB disk, 4 Mbit/s, 21.6 GB a day',
  )
  assert.equal(rates.pointsPerDay, 432_000_000)
  assert.deepEqual([phase, topology], ['production', 'embedded'])
})

test('what is planned for is twice the expected peak', () => {
  const { classic, rates, resources } = planCapacity({ ...CLASSIC, peakFactor: 3 })
  assert.equal(rates.design.pointsPerSecond, 5000 * 3 * 2)
  assert.equal(classic.atDesign.networkBitsPerSecond, 6 * 4e6)
  assert.equal(planCapacity({ ...CLASSIC, peakFactor: 10 }).resources.cores, 10)
  assert.equal(resources.diskBytes, classic.atMean.diskBytes, 'a peak passes')
})

test('the classic formula grows by its own steps', () => {
  const atMean = (input: DemandInput): Resources => planCapacity(demandOf(input)).classic.atMean
  assert.equal(atMean({ devices: 50_001 }).cores, 6)
  assert.equal(atMean({ devices: 8000 }).memoryBytes, 16e9)
  assert.equal(atMean({ devices: 20_000 }).memoryBytes, 28e9)
  assert.equal(atMean({ devices: 1000, metrics: 5 }).storedBytesPerDay, 21.6e9)
  assert.equal(atMean({ devices: 5000, replicas: 3 }).diskBytes, 3 * 1.944e12)
  assert.equal(atMean({ devices: 5000, payloadBytes: 250 }).networkBitsPerSecond, 10e6)
})

test('phases end at their bounds, by devices or by points', () => {
  assert.equal(phaseOf(1000, 1000), 'pilot')
  assert.equal(phaseOf(1001, 1), 'production')
  assert.equal(phaseOf(1, 10_001), 'scale')
  assert.equal(phaseOf(100_000, 100_000), 'scale')
  assert.equal(phaseOf(100_001, 1), 'enterprise')
})

test('every problem of a demand is named at once', () => {
  const completed = completeDemand({ metrics: 1.5, retentionDays: Infinity, peakFactor: 0.5 })
  assert.ok('problems' in completed)
  assert.deepEqual(completed.problems, [
    { field: 'devices', detail: 'is missing' },
    { field: 'metrics', detail: 'must be a whole number from 1 to 10000, not 1.5' },
    { field: 'retentionDays', detail: 'must be a number from 0.01 to 36500, not Infinity' },
    { field: 'peakFactor', detail: 'must be a number from 1 to 1000, not 0.5' },
  ])
})

test('a measured plan is what requests cost, at twice the peak', () => {
  const demand = demandOf({ devices: 200, retentionDays: 10, queriesPerSecond: 300 })
  const { measured, resources, source, classic } = planCapacity(demand, testCalibration({}))
  assert.ok(measured !== undefined)
  const { chosen } = measured
  // 2 × (200 writes of 1 ms + 300 queries of 0.5 ms)
  assert.ok(Math.abs(chosen.extrapolation - 0.7) < 1e-9)
  assert.ok(Math.abs(chosen.coresByRole.api - 0.7) < 1e-9)
  assert.ok(Math.abs(chosen.maxRates.messagesPerSecond - 400 / 0.7) < 1e-9)
  assert.equal(chosen.confidence, 'measured')
  assert.equal(resources.cores, 2)
  assert.equal(resources.diskBytes, 200 * 86_400 * 2 * 10)
  assert.equal(source?.run, 'r1')
  assert.equal(classic.atMean.cores, 4, 'the rule of thumb stands next to it')
})

test('a message with fewer points costs no less than one of the lab, one with more in proportion', () => {
  const of = (metrics: number): number => {
    const demand = demandOf({ devices: 100, metrics })
    const plan = planCapacity(demand, testCalibration({ pointsPerWrite: 2 }))
    return plan.candidates[0].extrapolation
  }
  assert.ok(Math.abs(of(1) - 0.2) < 1e-9)
  assert.ok(Math.abs(of(2) - 0.2) < 1e-9)
  assert.ok(Math.abs(of(6) - 0.6) < 1e-9)
})

test('the simplest topology that holds it is chosen, and of several the cheapest', () => {
  const cheap = { cpuSeconds: { api: { perWrite: 1e-4, perQuery: 1e-4 } } }
  const small = { share: { perWrite: 1, perQuery: 1 } }
  const dear = { cpuSeconds: { api: { perWrite: 0.1, perQuery: 0.1 } } }
  const chosen = (input: DemandInput, ...solutions: object[]): string | undefined =>
    planCapacity(demandOf(input), testCalibration(...solutions)).measured?.chosen.topology
  const [cluster, tune] = [{ topology: 'cluster', ...cheap }, { topology: 'tune' }]
  assert.equal(chosen({ devices: 100 }, cluster, tune), 'tune')
  assert.equal(chosen({ devices: 100 }, cluster, { ...tune, ...small }), 'cluster')
  assert.equal(chosen({ devices: 100 }, { topology: 'baseline', ...dear }, tune), 'tune')
  assert.equal(chosen({ devices: 100, replicas: 2 }, {}, tune), 'tune', 'embedded has no copies')
  assert.equal(chosen({ devices: 100, replicas: 2 }, {}), undefined)
})

test('flags of a solution are part of the advice, and a topology without them is simpler', () => {
  const scaled = { solution: 'stack-scale', topology: 'tune', flags: ['--processes.min=2'] }
  const plan = (...solutions: object[]): CapacityPlan =>
    planCapacity(demandOf({ devices: 1 }), testCalibration(...solutions))
  assert.match(plan(scaled).advice, /run tune --processes\.min=2 on 2 cores/)
  assert.equal(plan(scaled, { topology: 'tune' }).measured?.chosen.solution, 'tune')
})

test('a server that comes with a flag counts like that of a topology', () => {
  const cached = { solution: 'stack-cache', topology: 'tune', flags: ['--cache.engine=tiered'] }
  const bare = { solution: 'bare', topology: 'cache', flags: ['--cache.engine=memory'] }
  const scaled = { topology: 'scale', flags: ['--processes.min=2', '--processes.max=4'] }
  const chosen = (...solutions: object[]): string | undefined =>
    planCapacity(demandOf({ devices: 1 }), testCalibration(...solutions)).measured?.chosen.solution
  assert.equal(chosen(cached, scaled), 'scale')
  assert.equal(chosen(cached, { topology: 'queue' }), 'queue', 'as many servers, and fewer flags')
  assert.equal(chosen(cached, bare), 'bare')
})

test('how far a plan is from what was measured is said', () => {
  const of = (devices: number): CapacityPlan =>
    planCapacity(demandOf({ devices }), testCalibration({ devices: 1_000_000 }))
  const confidence = (devices: number) => of(devices).candidates[0].confidence
  assert.equal(confidence(500), 'measured')
  assert.equal(confidence(501), 'extrapolated')
  assert.equal(confidence(1001), 'uncertain')
  assert.equal(confidence(5001), 'guess')
  assert.deepEqual(of(500).warnings, [])
  assert.match(of(1001).warnings.join(), /2 times the most that was measured: measure nearer/)
  assert.match(of(5001).warnings.join(), /10 times the most that was measured: this is a guess/)
  assert.match(of(5001).advice, /none held it in the lab; this comes nearest, 10 times too small/)
})

test('what the results do not say is a warning', () => {
  const { disk: _, devices: __, ...rest } = testCalibration({}).solutions[0]
  const calibration = {
    ...testCalibration(),
    solutions: [{ ...rest, isSeparated: false, fitError: 0.4 }],
    warnings: ['calibrated by a quick run'],
  }
  const text = planCapacity(demandOf({ devices: 1, queriesPerSecond: 1 }), calibration).warnings
  const expected = [
    ...[/quick/, /how many devices/, /tell writes from queries/, /up to 40 %/],
    ...[/50 bytes a point/, /answers to queries/],
  ]
  assert.equal(text.length, expected.length, text.join('\n'))
  for (const [at, pattern] of expected.entries()) assert.match(text[at], pattern)
})

test('without a measurement a plan says so', () => {
  assert.match(planCapacity(CLASSIC).warnings.join(), /not measured/)
  const asked = planCapacity({ ...CLASSIC, queriesPerSecond: 5 })
  assert.match(asked.warnings.join(), /counts no queries/)
})

const PHASES = ['pilot', 'production', 'scale', 'enterprise']
const FIGURES = [
  ...['cores', 'memoryBytes', 'diskBytes', 'networkBitsPerSecond', 'storedBytesPerDay'],
] as (keyof Resources)[]

const demands = fc.record({
  devices: fc.integer({ min: 1, max: 1_000_000 }),
  samplesPerSecond: fc.double({ min: 1e-6, max: 1000, noNaN: true }),
  metrics: fc.integer({ min: 1, max: 1000 }),
  retentionDays: fc.double({ min: 0.01, max: 3650, noNaN: true }),
  queriesPerSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
  peakFactor: fc.double({ min: 1, max: 100, noNaN: true }),
  replicas: fc.integer({ min: 1, max: 10 }),
})

test('more of anything never needs less, in the formula and of each measured topology', () => {
  const fields = fc.constantFrom(...(Object.keys(DEMAND_FIELDS) as (keyof Demand)[]))
  const calibration = testCalibration(
    {},
    { topology: 'tune', pointsPerWrite: 3.5 },
    { topology: 'cluster', share: { perWrite: 1e-5, perQuery: 0.1 } },
  )
  fc.assert(
    fc.property(demands, fields, fc.integer({ min: 1, max: 10 }), (demand, field, factor) => {
      if (field === 'payloadBytes') return
      const { maximum } = DEMAND_FIELDS[field]
      const more = { ...demand, [field]: Math.min(maximum, demand[field] * factor + (factor - 1)) }
      const [less, plan] = [planCapacity(demand, calibration), planCapacity(more, calibration)]
      const pairs: [Resources, Resources][] = [
        [less.classic.atMean, plan.classic.atMean],
        [less.classic.atDesign, plan.classic.atDesign],
        ...less.candidates.map(({ resources }, at): [Resources, Resources] => [
          resources,
          plan.candidates[at].resources,
        ]),
      ]
      for (const [a, b] of pairs) {
        for (const name of FIGURES)
          assert.ok(b[name] >= a[name], `${name}: ${b[name]} < ${a[name]}`)
      }
      for (const [at, { extrapolation }] of less.candidates.entries()) {
        assert.ok(plan.candidates[at].extrapolation >= extrapolation)
      }
      assert.ok(PHASES.indexOf(plan.phase) >= PHASES.indexOf(less.phase))
    }),
    { numRuns: 500 },
  )
})

test('the largest demand that is taken has finite figures', () => {
  const most = Object.entries(DEMAND_FIELDS).map(([field, { maximum }]) => [field, maximum])
  const demand = demandOf({ ...(Object.fromEntries(most) as DemandInput), replicas: 1 })
  const text = JSON.stringify(planJson(planCapacity(demand, testCalibration({}))))
  assert.doesNotMatch(text, /null/)
})
