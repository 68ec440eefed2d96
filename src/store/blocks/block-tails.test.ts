import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockTails } from './block-tails.ts'

test('what was set is known, of that series alone', () => {
  const tails = new BlockTails()
  tails.set(5000, 17, 3)
  tails.set(0, 2 ** 52, 2048)
  assert.deepEqual([tails.lastTime(5000), tails.points(5000)], [17, 3])
  assert.deepEqual([tails.lastTime(0), tails.points(0)], [2 ** 52, 2048])
  for (const series of [1, 4999, 5001, 1e6]) {
    assert.deepEqual([tails.lastTime(series), tails.points(series)], [undefined, 0])
  }
})
