import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TokenBucket } from './token-bucket.ts'

test('a bucket is full at first and refills at its rate up to its burst', () => {
  const bucket = new TokenBucket(10, { burstMs: 2000, nowMs: 0 })
  assert.equal(bucket.left(0), 20)
  bucket.take(20, 0)
  assert.equal(bucket.waitMs(1, 0), 100)
  assert.equal(bucket.left(500), 5)
  assert.equal(bucket.left(60_000), 20)
})

test('what is taken beyond what is there has to be paid first', () => {
  const bucket = new TokenBucket(10, { burstMs: 1000, nowMs: 0 })
  bucket.take(110, 0)
  assert.equal(bucket.left(0), -100)
  assert.equal(bucket.waitMs(1, 0), 10_100)
  assert.equal(bucket.waitMs(1, 10_100), 0)
})

test('a clock that is set back neither fills nor empties it', () => {
  const bucket = new TokenBucket(10, { burstMs: 1000, nowMs: 5000 })
  bucket.take(5, 5000)
  assert.equal(bucket.left(1000), 5)
  assert.equal(bucket.left(1100), 6)
})

test('over any time no more is taken than the burst, the rate, and one request beyond', () => {
  const step = fc.record({
    ms: fc.integer({ min: 0, max: 500 }),
    tokens: fc.integer({ min: 1, max: 50 }),
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(step), (rate, steps) => {
      const bucket = new TokenBucket(rate, { burstMs: 1000, nowMs: 0 })
      let nowMs = 0
      let taken = 0
      for (const { ms, tokens } of steps) {
        nowMs += ms
        if (bucket.waitMs(1, nowMs) > 0) continue
        bucket.take(tokens, nowMs)
        taken += tokens
        assert.ok(taken <= bucket.burst + (rate * nowMs) / 1000 + tokens + 1e-6)
      }
    }),
  )
})
