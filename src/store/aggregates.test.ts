import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aggregated } from '../../test/fixtures/point-model.ts'
import { fractionOf, nearestRank } from './aggregates.ts'

test('the rank of a percentile is exact for every tenth of a per cent', () => {
  for (const count of [1, 2, 3, 7, 10, 99, 100, 128, 999, 1000]) {
    const sorted = Float64Array.from({ length: count }, (_, i) => i)
    for (let tenths = 0; tenths <= 1000; tenths++) {
      const wanted = aggregated([...sorted], `p${(tenths / 10).toFixed(1)}`)
      assert.equal(nearestRank(sorted, tenths / 10), wanted, `p${tenths / 10} of ${count}`)
    }
  }
})

test('a fraction stays one, and is exact for millions of values', () => {
  assert.deepEqual([fractionOf(0), fractionOf(1e-13)], [0, 0])
  for (let tenths = 1; tenths <= 1000; tenths++) {
    const fraction = fractionOf(tenths / 10)
    assert.ok(fraction > 0 && fraction <= 1)
    assert.equal(Math.ceil(fraction * 1e7), tenths * 1e4, `p${tenths / 10}`)
  }
})
