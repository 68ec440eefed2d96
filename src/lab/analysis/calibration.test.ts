import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LabRecord } from '../run/record.ts'
import { readCalibration } from './calibration-file.ts'
import { calibrationOf } from './calibration.ts'
import { testCell, testRun, testWorkload } from './lab-records.fixture.ts'
import { fitCosts } from './two-costs.ts'

const reads = testWorkload('read-heavy', 0.05)
const writes = testWorkload('write-heavy', 0.95)
const mixed = testWorkload('mixed', 0.5)

/** A write takes 1 ms of what there is, a query 0.25; a third of it is CPU time of the API. */
const rateOf = (writeShare: number): number => 1 / (writeShare * 1e-3 + (1 - writeShare) * 0.25e-3)
const cellsOf = (solution: string): LabRecord[] =>
  [reads, writes, mixed].flatMap(workload =>
    testCell({
      ...{ solution, workload, maxRate: rateOf(workload.requests[0].weight) },
      cpu: { api: 1 / 3, database: 0.5 },
    }),
  )
const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual / expected - 1) < 1e-6, `${actual} is not ${expected}`)

test('writes and queries are told apart by profiles of different mixes', () => {
  const calibration = calibrationOf([
    testRun([reads, writes, mixed], ['baseline']),
    ...cellsOf('baseline'),
  ])
  const [figures] = calibration?.solutions ?? []
  near(figures.share.perWrite, 1e-3)
  near(figures.share.perQuery, 0.25e-3)
  near(figures.cpuSeconds.api.perWrite, 1e-3 / 3)
  near(figures.cpuSeconds.database.perQuery, 0.125e-3)
  near(figures.pointsPerWrite, 2)
  assert.deepEqual([figures.isSeparated, figures.devices, figures.memoryBytes], [true, 1000, 600e6])
  assert.ok(figures.fitError < 1e-6)
  near(figures.disk?.bytesPerPoint ?? 0, 3)
  assert.equal(figures.confirmed.length, 3)
  assert.deepEqual(calibration?.warnings, [])
  assert.equal(calibration?.source.cpu, 'Test CPU')
})

test('a result without its definitions is read by the names of its requests', () => {
  const { workloads: _, ...run } = testRun([reads, writes, mixed], ['baseline'])
  const [figures] = calibrationOf([run, ...cellsOf('baseline')])?.solutions ?? []
  near(figures.share.perWrite, 1e-3)
  near(figures.pointsPerWrite, 2)
  assert.equal(figures.devices, undefined)
})

test('the control is a further block, what was not confirmed is left out and told', () => {
  const failed = cellsOf('tune').map((record): LabRecord =>
    record.kind === 'cell' ? { ...record, maxRate: 0 } : record,
  )
  const invalid = cellsOf('cache').map((record): LabRecord =>
    record.kind === 'step' ? { ...record, verdict: { outcome: 'invalid', breaches: [] } } : record,
  )
  const calibration = calibrationOf([
    testRun([reads, writes, mixed], ['baseline', 'baseline-again', 'tune', 'cache']),
    ...cellsOf('baseline'),
    ...cellsOf('baseline-again'),
    ...failed,
    ...invalid,
  ])
  assert.deepEqual(
    calibration?.solutions.map(({ solution, confirmed }) => [solution, confirmed.length]),
    [['baseline', 6]],
  )
  assert.deepEqual(calibration.warnings, [
    'nothing was confirmed of tune',
    'nothing was confirmed of cache',
  ])
  assert.equal(calibrationOf([testRun([reads], ['tune']), ...failed]), undefined)
  assert.equal(calibrationOf([]), undefined)
})

test('of a cell that was run once more the last counts', () => {
  const first = testCell({ solution: 'tune', workload: mixed, maxRate: 1000 })
  const again = testCell({ solution: 'tune', workload: mixed, maxRate: 500 })
  const lost = again.filter(({ kind }) => kind === 'cell')
  const voided = lost.map(record => ({ ...record, problem: 'void' }) as LabRecord)
  const rates = (...records: LabRecord[]) =>
    calibrationOf([testRun([mixed], ['tune']), ...records])?.solutions[0].confirmed.map(
      ({ requestsPerSecond }) => requestsPerSecond,
    )
  assert.deepEqual(rates(...first, ...again), [500])
  assert.deepEqual(rates(...voided, ...first), [1000])
  assert.equal(rates(...first, ...voided), undefined)
  assert.equal(rates(...first, ...lost), undefined, 'its step was of the one before')
})

test('queries over a long time are not taken for those of newest values', () => {
  const analytics = testWorkload('analytics', 0.5)
  const slow = testCell({ solution: 'baseline', workload: analytics, maxRate: 10 })
  const run = testRun([reads, writes, mixed, analytics], ['baseline'])
  const [figures] = calibrationOf([run, ...cellsOf('baseline'), ...slow])?.solutions ?? []
  near(figures.share.perQuery, 0.25e-3)
  const [only] = calibrationOf([run, ...slow])?.solutions ?? []
  assert.deepEqual([only.isSeparated, only.confirmed.length], [false, 1])
  near(only.share.perQuery, 0.1)
})

test('a quick run says so', () => {
  const run = { ...testRun([mixed], ['baseline']), isQuick: true }
  const calibration = calibrationOf([
    run,
    ...testCell({ solution: 'baseline', workload: mixed, maxRate: 10 }),
  ])
  assert.match(calibration?.warnings.join() ?? '', /quick/)
})

test('costs that made the samples are found again, whatever they are', () => {
  const cost = fc.double({ min: 1e-6, max: 1, noNaN: true })
  fc.assert(
    fc.property(cost, cost, (perWrite, perQuery) => {
      const samples = [0.05, 0.5, 0.95].map(share => ({
        writes: share * 100,
        queries: (1 - share) * 100,
        cost: 100 * (share * perWrite + (1 - share) * perQuery),
      }))
      const fitted = fitCosts(samples)
      assert.ok(fitted.perWrite > 0 && fitted.perQuery > 0)
      if (!fitted.isSeparated) return
      // Of a kind that is a thousandth of the other's cost no sample tells much.
      for (const { writes, queries, cost: seen } of samples) {
        const said = fitted.perWrite * writes + fitted.perQuery * queries
        assert.ok(Math.abs(said / seen - 1) < 1e-6)
      }
    }),
  )
})

test('where mixes do not tell, no request is promised for less than it cost', () => {
  const alike = fitCosts([
    { writes: 95, queries: 5, cost: 2 },
    { writes: 95, queries: 5, cost: 1 },
  ])
  assert.deepEqual(alike, { perWrite: 0.02, perQuery: 0.02, isSeparated: false, error: 1 })
  // Queries would come out as giving time back.
  const odd = fitCosts([
    { writes: 100, queries: 0, cost: 2 },
    { writes: 50, queries: 50, cost: 0.5 },
  ])
  assert.deepEqual([odd.isSeparated, odd.perQuery], [false, 0.02])
})

test('a result file is read by its folder, with a torn last line, and saved small', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-calibration-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const records = [testRun([reads, writes, mixed], ['baseline']), ...cellsOf('baseline')]
  const lines = records.map(record => JSON.stringify(record)).join('\n')
  writeFileSync(join(folder, 'results.ndjson'), `${lines}\n{"kind":"cell","cell":{"blo`)
  const calibration = await readCalibration(folder)
  assert.deepEqual(calibration, calibrationOf(records))
  assert.deepEqual(await readCalibration(join(folder, 'results.ndjson')), calibration)
  const saved = join(folder, 'calibration.json')
  writeFileSync(saved, JSON.stringify(calibration))
  assert.deepEqual(await readCalibration(saved), calibration)
  const named = join(folder, 'calibration')
  writeFileSync(named, JSON.stringify(calibration))
  assert.deepEqual(await readCalibration(named), calibration)

  const refused = async (path: string, pattern: RegExp): Promise<void> => {
    await assert.rejects(readCalibration(path), { kind: 'config', message: pattern })
  }
  await refused(join(folder, 'nowhere'), /there is no such lab result/)
  writeFileSync(saved, JSON.stringify({ ...calibration, solutions: [{ share: {} }] }))
  await refused(saved, /no calibration that weir plan --save wrote/)
  writeFileSync(saved, '{')
  await refused(saved, /JSON/)
  writeFileSync(join(folder, 'results.ndjson'), 'hello\n')
  await refused(folder, /no rate was confirmed/)
})
