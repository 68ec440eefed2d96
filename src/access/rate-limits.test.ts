import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { memoryRates } from '../../test/fixtures/test-rates.ts'
import { openAccess, type Access, type KeyLimits } from '../model/access.ts'
import { RateLimits } from './rate-limits.ts'

const key = (limits: KeyLimits = {}): Access => ({ ...openAccess('t'), keyId: 'k', limits })

function setUp() {
  const clock = fakeClock(1_000_000)
  const limits = new RateLimits({
    ...{
      rates: memoryRates,
      clock,
      keyRequestsPerSecond: 2,
      keyPointsPerSecond: 100,
      burstMs: 5000,
    },
  })
  return { clock, limits }
}

test('a key has its burst, then its rate, and each key its own', () => {
  const { clock, limits } = setUp()
  const [a, b] = [key(), key()]
  for (let i = 0; i < 10; i++) assert.equal(limits.take(a, false), undefined)
  assert.deepEqual(limits.take(a, false), {
    ...{ limit: 'limits.keyRequestsPerSecond', quota: 10, windowSeconds: 5 },
    ...{ left: 0, retryAfterMs: 500 },
  })
  assert.equal(limits.take(b, false), undefined)
  clock.advance(500)
  assert.equal(limits.take(a, false), undefined)
  assert.notEqual(limits.take(a, false), undefined)
})

test('after many points no more of them, but reads', () => {
  const { clock, limits } = setUp()
  const a = key()
  limits.takePoints(a, 700)
  const state = limits.take(a, true)
  assert.equal(state?.limit, 'limits.keyPointsPerSecond')
  assert.equal(state?.retryAfterMs, 2010)
  assert.equal(limits.pauseMs(a), 2010)
  assert.equal(limits.take(a, false), undefined)
  clock.advance(2010)
  assert.equal(limits.take(a, true), undefined)
})

test('a key may have limits of its own, or none', () => {
  const { limits } = setUp()
  const free = key({ requestsPerSecond: 0, pointsPerSecond: 0 })
  const strict = key({ requestsPerSecond: 1 })
  for (let i = 0; i < 5; i++) limits.take(strict, false)
  assert.equal(limits.take(strict, false)?.quota, 5)
  for (let i = 0; i < 100; i++) assert.equal(limits.take(free, true), undefined)
  limits.takePoints(free, 1e9)
  assert.equal(limits.pauseMs(free), 0)
  assert.deepEqual(limits.states(free), [])
  assert.deepEqual(
    limits.states(strict).map(({ limit, left }) => [limit, left]),
    [
      ['limits.keyRequestsPerSecond', 0],
      ['limits.keyPointsPerSecond', 500],
    ],
  )
})

test('who needs no key has no limit', () => {
  const { limits } = setUp()
  for (let i = 0; i < 100; i++) assert.equal(limits.take(openAccess('t'), true), undefined)
})
