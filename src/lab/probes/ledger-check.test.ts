import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ledger } from '../system/ledger.ts'
import { checkLedger } from './ledger-check.ts'

function ledger(stored: number, changed: Partial<Ledger> = {}): Ledger {
  const in_flight_at = { log: 0, writer: 0, unsettled: 0 }
  const rest = { received: stored, duplicate: 0, rejected: 0, dead_lettered: 0, imbalance: 0 }
  return { stored, ...rest, in_flight_at, ...changed }
}

test('a ledger balances when what was acknowledged is stored, no more and no less', () => {
  const sides = { before: ledger(500), acknowledged: 1000, uncertain: 0 }
  const check = (after: Ledger) => checkLedger({ ...sides, after }).problems
  assert.deepEqual(check(ledger(1500)), [])
  assert.match(check(ledger(1499)).join(), /^1 of 1000 acknowledged points are missing/)
  assert.match(check(ledger(1501)).join(), /1001, which is more than 1000/)
})

test('of uncertain points each may be there or not', () => {
  const sides = { before: ledger(0), acknowledged: 1000, uncertain: 3 }
  const problems = [999, 1000, 1003, 1004].map(
    stored => checkLedger({ ...sides, after: ledger(stored) }).problems.length,
  )
  assert.deepEqual(problems, [1, 0, 0, 1])
})

test('points in memory that queries see are stored; points on their way are not yet', () => {
  const sides = { before: ledger(0), acknowledged: 100, uncertain: 0 }
  const at = (part: object) => ({ in_flight_at: { log: 0, writer: 0, unsettled: 0, ...part } })
  const unsettled = checkLedger({ ...sides, after: ledger(60, at({ unsettled: 40 })) })
  assert.deepEqual([unsettled.stored, unsettled.problems], [100, []])
  const waiting = checkLedger({ ...sides, counted: 60, after: ledger(60, at({ writer: 40 })) })
  assert.deepEqual([waiting.stored, waiting.counted, waiting.problems], [60, 60, []])
})

test('a queue that is not empty can have lost nothing yet, and may hold nothing twice', () => {
  const in_flight_at = { log: 40, writer: 0, unsettled: 0 }
  const sides = { before: ledger(0), acknowledged: 100, uncertain: 0 }
  const off = ledger(60, { in_flight_at, imbalance: 3 })
  assert.deepEqual(checkLedger({ ...sides, after: off }).problems, [])
  const double = checkLedger({ ...sides, counted: 102, after: ledger(101, { in_flight_at }) })
  assert.match(double.problems.join(), /stored are 101, .*queries count 102, which is more/)
})

test('what queries count has to agree too', () => {
  const sides = { before: ledger(0), after: ledger(100), acknowledged: 100, uncertain: 0 }
  assert.deepEqual(checkLedger({ ...sides, counted: 100 }).problems, [])
  assert.match(checkLedger({ ...sides, counted: 99 }).problems.join(), /queries count 99/)
})

test('an imbalance and dead letters are problems of their own', () => {
  const sides = { before: ledger(0), acknowledged: 100, uncertain: 0 }
  const after = ledger(100, { imbalance: 2, dead_lettered: 5 })
  assert.deepEqual(checkLedger({ ...sides, after }).problems, [
    "the node's own ledger has an imbalance of 2",
    '5 points are dead letters',
  ])
})
