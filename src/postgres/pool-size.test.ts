import assert from 'node:assert/strict'
import { test } from 'node:test'
import { poolSizeOf } from './pool-size.ts'

test('a pool is as large as it is told, or as the machine is', () => {
  assert.equal(poolSizeOf(15, 2), 15)
  const sizes = [1, 2, 4, 8, 64].map(cores => poolSizeOf(0, cores))
  assert.deepEqual(sizes, [4, 5, 9, 17, 32])
  assert.ok(poolSizeOf(0) >= 4)
})
