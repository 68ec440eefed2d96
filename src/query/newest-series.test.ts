import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SeriesTime } from '../ports/latest.ts'
import { newestFirst, NewestSeries } from './newest-series.ts'

test('of any number of series the newest are kept, in order', () => {
  const times = fc.array(fc.nat(500), { maxLength: 3000, size: 'max' })
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 20 }), (all, count) => {
      const series: SeriesTime[] = all.map((timeUs, i) => ({
        device: `d${i}`,
        metric: 'm',
        timeUs,
      }))
      const newest = new NewestSeries(count)
      for (const { device, metric, timeUs } of series) newest.add(device, metric, timeUs)
      assert.deepEqual(newest.list(), series.toSorted(newestFirst).slice(0, count))
    }),
  )
})
