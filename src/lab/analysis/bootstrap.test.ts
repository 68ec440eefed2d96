import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../../../test/fixtures/seeded-random.ts'
import { coverageOf, estimate, estimateRatio } from './bootstrap.ts'
import { median, medianOf } from './median.ts'

test('the median is the middle value, or the mean of the two middle ones', () => {
  assert.equal(median([9, 1, 5]), 5)
  assert.equal(median([9, 1, 5, 7]), 6)
  assert.ok(Number.isNaN(median([])))
  assert.equal(medianOf([undefined, 3, 1, 2]), 2)
  assert.equal(medianOf([undefined]), undefined)
})

test('one value has no interval', () => {
  assert.deepEqual(estimate([120]), { median: 120, values: [120] })
})

test('three values: the interval is their range, since 7 of 27 resamples have the least as median', () => {
  assert.deepEqual(estimate([110, 100, 130]), {
    median: 110,
    interval: { low: 100, high: 130 },
    values: [110, 100, 130],
  })
})

test('two values: a quarter of the resamples is twice the lower one', () => {
  assert.deepEqual(estimate([10, 20]).interval, { low: 10, high: 20 })
})

test('seven values: the least is the median of 1.0 % of the resamples, so the interval leaves it out', () => {
  // P(at least 4 of 7 draws are the least) = 0.0099; the second: P(at least 4 among two) = 0.098.
  assert.deepEqual(estimate([1, 2, 3, 4, 5, 6, 7]).interval, { low: 2, high: 6 })
})

test('drawing resamples gives the same interval as working it out', t => {
  const random = seededRandom(t)
  for (const n of [3, 4, 5, 6, 8, 9, 10]) {
    const values = Array.from({ length: n }, () => 100 + random.next() * 50)
    const drawn = Array.from({ length: 40_000 }, () =>
      median(values.map(() => values[Math.floor(random.next() * n)])),
    ).sort((a, b) => a - b)
    const { low, high } = estimate(values).interval ?? assert.fail()
    const rank = (value: number): number => drawn.filter(other => other <= value + 1e-9).length
    // The interval's ends are values at which 2.5 % (97.5 %) of the drawn medians are passed.
    assert.ok(rank(low) >= 0.02 * drawn.length, `n ${n}: ${low}`)
    assert.ok(rank(low - 1e-6) <= 0.03 * drawn.length, `n ${n}: ${low}`)
    assert.ok(rank(high) >= 0.97 * drawn.length, `n ${n}: ${high}`)
    assert.ok(rank(high - 1e-6) <= 0.98 * drawn.length, `n ${n}: ${high}`)
  }
})

test('an interval holds the median, lies within the values, and scales with them', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 30 }), v => {
      const { median: middle, interval } = estimate(v)
      assert.ok(interval !== undefined && interval.low <= middle && middle <= interval.high)
      assert.ok(interval.low >= Math.min(...v) && interval.high <= Math.max(...v))
      const twice = estimate(v.map(value => value * 2)).interval
      assert.deepEqual(twice, { low: interval.low * 2, high: interval.high * 2 })
    }),
  )
})

test('the ratio of two sets: the interval goes from the least quotient to the largest with three each', () => {
  const ratio = estimateRatio([200, 220, 210], [100, 105, 110])
  assert.equal(ratio.median, 2)
  assert.deepEqual(ratio.interval, { low: 200 / 110, high: 2.2 })
  assert.equal(ratio.values.length, 9)
  assert.equal(estimateRatio([200], [100, 110]).interval, undefined)
})

test('three values hold the true median in three of four cases', () => {
  assert.equal(coverageOf(2), 0.5)
  assert.equal(coverageOf(3), 0.75)
  assert.equal(coverageOf(20), coverageOf(10))
})

test('of an odd number of values coverage follows from the ranks of the ends', () => {
  for (const n of [3, 5, 7, 9]) {
    const { low } = estimate(Array.from({ length: n }, (_, i) => i)).interval ?? assert.fail()
    // The median is below the value with `low` others below it where at most so many are below it.
    let missed = 0
    for (let below = 0, ways = 1; below <= low; below++) {
      missed += ways / 2 ** n
      ways = (ways * (n - below)) / (below + 1)
    }
    assert.ok(Math.abs(coverageOf(n) - (1 - 2 * missed)) < 0.001, `${n}: ${1 - 2 * missed}`)
  }
})

test('of an even number of values coverage is what is drawn', t => {
  const random = seededRandom(t)
  const draws = 4000
  for (const n of [4, 6, 8, 10]) {
    let held = 0
    for (let i = 0; i < draws; i++) {
      const { interval } = estimate(Array.from({ length: n }, () => random.next()))
      if (interval!.low <= 0.5 && 0.5 <= interval!.high) held++
    }
    assert.ok(Math.abs(coverageOf(n) - held / draws) < 0.025, `${n}: ${held / draws}`)
  }
})
