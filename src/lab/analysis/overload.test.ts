import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OVERLOAD_COLUMNS, overloadRow } from '../report/overload-table.ts'
import { labResults } from '../report/results.fixture.ts'
import type { LabRecord, Outcome } from '../run/record.ts'
import { overloadsOf } from './overload.ts'
import type { Overload } from './overload.ts'
import { resultSet } from './result-set.ts'

/** Of three blocks with such overloads; one that is void has a goodput of 1/s. */
function overloads(...outcomes: readonly Outcome[]): Overload[] {
  const records = labResults({ solutions: ['tune'], profiles: ['mixed'] })
  const changed = records.map((record): LabRecord => {
    if (record.kind !== 'step' || record.phase !== 'overload') return record
    const outcome = outcomes[record.cell.block - 1]
    const load = outcome === 'void' ? { ...record.load!, achievedRate: 1 } : record.load!
    return { ...record, load, verdict: { outcome, breaches: [] } }
  })
  return overloadsOf(resultSet(changed))
}

const points = (overload: Overload): string =>
  overloadRow(overload)[OVERLOAD_COLUMNS.indexOf('Points')]

test('an overload that the generator was not good enough for says nothing', () => {
  const [all] = overloads('fail', 'fail', 'fail')
  const [rest] = overloads('void', 'void', 'fail')
  assert.deepEqual([all.blocks, rest.blocks], [3, 1])
  assert.ok(rest.goodput > 100, `${rest.goodput}`)
  assert.deepEqual(overloads('void', 'void', 'void'), [])
})

test('points that were lost under overload stand in its row', () => {
  assert.equal(points(overloads('fail', 'fail', 'fail')[0]), 'none lost')
  assert.equal(points(overloads('fail', 'invalid', 'fail')[0]), 'lost or doubled in 1 of 3 blocks')
  assert.equal(points(overloads('void', 'invalid', 'void')[0]), 'lost or doubled')
})

test('of a system that ended nobody knows its points', () => {
  const records = labResults({ solutions: ['tune'], profiles: ['mixed'], blocks: 1 })
  const ended = records.map((record): LabRecord => {
    if (record.kind !== 'step' || record.phase !== 'overload') return record
    const { probes: _, ...rest } = record
    return rest
  })
  const [overload] = overloadsOf(resultSet(ended))
  assert.equal(points(overload), 'not known, as nobody could count them')
})

test('a block that was not seen to recover is the longest of all', () => {
  const records = labResults({ solutions: ['tune'], profiles: ['mixed'] })
  const without = (blocks: number): number | undefined => {
    const changed = records.map((record): LabRecord => {
      if (record.kind !== 'step' || record.recoveryMs === undefined) return record
      const { recoveryMs, ...rest } = record
      return record.cell.block <= blocks ? rest : { ...rest, recoveryMs: 1000 * recoveryMs }
    })
    return overloadsOf(resultSet(changed))[0].recoveryMs
  }
  assert.ok(without(1)! > without(0)!)
  assert.equal(without(2), undefined)
})
