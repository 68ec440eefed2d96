import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labResults } from '../report/results.fixture.ts'
import type { CellRecord, LabRecord } from '../run/record.ts'
import { findCell, resultSet } from './result-set.ts'

const small = { solutions: ['baseline'], profiles: ['mixed'], blocks: 2 }

test('every cell of the run is there in its order, and every block of a cell', () => {
  const { cells } = resultSet(labResults({ blocks: 2 }))
  assert.equal(cells.length, 8 * 4)
  assert.deepEqual(
    cells.slice(0, 2).map(({ solution, profile }) => [solution, profile]),
    [
      ['baseline', 'read-heavy'],
      ['tune', 'read-heavy'],
    ],
  )
  assert.ok(cells.every(({ blocks, results }) => blocks.length === 2 && results.length === 2))
})

test('a cell without a result says why, and blocks with the same reason say it once', () => {
  const reasons = (
    fault: 'missing' | 'unstarted' | 'invalid' | 'void' | 'not met' | 'unfinished',
  ) => resultSet(labResults({ ...small, faults: { 'baseline mixed': fault } })).cells[0].missing
  assert.deepEqual(reasons('missing'), ['blocks 1, 2: no Kafka on this machine (baseline)'])
  assert.deepEqual(reasons('unstarted'), ['blocks 1, 2: not run, the run ended before'])
  assert.deepEqual(reasons('unfinished'), [
    'blocks 1, 2: not finished, the run ended after 1 of its steps',
  ])
  assert.deepEqual(reasons('invalid'), [
    'blocks 1, 2: invalid, 12 acknowledged points are not stored',
  ])
  assert.match(reasons('not met')[0], /not even the lowest rate held: p99 of GET latest 912 ms/)
  assert.match(reasons('void')[0], /every try was void/)
})

test('a cell that was repeated counts as its last end says, with the steps since the first', () => {
  const [run, ...rest] = labResults({ ...small, blocks: 1 })
  const end = rest.at(-1) as CellRecord
  const voided: CellRecord = { ...end, maxRate: 0, problem: 'every try was void' }
  const [cell] = resultSet([run, rest[0], voided, ...rest] as LabRecord[]).cells
  assert.equal(cell.results[0].end.maxRate, end.maxRate)
  assert.equal(cell.results[0].steps.length, rest.length - 1)
})

test('a repetition that did not come to its end leaves the cell as it was', () => {
  const [run, ...rest] = labResults({ ...small, blocks: 1 })
  const [cell] = resultSet([run, ...rest, rest[0]]).cells
  assert.equal(cell.results.length, 1)
  assert.equal(cell.results[0].steps.length, rest.length - 1)
})

test('a resumed run is one run that was started twice', () => {
  const records = labResults(small)
  const set = resultSet([...records, records[0]])
  assert.equal(set.starts, 2)
  assert.equal(findCell(set, 'baseline', 'mixed')?.results.length, 2)
})

test('records without a run, or of a later format, are refused', () => {
  assert.throws(() => resultSet([]), { name: 'WeirError', kind: 'rejected' })
  const [run] = labResults(small)
  const later = { ...run, formatVersion: 2 } as unknown as LabRecord
  assert.throws(() => resultSet([later]), /format 2; this Weir reads format 1/)
})
