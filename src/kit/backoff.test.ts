import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Backoff } from './backoff.ts'

test('waits double up to the bound, and start anew after a success', () => {
  const backoff = new Backoff({ firstMs: 100, lastMs: 1000, random: () => 0.999_999 })
  const waits = (): number[] => Array.from({ length: 6 }, () => backoff.next())
  assert.deepEqual(waits(), [100, 200, 400, 800, 1000, 1000])
  backoff.reset()
  assert.deepEqual(waits(), [100, 200, 400, 800, 1000, 1000])
})

test('chance takes at most half of a wait away, and adds nothing', () => {
  const some = fc.record({
    firstMs: fc.integer({ min: 1, max: 10_000 }),
    factor: fc.integer({ min: 1, max: 1000 }),
    chances: fc.array(fc.double({ min: 0, max: 0.999_999, noNaN: true }), { minLength: 1 }),
  })
  fc.assert(
    fc.property(some, ({ firstMs, factor, chances }) => {
      const lastMs = firstMs * factor
      let i = 0
      const backoff = new Backoff({ firstMs, lastMs, random: () => chances[i] })
      for (; i < chances.length; i++) {
        const ceilingMs = Math.min(firstMs * 2 ** i, lastMs)
        const waitMs = backoff.next()
        assert.ok(waitMs >= Math.floor(ceilingMs / 2) && waitMs <= ceilingMs, `${waitMs} ms`)
      }
    }),
  )
})
