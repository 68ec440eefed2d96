import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grouped, quantity } from './quantity.ts'

test('three digits, for people: small numbers too, so that a slow fleet is none of zero', () => {
  assert.deepEqual([1 / 3600, 0.0005, 0.25, 1, 999.6, 27_014, 432e6, 2e15].map(grouped), [
    '0.000278',
    '0.0005',
    '0.25',
    '1',
    '1,000',
    '27,000',
    '432 million',
    '2.0e+15',
  ])
  assert.equal(grouped(0), '0')
  assert.equal(quantity(1.944e12, 'B'), '1.94 TB')
})
