import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TimeOrder } from './time-order.ts'

const batchOf = (points: readonly (readonly [series: number, time: number])[]) => ({
  seriesIndex: Uint32Array.from(points, ([series]) => series),
  timestamps: Float64Array.from(points, ([, time]) => time),
})

test('points whose series rise are taken as they come, however the series are mixed', () => {
  const order = new TimeOrder()
  const points = [
    [0, 5],
    [1, 1],
    [0, 5],
    [1, 2],
    [0, 9],
  ] as const
  assert.equal(order.of(batchOf(points), 2), undefined)
  assert.equal(order.of(batchOf([]), 0), undefined)
})

test('a history that is sent newest first is taken backwards, of any size', () => {
  const points = Array.from({ length: 40_000 }, (_, i) => [i % 2, 1e6 - i] as const)
  const order = new TimeOrder().of(batchOf(points), 2)
  assert.deepEqual(order?.subarray(0, 3), Uint32Array.of(39_999, 39_998, 39_997))
})

test('mixed points are put in order, of one time in the order of their coming', () => {
  const pair = fc.tuple(fc.nat(3), fc.nat(9))
  const order = new TimeOrder()
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 60 }), points => {
      const batch = batchOf(points)
      const given = order.of(batch, 4) ?? Uint32Array.from(points, (_, i) => i)
      assert.deepEqual(
        [...given].sort((a, b) => a - b),
        [...points.keys()],
      )
      for (const series of [0, 1, 2, 3]) {
        const own = [...given].filter(i => points[i][0] === series)
        const sorted = own.toSorted((a, b) => points[a][1] - points[b][1] || a - b)
        assert.deepEqual(own, sorted)
      }
    }),
  )
})

test('a large mixed batch is left as it is, rather than hold up the doors', () => {
  const points = Array.from({ length: 20_000 }, (_, i) => [0, (i * 7919) % 20_000] as const)
  assert.equal(new TimeOrder().of(batchOf(points), 1), undefined)
})
