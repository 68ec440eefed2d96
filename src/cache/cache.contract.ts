import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Cache, CacheKey } from '../ports/cache.ts'

export interface CacheFixture {
  readonly cache: Cache
  /** Makes at least `ms` pass for the cache. */
  pass(ms: number): void | Promise<void>
}

export interface CacheSubject {
  readonly name: string
  /** Why it cannot be tested here. */
  readonly skip?: string | false
  /** An empty cache with room for at least 1 MB; the suite closes it. */
  readonly open: (context: TestContext) => Promise<CacheFixture>
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const key = (scope: string, name = ''): CacheKey => ({ scopes: [scope], name })

async function textOf(cache: Cache, wanted: CacheKey): Promise<string | undefined> {
  const { value } = await cache.get(wanted)
  return value === undefined ? undefined : new TextDecoder().decode(value)
}

/** Looks up, misses, and keeps. */
async function keep(cache: Cache, at: CacheKey, text: string): Promise<void> {
  await keepFor(60_000, cache, { at, text })
}

async function keepFor(
  ttlMs: number,
  cache: Cache,
  { at, text }: { readonly at: CacheKey; readonly text: string },
): Promise<void> {
  const found = await cache.get(at)
  if (found.value !== undefined) assert.fail(`${JSON.stringify(at)} is kept already`)
  await found.keep?.(bytes(text), ttlMs)
}

/** What every cache has to keep. */
export function cacheContract({ name, skip = false, open }: CacheSubject): void {
  const check = (title: string, body: (fixture: CacheFixture) => Promise<void>): void => {
    test(title, { skip }, async context => {
      const fixture = await open(context)
      try {
        await body(fixture)
      } finally {
        await fixture.cache.close()
      }
    })
  }
  describe(`the ${name} cache`, () => {
    check('returns the bytes that were kept, and nothing for other keys', async ({ cache }) => {
      const all = Uint8Array.from({ length: 256 }, (_, i) => i)
      const [miss, empty] = [await cache.get(key('a')), await cache.get(key('empty'))]
      assert.ok(miss.value === undefined && empty.value === undefined)
      await miss.keep?.(all, 60_000)
      await empty.keep?.(new Uint8Array(0), 60_000)
      assert.deepEqual(Uint8Array.from((await cache.get(key('a'))).value ?? []), all)
      assert.equal((await cache.get(key('empty'))).value?.byteLength, 0)
      assert.equal(await textOf(cache, key('b')), undefined)
      assert.equal(await textOf(cache, key('a', 'b')), undefined)
    })
    check('tells scopes and names apart, whatever they hold', async ({ cache }) => {
      const long = 'x'.repeat(5000)
      const keys: CacheKey[] = [
        ...[key('a', 'b'), key('ab'), key('', 'ab'), key('1:a', 'b'), key('a:b'), key('a', ':b')],
        ...[key('a\n', 'b'), key('a', '\nb'), key('a', '*'), key('ä', 'ü'), key(long, 'b')],
        ...[key('a', long), key('a', `${long}y`), { scopes: ['a', 'b'], name: '' }],
        ...[
          { scopes: ['b', 'a'], name: '' },
          { scopes: ['a', 'b'], name: 'b' },
        ],
      ]
      for (const [i, at] of keys.entries()) await keep(cache, at, String(i))
      for (const [i, at] of keys.entries()) assert.equal(await textOf(cache, at), String(i))
    })
    check('keeps what it was given when the caller reuses its memory', async ({ cache }) => {
      const memory = bytes('one two')
      const found = await cache.get(key('a'))
      assert.ok(found.value === undefined)
      await found.keep?.(memory.subarray(4), 60_000)
      memory.fill(0)
      assert.equal(await textOf(cache, key('a')), 'two')
    })
    check('returns nothing past the time to live', async ({ cache, pass }) => {
      await keepFor(200, cache, { at: key('short'), text: 's' })
      await keepFor(600_000, cache, { at: key('long'), text: 'l' })
      await pass(201)
      assert.equal(await textOf(cache, key('short')), undefined)
      assert.equal(await textOf(cache, key('long')), 'l')
    })
    check('says how long a value has left', async ({ cache, pass }) => {
      await keep(cache, key('a'), 'one')
      await pass(100)
      const found = await cache.get(key('a'))
      assert.ok(found.value !== undefined)
      assert.ok(found.leftMs > 0 && found.leftMs <= 59_900, String(found.leftMs))
    })
    check('does not keep a value without a time to live', async ({ cache }) => {
      for (const ttlMs of [0, -1, NaN]) {
        await keepFor(ttlMs, cache, { at: key('a'), text: 'one' })
        assert.equal(await textOf(cache, key('a')), undefined)
      }
    })
    check('forgets exactly what is made of an invalidated scope', async ({ cache }) => {
      const keys: CacheKey[] = [
        ...[key('a'), key('a', 'x'), key('a', '*'), key('b'), key('ab'), key('*'), key('b', 'a')],
        ...[{ scopes: ['b', 'a'], name: '' }, { scopes: ['b', 'c'], name: '' }, key('A')],
      ]
      for (const at of keys) await keep(cache, at, 'kept')
      await cache.invalidate(['a', 'never seen'])
      for (const at of keys) {
        const expected = at.scopes.includes('a') ? undefined : 'kept'
        assert.equal(await textOf(cache, at), expected, JSON.stringify(at))
      }
      await keep(cache, key('a'), 'again')
      assert.equal(await textOf(cache, key('a')), 'again')
    })
    check('does not keep what was looked up before an invalidation', async ({ cache }) => {
      const two = { scopes: ['a', 'b'], name: '' }
      const [one, both, other] = [key('a'), two, key('c')]
      const looked = await Promise.all([one, both, other].map(at => cache.get(at)))
      await cache.invalidate(['a'])
      for (const miss of looked) {
        assert.ok(miss.value === undefined)
        await miss.keep?.(bytes('old'), 60_000)
      }
      assert.equal(await textOf(cache, one), undefined)
      assert.equal(await textOf(cache, both), undefined)
      assert.equal(await textOf(cache, other), 'old')
    })
    check('does not put back what was forgotten since', async ({ cache }) => {
      const late = await cache.get(key('a'))
      assert.ok(late.value === undefined)
      await cache.invalidate(['a'])
      await keep(cache, key('a'), 'new')
      await late.keep?.(bytes('old'), 60_000)
      assert.notEqual(await textOf(cache, key('a')), 'old')
    })
    check('tells by the version whether two misses may share a read', async ({ cache }) => {
      const two = { scopes: ['a', 'b'], name: '' }
      const versionOf = async (at: CacheKey): Promise<string> => {
        const found = await cache.get(at)
        return found.value === undefined ? found.version : assert.fail('it is kept')
      }
      const before = await versionOf(two)
      await cache.invalidate(['c'])
      assert.equal(await versionOf(two), before)
      for (const scope of ['a', 'b']) {
        const last = await versionOf(two)
        await cache.invalidate([scope])
        assert.notEqual(await versionOf(two), last)
      }
    })
    check('invalidates thousands of scopes at once', async ({ cache }) => {
      const scopes = Array.from({ length: 3000 }, (_, i) => `device ${i}`)
      const some = [0, 499, 500, 1234, 2999].map(i => key(scopes[i]))
      for (const at of some) await keep(cache, at, 'old')
      await cache.invalidate(scopes)
      for (const at of some) assert.equal(await textOf(cache, at), undefined)
    })
    check('forgets everything, and what was looked up before, when cleared', async ({ cache }) => {
      await keep(cache, key('a'), 'a')
      const late = await cache.get(key('b'))
      assert.ok(late.value === undefined)
      await cache.clear()
      await late.keep?.(bytes('old'), 60_000)
      assert.equal(await textOf(cache, key('a')), undefined)
      assert.equal(await textOf(cache, key('b')), undefined)
      assert.deepEqual({ ...cache.stats(), evictions: 0 }, { entries: 0, bytes: 0, evictions: 0 })
      await keep(cache, key('a'), 'again')
      assert.equal(await textOf(cache, key('a')), 'again')
    })
    check('answers many look-ups at once, each with its own', async ({ cache }) => {
      const keys = Array.from({ length: 700 }, (_, i) => key(`s${i % 50}`, `n${i}`))
      await Promise.all(keys.map((at, i) => keep(cache, at, `value ${i}`)))
      const found = await Promise.all(keys.map(at => textOf(cache, at)))
      for (const [i, text] of found.entries()) assert.equal(text, `value ${i}`)
    })
  })
}
