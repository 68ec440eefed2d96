import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Latency, LoadResult } from '../generator/load.ts'
import type { ProbeFigures } from '../probes/figures.ts'
import { DEFAULT_SLO } from '../workloads/workload.ts'
import { endpointOf, latencyOf, loadOf, probesOf } from './step.fixture.ts'
import { judge } from './verdict.ts'

const verdictOf = (load: Partial<LoadResult> = {}, probes: Partial<ProbeFigures> = {}) =>
  judge({ load: loadOf(load), probes: probesOf(probes), slo: DEFAULT_SLO })

const withLatency = (latency: Partial<Latency>): Partial<LoadResult> => ({
  endpoints: [endpointOf({ name: 'GET latest', latency: latencyOf(latency) })],
})

const backlog = (given: Partial<ProbeFigures['backlog']>): Partial<ProbeFigures> => ({
  backlog: { slopePerSecond: 0, drainedMs: 0, maxPoints: 0, ...given },
})

const ledger = (given: Partial<ProbeFigures['ledger']>): Partial<ProbeFigures> => ({
  ledger: { ...probesOf({}).ledger, ...given },
})

test('a step in which everything holds passes', () => {
  assert.deepEqual(verdictOf(), { outcome: 'pass', breaches: [] })
})

test('each rule fails by itself, in words with figure and bound', () => {
  const slow = { count: 50_000, p50Ms: 20, p95Ms: 140, p99Ms: 412.3 }
  const cases: [Partial<LoadResult>, Partial<ProbeFigures>, string, string][] = [
    [withLatency(slow), {}, 'p99', 'p99 of GET latest 412 ms, at most 300 ms'],
    [
      withLatency({ count: 50_000, p95Ms: 151, p99Ms: 200 }),
      {},
      'p95',
      'p95 of GET latest 151 ms, at most 150 ms',
    ],
    [
      { errorShare: 0.0125, firstFailure: '503 storage' },
      {},
      'errors',
      '1.25 % errors, less than 1 % (503 storage)',
    ],
    [{ achievedRate: 970 }, {}, 'achieved', 'achieved 970/s of 1000/s: 97 %, at least 99 %'],
    [
      {},
      backlog({ slopePerSecond: 30 }),
      'backlog',
      'the backlog grew by 30 points/s, at most 1 % of 1000 points/s',
    ],
    [
      {},
      backlog({ drainedMs: 6000, maxPoints: 9000 }),
      'backlog',
      'the backlog of 9000 points took 6000 ms after the end, at most 5000 ms',
    ],
    [
      {},
      { freshness: latencyOf({ count: 300, p99Ms: 2345 }) },
      'freshness',
      'freshness p99 2345 ms, at most 2000 ms',
    ],
  ]
  for (const [load, probes, rule, detail] of cases) {
    assert.deepEqual(verdictOf(load, probes), { outcome: 'fail', breaches: [{ rule, detail }] })
  }
})

test('a backlog that never empties fails', () => {
  const probes = { backlog: { slopePerSecond: 0, maxPoints: 70 } }
  const { outcome, breaches } = verdictOf({}, probes)
  assert.equal(outcome, 'fail')
  assert.match(breaches[0].detail, /^the backlog of 70 points was not empty after the end/)
})

test('of a system without a ledger no backlog is judged', () => {
  const { ledger: read } = probesOf({})
  const probes: Partial<ProbeFigures> = {
    ledger: { ...read, stored: 0, missing: 'the system is no Weir' },
    backlog: { slopePerSecond: 0, maxPoints: 0 },
  }
  assert.deepEqual(verdictOf({}, probes), { outcome: 'pass', breaches: [] })
})

test('a ledger that cannot be read fails, and is no loss', () => {
  const probes = ledger({ stored: 0, counted: 0, unread: 'no answer within 30000 ms' })
  const breach = {
    rule: 'unread',
    detail: 'the ledger cannot be read: no answer within 30000 ms',
  }
  assert.deepEqual(verdictOf({}, probes), { outcome: 'fail', breaches: [breach] })
})

test('a backlog that moves by chance in a short window holds, the same slope in a long one fails', () => {
  const probes = backlog({ slopePerSecond: 20 })
  assert.equal(verdictOf({ measuredMs: 5000 }, probes).outcome, 'pass')
  assert.equal(verdictOf({ measuredMs: 30_000 }, probes).outcome, 'fail')
})

test('a lost point is invalid, whether the ledger or the count misses it', () => {
  for (const given of [{ stored: 29_999 }, { counted: 29_999 }]) {
    const { outcome, breaches } = verdictOf({}, ledger(given))
    assert.equal(outcome, 'invalid')
    assert.match(breaches[0].detail, /^1 point lost: 30000 acknowledged, 29999 stored by/)
  }
})

test('a point too many is invalid, unless nobody knows whether it was taken', () => {
  assert.equal(verdictOf({}, ledger({ counted: 30_001 })).outcome, 'invalid')
  assert.equal(verdictOf({}, ledger({ counted: 30_001, uncertain: 4 })).outcome, 'pass')
})

test('what a queue still holds is a backlog and not a loss', () => {
  const { backlog: _, ...rest } = probesOf(ledger({ stored: 100, counted: 90, imbalance: 7 }))
  const probes = { ...rest, backlog: { slopePerSecond: 900, maxPoints: 29_900 } }
  const { outcome, breaches } = judge({ load: loadOf({}), probes, slo: DEFAULT_SLO })
  assert.equal(outcome, 'fail')
  assert.deepEqual(new Set(breaches.map(({ rule }) => rule)), new Set(['backlog']))
  const double = { ...probes, ...ledger({ stored: 30_001 }) }
  assert.equal(judge({ load: loadOf({}), probes: double, slo: DEFAULT_SLO }).outcome, 'invalid')
})

test('an instrument that is not good enough makes a step void, and the rest is told too', () => {
  const lag = latencyOf({ count: 30_000, p99Ms: 5.4 })
  const { outcome, breaches } = verdictOf({ sendLag: lag, errorShare: 0.5 })
  assert.equal(outcome, 'void')
  assert.deepEqual(
    breaches.map(({ rule }) => rule),
    ['send-lag', 'errors'],
  )
  assert.equal(breaches[0].detail, "the generator's send lag p99 5.4 ms, at most 5 ms")
  const busy = verdictOf({ generatorCpuShare: 0.83 })
  assert.deepEqual(busy, {
    outcome: 'void',
    breaches: [
      { rule: 'generator-cpu', detail: 'the generator used 83 % of its core, at most 80 %' },
    ],
  })
})

test('a lost point is invalid even where the instrument was weak', () => {
  const { outcome } = verdictOf({ generatorCpuShare: 0.99 }, ledger({ problems: ['1 point lost'] }))
  assert.equal(outcome, 'invalid')
})

test('a window in which nothing was sent says nothing', () => {
  assert.equal(verdictOf({ offeredRate: 0, achievedRate: 0, endpoints: [] }).outcome, 'void')
})

test('requests in flight at the end of the window are not missing', () => {
  // 1000/s × 100 ms: 100 requests have no answer yet at the end of 5 s, which are 2 % of them.
  const load = { measuredMs: 5000, latency: latencyOf({ meanMs: 100 }) }
  assert.equal(verdictOf({ ...load, achievedRate: 980 }).outcome, 'pass')
  assert.equal(verdictOf({ ...load, achievedRate: 965 }).outcome, 'fail')
})

test('one slow request of few decides nothing, and many slow ones do', () => {
  const few = { count: 40, p50Ms: 5, p95Ms: 60, p99Ms: 900, maxMs: 900 }
  assert.equal(verdictOf(withLatency(few)).outcome, 'pass')
  assert.equal(verdictOf(withLatency({ ...few, p95Ms: 160 })).breaches[0].rule, 'p95')
  assert.equal(verdictOf(withLatency({ ...few, count: 9, p50Ms: 200 })).breaches[0].rule, 'p95')
})

test('kinds of requests that are seldom count together', () => {
  const load = {
    ...withLatency({ count: 40, p50Ms: 5, p95Ms: 60, p99Ms: 900 }),
    latency: latencyOf({ count: 40_000, p99Ms: 350 }),
  }
  assert.deepEqual(verdictOf(load).breaches, [
    { rule: 'p99', detail: 'p99 of all requests 350 ms, at most 300 ms' },
  ])
})

test('freshness of few points is judged by their p95', () => {
  const freshness = latencyOf({ count: 30, p95Ms: 900, p99Ms: 4000 })
  assert.equal(verdictOf({}, { freshness }).outcome, 'pass')
})

test('without probes the load alone decides', () => {
  assert.equal(judge({ load: loadOf({}), slo: DEFAULT_SLO }).outcome, 'pass')
})
