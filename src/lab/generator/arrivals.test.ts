import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ArrivalTimes, expectedRequests, type RateSegment } from './arrivals.ts'
import type { Arrivals } from './executor.ts'
import { constantArrivalRate } from './executors/constant-arrival-rate.ts'
import { rampingArrivalRate } from './executors/ramping-arrival-rate.ts'

function timesOf(segments: readonly RateSegment[], arrivals: Arrivals, seed = 1): number[] {
  const found: number[] = []
  for (const times = new ArrivalTimes(segments, arrivals, seed); times.nextMs < Infinity;) {
    assert.equal(times.index, found.length)
    found.push(times.nextMs)
    times.advance()
  }
  return found
}

const flat = (rate: number, durationMs: number): RateSegment[] => [
  { fromMs: 0, toMs: durationMs, fromRate: rate, toRate: rate },
]

describe('the arrival times', () => {
  it('are evenly apart where they are constant', () => {
    const times = timesOf(flat(100, 1000), 'constant')
    assert.equal(times.length, 100)
    for (const [i, ms] of times.entries()) assert.ok(Math.abs(ms - (10 * i + 5)) < 1e-6)
  })

  it('rise with the rate where a constant one is reached evenly', () => {
    const kind = 'constant-arrival-rate'
    const executor = { kind, arrivals: 'constant', rate: 100, durationMs: 3000 } as const
    const { segments } = constantArrivalRate(executor, 2000)
    const times = timesOf(segments, 'constant')
    const within = (from: number, to: number): number =>
      times.filter(ms => ms >= from && ms < to).length
    assert.deepEqual([within(0, 1000), within(1000, 2000), within(2000, 3000)], [25, 75, 100])
  })

  it('are exponentially apart where they are Poisson', () => {
    const times = timesOf(flat(1000, 100_000), 'poisson')
    const gaps = times.slice(1).map((ms, i) => ms - times[i])
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
    // The seed is fixed: these are what it gives, near the 1 and 1 of the distribution.
    assert.ok(Math.abs(mean - 1) < 0.02 && Math.abs(variance - 1) < 0.04, `${mean} ${variance}`)
    const beyond = gaps.filter(gap => gap > 2).length / gaps.length
    assert.ok(Math.abs(beyond - Math.exp(-2)) < 0.005, `${beyond}`)
  })

  it('are the same for a seed and others for another', () => {
    const segments = flat(500, 2000)
    assert.deepEqual(timesOf(segments, 'poisson', 7), timesOf(segments, 'poisson', 7))
    assert.notDeepEqual(timesOf(segments, 'poisson', 7), timesOf(segments, 'poisson', 8))
    assert.notDeepEqual(timesOf(segments, 'poisson', 7), timesOf(segments, 'poisson', 7 + 2 ** 32))
  })

  it('follow a ramp: as many in every part as the rate says', () => {
    const stage = fc.record({
      rate: fc.integer({ min: 0, max: 2000 }),
      durationMs: fc.integer({ min: 1, max: 3000 }),
    })
    const plan = fc.record({
      startRate: fc.integer({ min: 0, max: 2000 }),
      stages: fc.array(stage, { minLength: 1, maxLength: 5 }),
      steps: fc.boolean(),
    })
    fc.assert(
      fc.property(plan, ramp => {
        const kind = 'ramping-arrival-rate' as const
        const executor = { kind, arrivals: 'constant' as const, stopsOnBreach: false, ...ramp }
        const { segments } = rampingArrivalRate(executor)
        const times = timesOf(segments, 'constant')
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        )
        for (const segment of segments) {
          const inside = times.filter(ms => ms >= segment.fromMs && ms < segment.toMs).length
          assert.ok(Math.abs(inside - expectedRequests(segment)) <= 1.01)
        }
      }),
    )
  })
})
