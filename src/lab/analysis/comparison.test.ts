import assert from 'node:assert/strict'
import { test } from 'node:test'
import { comparisonMarkdown } from '../report/comparison-markdown.ts'
import { labResults } from '../report/results.fixture.ts'
import type { LabRecord, RunRecord } from '../run/record.ts'
import type { Workload } from '../workloads/workload.ts'
import { DEFAULT_SLO } from '../workloads/workload.ts'
import { compareResults } from './comparison.ts'

const small = { solutions: ['baseline', 'tune', 'baseline-again'], profiles: ['mixed'] }

function withRun(records: readonly LabRecord[], change: Partial<RunRecord>): LabRecord[] {
  return records.map(record => (record.kind === 'run' ? { ...record, ...change } : record))
}

const workload = (devices: number, title = 'Mixed'): Workload => ({
  ...{ id: 'mixed', title, summary: '', devices, devicePrefix: 'device-', metrics: {} },
  ...{ requests: [], history: { points: 0, intervalMs: 1000 }, slo: DEFAULT_SLO },
  executor: { kind: 'closed', users: 1, thinkMs: [0, 0], durationMs: 1000 },
})

test('two commits: the ratio of every cell, what changed, and what is faster', () => {
  const a = labResults({ ...small, seed: 1 })
  const b = labResults({ ...small, seed: 2, speed: 1.5, commit: 'fedcba' })
  const { cells, changed, noise } = compareResults(a, b)
  assert.equal(cells.length, 3)
  assert.ok(noise! < 0.1)
  for (const { ratio, difference } of cells) {
    assert.ok(ratio!.median > 1.35 && ratio!.median < 1.65, String(ratio!.median))
    assert.ok(ratio!.interval!.low <= ratio!.median && ratio!.median <= ratio!.interval!.high)
    assert.equal(ratio!.values.length, 9)
    assert.equal(difference, 'faster')
  }
  assert.deepEqual(
    changed.map(({ fact }) => fact),
    ['commit', 'seed'],
  )
  const markdown = comparisonMarkdown(compareResults(a, b))
  assert.match(markdown, /\| baseline \| mixed \| \d+ \| \d+ \| 1\.[3-6]\d? \|.*\| faster \|/)
  assert.match(markdown, /\| commit \| 0123456789abcdef0123456789abcdef01234567 \| fedcba \|/)
})

test('the same run against itself is no different', () => {
  const records = labResults(small)
  const { cells, changed } = compareResults(records, records)
  assert.deepEqual(changed, [])
  assert.ok(cells.every(({ ratio, difference }) => ratio!.median === 1 && difference === 'same'))
})

test('a cell that only one of them has is shown with the reason', () => {
  const a = labResults({ ...small, faults: { 'tune mixed': 'invalid' } })
  const b = labResults({ profiles: ['mixed'], solutions: ['baseline', 'tune', 'cache'] })
  const { cells } = compareResults(a, b)
  const missing = (id: string) => cells.find(({ solution }) => solution === id)!.missing
  assert.match(missing('tune')!, /^A: blocks 1, 2, 3: invalid, 12 acknowledged points/)
  assert.equal(missing('cache'), 'A did not run it')
  assert.equal(missing('baseline-again'), 'B did not run it')
  assert.equal(missing('baseline'), undefined)
})

test('another SLO is refused, and told which', () => {
  const records = labResults(small)
  const other = withRun(records, { slo: { ...DEFAULT_SLO, p99Ms: 500 } })
  assert.throws(() => compareResults(records, other), {
    ...{ name: 'WeirError', kind: 'rejected' },
    message: /their SLO differs \(p99Ms 300 and 500\)/,
  })
})

test('another definition of a profile is refused; other words for it are not', () => {
  const records = labResults(small)
  const of = (...workloads: Workload[]): LabRecord[] => withRun(records, { workloads })
  assert.throws(() => compareResults(of(workload(1000)), of(workload(2000))), {
    message: /the definition of mixed differs/,
  })
  assert.equal(compareResults(of(workload(9)), of(workload(9, 'Both'))).warnings.length, 0)
  assert.match(compareResults(records, records).warnings[0], /taken from their names/)
})

test('results with nothing in common are refused', () => {
  const a = labResults(small)
  const b = labResults({ ...small, profiles: ['analytics'] })
  assert.throws(() => compareResults(a, b), /they share no profile/)
})

test('another machine is named, and a prediction about its cores is checked', () => {
  const a = labResults({ solutions: ['embedded'], profiles: ['mixed'] })
  const b = labResults({ solutions: ['embedded'], profiles: ['mixed'], cores: 4 })
  const { changed, predictions, warnings } = compareResults(a, b)
  assert.deepEqual(changed, [{ fact: 'cores', a: '2', b: '4' }])
  assert.ok(warnings.some(line => line.startsWith('The machines differ')))
  assert.equal(predictions[0].prediction.change.cores, 4)
  assert.equal(predictions[0].outcome, 'held')
})

test('a changed topology is told by the lines that differ', () => {
  const records = labResults(small)
  const [{ machine }] = records as [RunRecord]
  const withPool = (size: number): LabRecord[] =>
    withRun(records, {
      machine: { ...machine, topologies: { tune: `postgres:\n  poolSize: ${size}\n` } },
    })
  assert.deepEqual(compareResults(withPool(8), withPool(30)).changed, [
    { fact: 'topology tune', a: 'poolSize: 8', b: 'poolSize: 30' },
  ])
})
