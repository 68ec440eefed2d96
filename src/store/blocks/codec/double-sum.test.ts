import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DoubleSum } from './double-sum.ts'
import { addPair, addRange, addValue } from './double-sum.ts'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
process.stdout.write(`seed ${seed} (set SEED to repeat)\n`)
const zero = (): DoubleSum => ({ high: 0, low: 0 })

test('a sum does not lose what one float64 loses', () => {
  const sum = zero()
  for (const value of [1e16, 1, -1e16]) addValue(sum, value)
  assert.equal(sum.high + sum.low, 1)
  const tenths = zero()
  for (let i = 0; i < 10; i++) addValue(tenths, 0.1)
  assert.equal(tenths.high, 1)
})

test('a sum in parts rounds to the sum of the whole', () => {
  const values = fc.array(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), { minLength: 1 })
  fc.assert(
    fc.property(values, fc.nat(), (integers, cut) => {
      const column = Float64Array.from(integers, integer => integer / 1000)
      const middle = cut % column.length
      const whole = zero()
      addRange(whole, column, 0, column.length)
      const left = zero()
      const right = zero()
      addRange(left, column, 0, middle)
      addRange(right, column, middle, column.length)
      addPair(right, left.high, left.low)
      const single = zero()
      for (const value of column) addValue(single, value)
      assert.equal(right.high, whole.high)
      assert.equal(single.high, whole.high)
      assert.ok(Math.abs(right.low - whole.low) <= 1e-25 * (1 + Math.abs(whole.high)))
    }),
    { seed },
  )
})

test('an overflow stays an infinity and never turns into NaN by its error term', () => {
  const sum = zero()
  addRange(sum, Float64Array.of(Number.MAX_VALUE, Number.MAX_VALUE, 1), 0, 3)
  assert.deepEqual(sum, { high: Infinity, low: 0 })
  addValue(sum, 5)
  assert.deepEqual(sum, { high: Infinity, low: 0 })
})
