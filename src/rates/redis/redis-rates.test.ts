import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { fakeClock, type FakeClock } from '../../../test/fixtures/fake-clock.ts'
import { redisCli } from '../../../test/fixtures/redis-cli.ts'
import { ownRedis, redisServer } from '../../../test/fixtures/servers.ts'
import { until } from '../../../test/fixtures/until.ts'
import type { Bucket } from '../../ports/rates.ts'
import { RedisRates } from './redis-rates.ts'

const { address, skip } = redisServer()

interface Process {
  readonly bucket: Bucket
  readonly rates: RedisRates
}

/** Processes with the same bucket, which hardly refills: 0.1 a second, 100 at once. */
async function processes(
  t: TestContext,
  { url = address, clock }: { url?: string; clock: FakeClock },
): Promise<[Process, Process]> {
  const keyPrefix = `${randomUUID()}:`
  const open = async (): Promise<Process> => {
    const rates = await RedisRates.open({ url, keyPrefix, clock, commandTimeoutMs: 250 })
    t.after(() => rates.close())
    const rate = { perSecond: 0.1, burstMs: 1_000_000, nowMs: clock.nowMs() }
    return { rates, bucket: rates.bucket('key:requests', rate) }
  }
  return [await open(), await open()]
}

test('what one process takes is gone for the others', { skip }, async t => {
  const clock = fakeClock()
  const [one, two] = await processes(t, { clock })
  one.bucket.take(60, clock.nowMs())
  const left = (): number => two.bucket.left(clock.nowMs())
  await until('the other knows', () => {
    // It learns with what it takes itself.
    two.bucket.take(0, clock.nowMs())
    return left() < 45
  })
  assert.ok(left() >= 40 && left() < 41, String(left()))
})

test(
  'all together take no more than the burst, but for what they could not know',
  { skip },
  async t => {
    const clock = fakeClock()
    const both = await processes(t, { clock })
    let taken = 0
    await until('both refuse', async () => {
      let isRefused = true
      for (const { bucket } of both) {
        if (bucket.waitMs(1, clock.nowMs()) > 0) continue
        bucket.take(1, clock.nowMs())
        taken++
        isRefused = false
      }
      await new Promise(setImmediate)
      return isRefused
    })
    // Both told at every sixteenth of the burst; some went on until the answer was there.
    assert.ok(taken >= 100, `${taken} taken`)
    t.diagnostic(`${taken} of 100 taken by two`)
    assert.ok(taken < 200, `${taken} taken`)
  },
)

test('what was taken too much is owed', { skip }, async t => {
  const clock = fakeClock()
  const [one, two] = await processes(t, { clock })
  one.bucket.take(90, clock.nowMs())
  two.bucket.take(90, clock.nowMs())
  for (const { bucket } of [one, two]) {
    await until('it knows', () => {
      bucket.take(0, clock.nowMs())
      return bucket.left(clock.nowMs()) < -70
    })
    assert.ok(bucket.waitMs(1, clock.nowMs()) >= 700_000)
  }
})

test(
  'while Redis does not answer each counts for itself, and nothing is owed for it',
  { skip },
  async t => {
    const redis = await ownRedis(t)
    const clock = fakeClock()
    const [one] = await processes(t, { url: redis.address, clock })
    await redis.kill()
    await until('it has noticed', () => !one.rates.health().isUp)
    for (let round = 0; round < 5; round++) {
      one.bucket.take(100, clock.nowMs())
      assert.ok(one.bucket.waitMs(1, clock.nowMs()) > 0)
      await until('it was not told', () => one.rates.health().skipped > round)
      clock.advance(1_000_000)
      assert.equal(one.bucket.waitMs(100, clock.nowMs()), 0)
    }
    await redis.start()
    await until('it is back', () => one.rates.health().isUp)
    one.bucket.take(10, clock.nowMs())
    const kept = await until('it is told', () => {
      const text = redisCli(redis.address, 'eval', KEPT, '0')
      return text === '' ? undefined : text
    })
    assert.ok(Number(kept) >= 90 && Number(kept) < 91, kept)
  },
)

/** What is left in the only bucket. */
const KEPT = `
local keys = redis.call('KEYS', '*:r:*')
return keys[1] and redis.call('HGET', keys[1], 'left') or ''
`

test('a bucket that is full again is forgotten', { skip }, async t => {
  const clock = fakeClock()
  const keyPrefix = `${randomUUID()}:`
  const rates = await RedisRates.open({ url: address, keyPrefix, clock, commandTimeoutMs: 250 })
  t.after(() => rates.close())
  const rate = { perSecond: 1000, burstMs: 1000, nowMs: clock.nowMs() }
  rates.bucket('a', rate).take(100, clock.nowMs())
  await until('it is told', () => redisCli(address, 'exists', `${keyPrefix}r:a`) === '1')
  await until('it is gone', () => redisCli(address, 'exists', `${keyPrefix}r:a`) === '0')
})
