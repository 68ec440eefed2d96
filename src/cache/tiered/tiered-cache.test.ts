import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { redisServer } from '../../../test/fixtures/servers.ts'
import { until } from '../../../test/fixtures/until.ts'
import { cacheContract } from '../cache.contract.ts'
import { redisCli } from '../../../test/fixtures/redis-cli.ts'
import { key, openTiered, readThrough, textOf } from '../../../test/fixtures/tiered-cache.ts'

const { address: url, skip } = redisServer()

cacheContract({
  name: 'tiered',
  skip,
  open: async () => {
    const { cache } = await openTiered(url, `${randomUUID()}:`)
    return { cache, pass: delay }
  },
})

test(
  'what one process keeps, the others find at Redis and then in their memory',
  { skip },
  async t => {
    const prefix = `${randomUUID()}:`
    const [one, two] = [await openTiered(url, prefix), await openTiered(url, prefix)]
    t.after(() => Promise.all([one.cache.close(), two.cache.close()]))
    await readThrough(one.cache, 'd', () => 'value')
    const tiers: unknown[] = []
    for (const { cache } of [one, two, two]) {
      const found = await cache.get(key('d'))
      tiers.push(found.value === undefined ? undefined : found.tier)
    }
    assert.deepEqual(tiers, ['memory', 'shared', 'memory'])
    const found = await two.cache.get(key('d'))
    assert.ok(found.value !== undefined && found.leftMs <= 60_000)
  },
)

test('what is found at Redis is kept no longer than the time it has left', { skip }, async t => {
  const prefix = `${randomUUID()}:`
  const [one, two] = [await openTiered(url, prefix), await openTiered(url, prefix)]
  t.after(() => Promise.all([one.cache.close(), two.cache.close()]))
  const miss = await one.cache.get(key('d'))
  assert.ok(miss.value === undefined)
  await miss.keep?.(Buffer.from('value'), 400)
  const keptMs = performance.now()
  await delay(200)
  await two.cache.get(key('d'))
  const passedMs = performance.now() - keptMs
  const near = await two.near.get(key('d'))
  if (near.value !== undefined) {
    assert.ok(near.leftMs <= 400 - passedMs + 5, `${near.leftMs} ms after ${passedMs} ms`)
  }
  // Redis tells whole milliseconds, of a clock of its own.
  await delay(Math.max(0, 410 - (performance.now() - keptMs)))
  assert.equal(await textOf(two.cache, 'd'), undefined)
})

test('an invalidation reaches the memory of other processes', { skip }, async t => {
  const prefix = `${randomUUID()}:`
  const [one, two] = [await openTiered(url, prefix), await openTiered(url, prefix)]
  t.after(() => Promise.all([one.cache.close(), two.cache.close()]))
  for (const scope of ['a', 'b']) {
    await readThrough(one.cache, scope, () => 'old')
    await readThrough(two.cache, scope, () => 'never asked')
  }
  assert.equal(two.near.stats().entries, 2)
  await one.cache.invalidate(['a'])
  await until('the other process has heard', () => two.near.stats().entries === 1)
  assert.equal(await textOf(two.cache, 'a'), undefined)
  assert.equal(await textOf(two.cache, 'b'), 'old')
  await one.cache.clear()
  await until('the other process has heard', () => two.near.stats().entries === 0)
})

test('a stranger on the channel breaks nothing', { skip }, async t => {
  const prefix = `${randomUUID()}:`
  const { cache, near } = await openTiered(url, prefix)
  t.after(() => cache.close())
  await readThrough(cache, 'a', () => 'old')
  redisCli(url, 'publish', `${prefix}invalidated`, 'no JSON')
  await until('it begins anew', () => near.stats().entries === 0)
  assert.equal(await textOf(cache, 'a'), 'old')
})

/**
 * A store, and two processes that read it through their caches and write to it, with every wait of a
 * read or write as long as it likes.
 */
test('two processes: what a write was acknowledged of is never read older', { skip }, async () => {
  const scope = fc.constantFrom('a', 'b', 'c')
  const at = fc.nat(1)
  const waits = fc.tuple(fc.nat(4), fc.nat(4))
  const operation = fc.record({ isWrite: fc.boolean(), process: at, scope, waits })
  const property = fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async operations => {
    const prefix = `${randomUUID()}:`
    const both = [await openTiered(url, prefix), await openTiered(url, prefix)]
    const stored = new Map<string, number>()
    /** By process and scope: the newest version that a write was acknowledged of there. */
    const acknowledged = new Map<string, number>()
    let version = 0
    const pause = async (turns: number): Promise<void> => {
      for (let i = 0; i < turns; i++) await turn()
    }
    const run = async ({
      isWrite,
      process,
      scope,
      waits,
    }: typeof operation extends fc.Arbitrary<infer T> ? T : never) => {
      const { cache } = both[process]
      const here = `${process} ${scope}`
      await pause(3 * waits[0])
      if (isWrite) {
        const mine = ++version
        stored.set(scope, mine)
        await cache.invalidate([scope])
        acknowledged.set(here, Math.max(mine, acknowledged.get(here) ?? 0))
        return
      }
      const least = acknowledged.get(here) ?? 0
      const text = await readThrough(cache, scope, async () => {
        const read = String(stored.get(scope) ?? 0)
        await pause(2 * waits[1])
        return read
      })
      assert.ok(Number(text) >= least, `${here}: read ${text} after a write of ${least}`)
    }
    try {
      await Promise.all(operations.map(run))
      // Each has heard of all that the other said before this.
      for (const [i, { cache }] of both.entries()) {
        const other = both[1 - i]
        await readThrough(other.cache, 'mark', () => 'mark')
        await cache.invalidate(['mark'])
        await until('heard', async () => (await other.near.get(key('mark'))).value === undefined)
      }
      for (const { cache } of both) {
        for (const name of ['a', 'b', 'c']) {
          const text = await readThrough(cache, name, () => String(stored.get(name) ?? 0))
          assert.equal(text, String(stored.get(name) ?? 0), `${name} when all is quiet`)
        }
      }
    } finally {
      await Promise.all(both.map(({ cache }) => cache.close()))
    }
  })
  await fc.assert(property, { numRuns: 25 })
})
