import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Cache } from '../ports/cache.ts'

export interface CacheFixture {
  readonly cache: Cache
  /** Makes at least `ms` pass for the cache. */
  pass(ms: number): void | Promise<void>
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function textOf(cache: Cache, key: string): Promise<string | undefined> {
  const value = await cache.get(key)
  return value === undefined ? undefined : new TextDecoder().decode(value)
}

/**
 * What every cache has to keep. `open` gives an empty cache with room for at least 1 MB; the suite
 * closes it.
 */
export function cacheContract(name: string, open: () => Promise<CacheFixture>): void {
  const check = (title: string, body: (fixture: CacheFixture) => Promise<void>): void => {
    test(title, async () => {
      const fixture = await open()
      try {
        await body(fixture)
      } finally {
        await fixture.cache.close()
      }
    })
  }
  describe(`the ${name} cache`, () => {
    check('returns the bytes that were set, and nothing for other keys', async ({ cache }) => {
      const all = Uint8Array.from({ length: 256 }, (_, i) => i)
      await cache.set('a', all, 60_000)
      await cache.set('empty', new Uint8Array(0), 60_000)
      assert.deepEqual(Uint8Array.from((await cache.get('a')) ?? []), all)
      assert.equal((await cache.get('empty'))?.byteLength, 0)
      assert.equal(await cache.get('b'), undefined)
    })
    check('returns the newest value of a key', async ({ cache }) => {
      await cache.set('a', bytes('one'), 60_000)
      await cache.set('a', bytes('two'), 60_000)
      assert.equal(await textOf(cache, 'a'), 'two')
      assert.equal(cache.stats().entries, 1)
    })
    check('keeps what was set when the caller reuses its memory', async ({ cache }) => {
      const memory = bytes('one two')
      await cache.set('a', memory.subarray(4), 60_000)
      memory.fill(0)
      assert.equal(await textOf(cache, 'a'), 'two')
    })
    check('returns nothing past the time to live', async ({ cache, pass }) => {
      await cache.set('short', bytes('s'), 200)
      await cache.set('long', bytes('l'), 600_000)
      await pass(201)
      assert.equal(await cache.get('short'), undefined)
      assert.equal(await textOf(cache, 'long'), 'l')
    })
    check('setting a key again starts its time to live anew', async ({ cache, pass }) => {
      await cache.set('a', bytes('one'), 200)
      await cache.set('a', bytes('two'), 600_000)
      await pass(201)
      assert.equal(await textOf(cache, 'a'), 'two')
    })
    check('does not keep a value without a time to live', async ({ cache }) => {
      await cache.set('a', bytes('old'), 60_000)
      await cache.set('a', bytes('new'), 0)
      assert.equal(await cache.get('a'), undefined)
    })
    check('forgets exactly the keys with the prefix', async ({ cache }) => {
      // Prefixes hold characters that patterns of other engines would treat as special.
      const keys = ['t1:*:a', 't1:*:b', 't1:x:a', 't1', '*', 't1:[ab]?', 'T1:*:a', 'ä:1', 'ä:2']
      for (const key of keys) await cache.set(key, bytes(key), 60_000)
      await cache.invalidate('t1:*')
      await cache.invalidate('ä:')
      const left: string[] = []
      for (const key of keys) if ((await cache.get(key)) !== undefined) left.push(key)
      assert.deepEqual(left, ['t1:x:a', 't1', '*', 't1:[ab]?', 'T1:*:a'])
    })
    check('forgets everything with the empty prefix', async ({ cache }) => {
      await cache.set('a', bytes('a'), 60_000)
      await cache.invalidate('')
      assert.equal(await cache.get('a'), undefined)
      assert.equal(cache.stats().entries, 0)
    })
  })
}
