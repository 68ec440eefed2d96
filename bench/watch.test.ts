import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { verdictOf, type Figure } from './figure.ts'
import type { LoadTotals } from './load/tally.ts'
import { judgeLag, judgeLedger } from './watch.ts'

const totals = (acknowledged: number, unanswered = 0): LoadTotals => {
  const overall = {
    seconds: 10,
    requests: 10,
    points: 10_000,
    p50Ms: 1,
    p99Ms: 2,
    maxMs: 3,
    cpu: 0.1,
  }
  return {
    ...{ sentPoints: acknowledged + unanswered, acknowledgedPoints: acknowledged },
    ...{ unansweredPoints: unanswered, failures: 0, firstFailure: undefined, windows: [], overall },
  }
}
const ledger = (
  stored: number,
  more: Partial<Record<'in_flight' | 'duplicate' | 'rejected', number>> = {},
) => {
  const { in_flight = 0, duplicate = 0, rejected = 0 } = more
  const received = stored + in_flight + duplicate + rejected
  return {
    received,
    stored,
    duplicate,
    rejected,
    dead_lettered: 0,
    in_flight,
    in_flight_at: { log: 0, writer: in_flight },
  }
}

describe('a run counts', () => {
  it('when everything acknowledged is held, in blocks or not yet', () => {
    assert.deepEqual(
      judgeLedger(ledger(5), ledger(905, { in_flight: 100 }), [totals(600), totals(400)]),
      [],
    )
  })

  it('when points that nobody got an answer for are held or not', () => {
    assert.deepEqual(judgeLedger(ledger(0), ledger(1000), [totals(1000, 50)]), [])
    assert.deepEqual(judgeLedger(ledger(0), ledger(1050), [totals(1000, 50)]), [])
  })

  it('not when one acknowledged point is missing, or one is there too many', () => {
    assert.match(
      judgeLedger(ledger(0), ledger(999), [totals(1000)])[0],
      /1000 points were acknowledged, 999/,
    )
    assert.match(
      judgeLedger(ledger(0), ledger(1001), [totals(1000)])[0],
      /1000 points were acknowledged, 1001/,
    )
  })

  it('not when points were refused, requests failed or the ledger does not add up', () => {
    assert.match(
      judgeLedger(ledger(0), ledger(1000, { rejected: 2 }), [totals(1000)])[0],
      /2 points were refused/,
    )
    const failed = { ...totals(1000), failures: 1, firstFailure: 'status 503' }
    assert.match(
      judgeLedger(ledger(0), ledger(1000), [failed])[0],
      /1 requests failed \(status 503\)/,
    )
    const wrong = { ...ledger(1000), received: 1003 }
    assert.match(judgeLedger(ledger(0), wrong, [totals(1000)])[0], /out by 3 points/)
  })

  it('not when the backlog grows by more than 1 % of the rate', () => {
    const samples = (growth: number) =>
      Array.from({ length: 20 }, (_, i) => ({
        seconds: i / 2,
        lag: 50 + (growth * i) / 2 + (i % 3),
        logBytes: 0,
      }))
    assert.deepEqual(judgeLag(samples(5), [totals(10_000)]), [])
    assert.match(
      judgeLag(samples(20), [totals(10_000)])[0],
      /the backlog grew by 20 points\/s \(2\.0 %/,
    )
  })

  it('when the backlog goes up and down by chance in a short run', () => {
    const samples = [0, 40, 0, 60, 30].map((lag, i) => ({ seconds: i / 2, lag, logBytes: 0 }))
    assert.deepEqual(judgeLag(samples, [totals(10_000)]), [])
  })

  it('not when the log climbs through a long run, but when it goes up and down', () => {
    const samples = (logBytes: (second: number) => number) =>
      Array.from({ length: 120 }, (_, i) => ({ seconds: i / 2, lag: 0, logBytes: logBytes(i / 2) }))
    assert.deepEqual(
      judgeLag(
        samples(second => (second % 10) * 1e8),
        [totals(10_000)],
      ),
      [],
    )
    const climbing = judgeLag(
      samples(second => second * 2e7),
      [totals(10_000)],
    )
    assert.match(climbing[0], /the log climbed from 590 to 1190 MB/)
  })
})

describe('the verdict of a figure', () => {
  const figure = (value: number, p99Ms: number, problems: string[] = []): Figure => ({
    ...{ name: 'f', unit: 'u', value, values: [value], p99Ms, problems },
    goals: [
      { what: 'value', better: 'higher', atLeast: 100, aim: 200 },
      { what: 'p99Ms', better: 'lower', atLeast: 10, aim: 5 },
    ],
  })

  it('needs every goal', () => {
    assert.equal(verdictOf(figure(200, 5)), 'aim')
    assert.equal(verdictOf(figure(200, 6)), 'met')
    assert.equal(verdictOf(figure(200, 11)), 'missed')
    assert.equal(verdictOf(figure(99, 1)), 'missed')
    assert.equal(verdictOf(figure(200, 5, ['lost'])), 'VOID')
  })
})
