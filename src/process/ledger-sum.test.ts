import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RejectReason } from '../model/rejection.ts'
import type { LedgerCounts, LedgerPage } from '../ports/ledger-book.ts'
import { balance, foldedPages, type LedgerSum, type Sides } from './ledger-sum.ts'

const sum = (
  received: number,
  pending = 0,
  rejected: [RejectReason, number][] = [],
): LedgerSum => ({ received, pending, deadLettered: 0, rejected: new Map(rejected) })

const sides = (given: Partial<Sides>): Sides => ({
  ...{ before: sum(100), after: sum(100), accounted: 100, deadLettered: 0 },
  ...{ isDrained: true, mayMiss: false, ...given },
})

test('counts that meet have nothing between them', () => {
  const { rejected, ...numbers } = balance(sides({ after: sum(105, 0, [['malformed', 5]]) }))
  assert.deepEqual(numbers, {
    ...{ received: 105, uncounted: 0, deadLettered: 0, inFlight: 0, imbalance: 0 },
  })
  assert.deepEqual([...rejected], [['malformed', 5]])
})

test('what was acknowledged before the store counted must be in its count', () => {
  // 8 of 120 were not acknowledged when the store was asked, and 10 came while it answered.
  const before = sum(120, 8)
  const after = sum(130, 3)
  assert.equal(balance(sides({ before, after, accounted: 115 })).inFlight, 15)
  assert.equal(balance(sides({ before, after, accounted: 112 })).imbalance, 0)
  const lost = balance(sides({ before, after, accounted: 111 }))
  assert.equal(lost.inFlight, 18)
  assert.equal(lost.imbalance, 1)
  // With a log between, some of them may be there.
  const logged = balance(sides({ before, after, accounted: 50, isDrained: false }))
  assert.deepEqual([logged.inFlight, logged.imbalance], [80, 0])
})

test('a point that the store has and no door is counted twice, unless somebody was killed', () => {
  assert.equal(balance(sides({ accounted: 103 })).imbalance, -3)
  const { received, uncounted, imbalance } = balance(sides({ accounted: 103, mayMiss: true }))
  assert.deepEqual([received, uncounted, imbalance], [103, 3, 0])
})

test('points refused because nobody knew, and stored all the same, are not refused', () => {
  const after = sum(110, 0, [
    ['unavailable', 8],
    ['malformed', 2],
  ])
  const { received, rejected, imbalance } = balance(sides({ before: after, after, accounted: 105 }))
  assert.equal(received, 110)
  assert.deepEqual(Object.fromEntries(rejected), { unavailable: 3, malformed: 2 })
  assert.equal(imbalance, 0)
  assert.equal(balance(sides({ before: after, after, accounted: 109 })).imbalance, -1)
})

test('pages add up; what a killed process had not answered yet it has not received', () => {
  const counts = (received: number, pending: number): LedgerCounts => ({
    ...{ received, pending, deadLettered: 1, rejected: { malformed: 2 } },
  })
  const page = (process: string, state: LedgerPage['state'], received: number): LedgerPage => ({
    ...{ process, state, tenants: new Map([['default', counts(received, 5)]]) },
  })
  const folded = foldedPages('past', [page('a', 'closed', 10), page('b', 'open', 20)])
  assert.equal(folded.state, 'torn')
  assert.deepEqual(folded.tenants.get('default'), {
    ...{ received: 25, pending: 5, deadLettered: 2, rejected: { malformed: 4 } },
  })
  assert.equal(foldedPages('past', [page('a', 'closed', 10)]).state, 'closed')
})

test('what the log has and the store does not is in flight, whoever has told of it', () => {
  // 40 points in 8 entries; the process that took them has not told yet.
  const untold = balance(sides({ isDrained: false, mayMiss: true, backlog: 8 }))
  assert.deepEqual([untold.inFlight, untold.uncounted, untold.imbalance], [8, 8, 0])
  assert.equal(untold.received, 108)
  // Told of, but hidden by what a killed process has stored and not told of.
  const hidden = balance(
    sides({
      before: sum(140),
      after: sum(140),
      accounted: 150,
      isDrained: false,
      mayMiss: true,
      backlog: 8,
    }),
  )
  assert.deepEqual([hidden.inFlight, hidden.uncounted, hidden.imbalance], [8, 18, 0])
  assert.equal(hidden.received, 158)
  // Told of in full.
  const told = balance(sides({ accounted: 60, isDrained: false, mayMiss: true, backlog: 8 }))
  assert.deepEqual([told.inFlight, told.uncounted, told.imbalance], [40, 0, 0])
  // Part of an append that was refused, and the only process.
  const refused = sum(100, 0, [['unavailable', 5]])
  const part = balance(
    sides({ before: refused, after: refused, accounted: 95, isDrained: false, backlog: 3 }),
  )
  assert.deepEqual([part.inFlight, part.imbalance], [3, 0])
  assert.deepEqual([...part.rejected], [['unavailable', 2]])
})
