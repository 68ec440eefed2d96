import assert from 'node:assert/strict'
import { test } from 'node:test'
import { intervalUs } from './interval.ts'

test('intervals are a number and a unit', () => {
  const known = {
    '250ms': 250e3,
    '30s': 30e6,
    '5m': 300e6,
    '1h': 3600e6,
    '1d': 86_400e6,
    '10us': 10,
  }
  for (const [text, us] of Object.entries(known)) assert.equal(intervalUs(text), us)
})

test('what is no positive interval is NaN', () => {
  for (const text of ['', '5', 'm', '0s', '-5m', '1.5h', '5 m', '5M', '1y', '99999999999s']) {
    assert.ok(Number.isNaN(intervalUs(text)), text)
  }
})
