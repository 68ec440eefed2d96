import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fakeClock } from '../../../test/fixtures/fake-clock.ts'
import { cacheContract } from '../cache.contract.ts'
import { MemoryCache } from './memory-cache.ts'

cacheContract({
  name: 'memory',
  open: () => {
    const clock = fakeClock()
    const cache = new MemoryCache({ maxBytes: 1 << 20, clock })
    return Promise.resolve({ cache, pass: (ms: number) => clock.advance(ms) })
  },
})

const KB = 1024
const key = (scope: string) => ({ scopes: [scope], name: '' })

async function keep(cache: MemoryCache, scope: string, size: number): Promise<void> {
  const found = await cache.get(key(scope))
  if (found.value === undefined) await found.keep?.(new Uint8Array(size), 1000)
}

const holds = async (cache: MemoryCache, scope: string): Promise<boolean> =>
  (await cache.get(key(scope))).value !== undefined

test('the least recently used entries leave first when the bytes are used up', async () => {
  const cache = new MemoryCache({ maxBytes: 10 * KB, clock: fakeClock() })
  for (const scope of ['a', 'b', 'c']) await keep(cache, scope, 3 * KB - 500)
  await cache.get(key('a'))
  await keep(cache, 'd', 3 * KB - 500)
  assert.equal(await holds(cache, 'b'), false)
  for (const scope of ['a', 'c', 'd']) assert.ok(await holds(cache, scope), scope)
  assert.equal(cache.stats().evictions, 1)
})

test('a value larger than the whole cache is not kept and pushes nothing out', async () => {
  const cache = new MemoryCache({ maxBytes: 10 * KB, clock: fakeClock() })
  await keep(cache, 'a', KB)
  await keep(cache, 'huge', 10 * KB)
  assert.equal(await holds(cache, 'huge'), false)
  assert.ok(await holds(cache, 'a'))
})

test('many tiny entries with long keys stay within the byte bound', async () => {
  const cache = new MemoryCache({ maxBytes: 64 * KB, clock: fakeClock() })
  for (let i = 0; i < 5000; i++) await keep(cache, 'k'.repeat(100) + i, 1)
  const { bytes, entries, evictions } = cache.stats()
  assert.ok(bytes <= 64 * KB && bytes > 60 * KB)
  assert.ok(entries < 150)
  assert.equal(entries + evictions, 5000)
})

test('a read of long ago is not kept once its scope may have been forgotten', async () => {
  const cache = new MemoryCache({ maxBytes: 10 * KB, clock: fakeClock() })
  const [early, other] = [await cache.get(key('a')), await cache.get(key('b'))]
  await cache.invalidate(['a'])
  for (let i = 0; i < 50_000; i++) await cache.invalidate([`s${i}`])
  for (const miss of [early, other]) {
    if (miss.value === undefined) await miss.keep?.(new Uint8Array(1), 1000)
  }
  assert.equal(await holds(cache, 'a'), false)
  await keep(cache, 'a', 1)
  assert.ok(await holds(cache, 'a'))
})

test('any order of operations keeps the bound and agrees with a plain model', async () => {
  const scope = fc.constantFrom('a', 'ab', 'abc', 'b', 'ba')
  const operation = fc.oneof(
    fc.record({ do: fc.constant('look' as const), scope }),
    fc.record({ do: fc.constant('keep' as const), size: fc.nat(3000), ttl: fc.nat(100) }),
    fc.record({ do: fc.constant('get' as const), scope }),
    fc.record({ do: fc.constant('invalidate' as const), scope }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.nat(60) }),
  )
  const property = fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async operations => {
    const clock = fakeClock()
    const maxBytes = 8 * KB
    const cache = new MemoryCache({ maxBytes, clock })
    const model = new Map<string, { size: number; until: number }>()
    const looks: { scope: string; keep: (size: number, ttl: number) => Promise<void> }[] = []
    for (const op of operations) {
      if (op.do === 'look') {
        const found = await cache.get(key(op.scope))
        if (found.value !== undefined) continue
        const put = async (size: number, ttl: number): Promise<void> =>
          found.keep?.(new Uint8Array(size), ttl)
        looks.push({ scope: op.scope, keep: put })
      } else if (op.do === 'keep') {
        const look = looks.pop()
        if (look === undefined) continue
        await look.keep(op.size, op.ttl)
        model.set(look.scope, { size: op.size, until: clock.nowMs() + op.ttl })
      } else if (op.do === 'invalidate') {
        await cache.invalidate([op.scope])
        model.delete(op.scope)
        for (let i = looks.length; i-- > 0;) if (looks[i].scope === op.scope) looks.splice(i, 1)
      } else if (op.do === 'advance') {
        clock.advance(op.ms)
      } else {
        const expected = model.get(op.scope)
        const { value } = await cache.get(key(op.scope))
        // It may have forgotten, but what it returns is the newest value and still valid.
        if (value !== undefined) {
          assert.equal(value.byteLength, expected?.size)
          assert.ok(expected !== undefined && expected.until > clock.nowMs())
        }
      }
      assert.ok(cache.stats().bytes <= maxBytes)
    }
    await cache.invalidate(['a', 'ab', 'abc', 'b', 'ba'])
    assert.deepEqual({ ...cache.stats(), evictions: 0 }, { entries: 0, bytes: 0, evictions: 0 })
  })
  await fc.assert(property)
})
