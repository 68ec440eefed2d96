import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatQuantity, parseQuantity } from './units.ts'

test('sizes and durations are read in every way that people write them', () => {
  const cases = [
    ['64MB', 'bytes', 67_108_864],
    ['64 mb', 'bytes', 67_108_864],
    ['64MiB', 'bytes', 67_108_864],
    ['1.5k', 'bytes', 1536],
    ['2G', 'bytes', 2 * 1024 ** 3],
    ['17', 'bytes', 17],
    ['5m', 'ms', 300_000],
    ['250ms', 'ms', 250],
    ['1.5h', 'ms', 5_400_000],
    ['1d', 'ms', 86_400_000],
    ['0', 'ms', 0],
  ] as const
  for (const [text, unit, expected] of cases)
    assert.equal(parseQuantity(text, unit), expected, text)
})

test('what is no quantity is refused', () => {
  for (const text of ['', 'MB', '-1', '5 apples', '1e9', 'NaN', '5M', '1m30s', '9'.repeat(30)]) {
    assert.equal(parseQuantity(text, 'ms'), undefined, text)
  }
  assert.equal(parseQuantity('5s', 'bytes'), undefined)
})

test('what is written is read back as the same number', () => {
  const seed = Date.now() & 0x7fffffff
  const whole = fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 45 }))
  const unit = fc.constantFrom('bytes' as const, 'ms' as const)
  fc.assert(
    fc.property(whole, unit, (value, of) => {
      assert.equal(parseQuantity(formatQuantity(value, of), of), value)
    }),
    { seed, verbose: 1 },
  )
})
