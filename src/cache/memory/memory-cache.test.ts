import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fakeClock } from '../../../test/fixtures/fake-clock.ts'
import { cacheContract } from '../cache.contract.ts'
import { memoryCache } from './memory-cache.ts'

cacheContract('memory', () => {
  const clock = fakeClock()
  const cache = memoryCache({ maxBytes: 1 << 20, clock })
  return Promise.resolve({ cache, pass: (ms: number) => clock.advance(ms) })
})

const KB = 1024

test('the least recently used entries leave first when the bytes are used up', async () => {
  const cache = memoryCache({ maxBytes: 10 * KB, clock: fakeClock() })
  for (const key of ['a', 'b', 'c']) await cache.set(key, new Uint8Array(3 * KB - 400), 1000)
  await cache.get('a')
  await cache.set('d', new Uint8Array(3 * KB - 400), 1000)
  assert.equal(await cache.get('b'), undefined)
  for (const key of ['a', 'c', 'd']) assert.notEqual(await cache.get(key), undefined, key)
  assert.equal(cache.stats().evictions, 1)
})

test('a value larger than the whole cache is not kept and pushes nothing out', async () => {
  const cache = memoryCache({ maxBytes: 10 * KB, clock: fakeClock() })
  await cache.set('a', new Uint8Array(KB), 1000)
  await cache.set('huge', new Uint8Array(10 * KB), 1000)
  assert.equal(await cache.get('huge'), undefined)
  assert.notEqual(await cache.get('a'), undefined)
})

test('many tiny entries with long keys stay within the byte bound', async () => {
  const cache = memoryCache({ maxBytes: 64 * KB, clock: fakeClock() })
  for (let i = 0; i < 5000; i++) await cache.set('k'.repeat(100) + i, new Uint8Array(1), 1000)
  const { bytes, entries, evictions } = cache.stats()
  assert.ok(bytes <= 64 * KB && bytes > 60 * KB)
  assert.ok(entries < 150)
  assert.equal(entries + evictions, 5000)
})

test('any order of operations keeps the bound and agrees with a plain model', async () => {
  const key = fc.constantFrom('a', 'ab', 'abc', 'b', 'ba')
  const operation = fc.oneof(
    fc.record({ do: fc.constant('set' as const), key, size: fc.nat(3000), ttl: fc.nat(100) }),
    fc.record({ do: fc.constant('get' as const), key }),
    fc.record({ do: fc.constant('invalidate' as const), key }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.nat(60) }),
  )
  const property = fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async operations => {
    const clock = fakeClock()
    const maxBytes = 8 * KB
    const cache = memoryCache({ maxBytes, clock })
    const model = new Map<string, { size: number; until: number }>()
    for (const op of operations) {
      if (op.do === 'set') {
        await cache.set(op.key, new Uint8Array(op.size), op.ttl)
        model.set(op.key, { size: op.size, until: clock.nowMs() + op.ttl })
      } else if (op.do === 'invalidate') {
        await cache.invalidate(op.key)
        for (const known of model.keys()) if (known.startsWith(op.key)) model.delete(known)
      } else if (op.do === 'advance') {
        clock.advance(op.ms)
      } else {
        const expected = model.get(op.key)
        const found = await cache.get(op.key)
        // It may have forgotten, but what it returns is the newest value and still valid.
        if (found !== undefined) {
          assert.equal(found.byteLength, expected?.size)
          assert.ok(expected !== undefined && expected.until > clock.nowMs())
        }
      }
      assert.ok(cache.stats().bytes <= maxBytes)
    }
    await cache.invalidate('')
    assert.deepEqual({ ...cache.stats(), evictions: 0 }, { entries: 0, bytes: 0, evictions: 0 })
  })
  await fc.assert(property)
})
