import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redisCli } from '../../../test/fixtures/redis-cli.ts'
import { ownRedis, redisServer } from '../../../test/fixtures/servers.ts'
import { until } from '../../../test/fixtures/until.ts'
import { openTiered, readThrough, textOf } from '../../../test/fixtures/tiered-cache.ts'

// Where there is one for all, each of these can have its own.
const { skip } = redisServer()
const SCOPES = Array.from({ length: 20 }, (_, i) => `device ${i}`)

/** A store of versions; `read` and `write` as the endpoints do them. */
function versions() {
  const stored = new Map<string, number>()
  return {
    write(scope: string) {
      stored.set(scope, (stored.get(scope) ?? 0) + 1)
    },
    now: (scope: string) => String(stored.get(scope) ?? 0),
  }
}

test(
  'a Redis that stands still costs a few time-outs, and every answer is right',
  { skip },
  async t => {
    const redis = await ownRedis(t)
    const timeoutMs = 50
    const { cache, far } = await openTiered(redis.address, 'w:', timeoutMs)
    t.after(() => cache.close())
    const store = versions()
    const readAll = async (): Promise<void> => {
      const texts = await Promise.all(
        SCOPES.map(scope => readThrough(cache, scope, () => store.now(scope))),
      )
      assert.deepEqual(texts, SCOPES.map(store.now))
    }
    await readAll()
    const before = far.health()
    redis.pause()
    let longestMs = 0
    for (let round = 0; round < 300; round++) {
      const begunMs = performance.now()
      if (round % 3 === 0) {
        const scope = SCOPES[round % SCOPES.length]
        store.write(scope)
        await cache.invalidate([scope])
      }
      await readAll()
      longestMs = Math.max(longestMs, performance.now() - begunMs)
    }
    const { timeouts, skipped } = far.health()
    // Three in a row, and then only probes.
    assert.ok(timeouts - before.timeouts <= 20, `${timeouts} time-outs`)
    assert.ok(skipped > before.skipped)
    assert.equal(cache.isFollowing, false)
    assert.match(far.health().problem ?? '', /does not answer within 50 ms/)
    t.diagnostic(`a write and a read of all took ${longestMs.toFixed()} ms at most`)
    redis.resume()
    await until('it is used again', () => cache.isFollowing)
    await until('it is kept again', async () => {
      // Not while an invalidation of it has to be repeated.
      await readAll()
      return (await textOf(cache, SCOPES[0])) !== undefined
    })
  },
)

test(
  'what could not be invalidated in time is, before Redis is believed again',
  { skip },
  async t => {
    const redis = await ownRedis(t)
    const [one, two] = [
      await openTiered(redis.address, 'w:', 50),
      await openTiered(redis.address, 'w:', 50),
    ]
    t.after(() => Promise.all([one.cache.close(), two.cache.close()]))
    await readThrough(one.cache, 'a', () => 'old')
    await readThrough(two.cache, 'a', () => 'old')
    redis.pause()
    await one.cache.invalidate(['a'])
    assert.equal(await readThrough(one.cache, 'a', () => 'new'), 'new')
    redis.resume()
    await until('both are back', () => one.cache.isFollowing && two.cache.isFollowing)
    for (const { cache } of [one, two]) {
      await until('it is new', async () => (await readThrough(cache, 'a', () => 'new')) === 'new')
      for (let i = 0; i < 10; i++) {
        assert.equal(await readThrough(cache, 'a', () => 'new'), 'new')
      }
    }
  },
)

test('a Redis that is killed in the middle of reads and comes back empty', { skip }, async t => {
  const redis = await ownRedis(t)
  const { cache, near } = await openTiered(redis.address, 'w:', 100)
  t.after(() => cache.close())
  const store = versions()
  let reads = 0
  let isOver = false
  const reader = async (scope: string): Promise<void> => {
    while (!isOver) {
      const least = Number(store.now(scope))
      const text = await readThrough(cache, scope, () => store.now(scope))
      assert.ok(Number(text) >= least, `${text} after ${least}`)
      reads++
      if (reads % 7 === 0) {
        store.write(scope)
        await cache.invalidate([scope])
      }
      await new Promise(setImmediate)
    }
  }
  const readers = Promise.all(SCOPES.map(reader))
  for (let i = 0; i < 3; i++) {
    await redis.kill()
    const killedAt = reads
    await until('reads go on', () => reads > killedAt + 200)
    assert.equal(near.stats().entries, 0)
    await redis.start()
    await until('it is used again', () => cache.isFollowing)
    const startedAt = reads
    await until('reads go on', () => reads > startedAt + 200)
  }
  isOver = true
  await readers
})

test('a Redis that comes back with what it had saved before an invalidation', { skip }, async t => {
  const redis = await ownRedis(t)
  const { cache } = await openTiered(redis.address, 'w:', 1000)
  t.after(() => cache.close())
  await readThrough(cache, 'a', () => 'old')
  redisCli(redis.address, 'save')
  await cache.invalidate(['a'])
  await redis.kill()
  await until('it has noticed', () => !cache.isFollowing)
  await redis.start()
  assert.match(redisCli(redis.address, 'keys', 'w:v:*'), /w:v:1:a/)
  await until('it is used again', () => cache.isFollowing)
  assert.equal(await readThrough(cache, 'a', () => 'new'), 'new')
})
