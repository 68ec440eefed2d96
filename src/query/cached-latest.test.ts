import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { testCache } from '../../test/fixtures/test-cache.ts'
import { deviceScope, tenantScope } from '../model/data-scope.ts'
import type { LatestPoint } from '../ports/latest.ts'
import type { RawRead, SeriesPoints } from '../ports/store.ts'
import { CachedLatest } from './cached-latest.ts'
import { StoreLatest } from './store-latest.ts'

/** A store of newest points only. */
function setUp() {
  const clock = fakeClock()
  const cache = testCache(clock)
  const stored = new Map<string, LatestPoint>()
  const reads: string[] = []
  const store = {
    async read({ select, limit, order }: RawRead): Promise<SeriesPoints[]> {
      assert.deepEqual([limit, order], [1, 'desc'])
      reads.push(select.devices.join())
      return [...stored].flatMap(([key, { metric, timeUs, value }]) => {
        const [tenant, device] = key.split('/')
        if (tenant !== select.tenant || !select.devices.includes(device)) return []
        const isText = typeof value === 'string'
        return {
          ...{ device, metric, timestamps: Float64Array.of(timeUs) },
          values: Float64Array.of(isText ? NaN : value),
          ...(isText ? { texts: [value] } : {}),
        }
      })
    },
  }
  const devicePages = () => [['a', 'b'], ['c']]
  const latest = new CachedLatest({
    ...{ latest: new StoreLatest({ store, devicePages }), cache, ttlMs: 1000 },
  })
  const write = async (device: string, point: LatestPoint): Promise<void> => {
    stored.set(`t/${device}/${point.metric}`, point)
    await cache.invalidate([tenantScope('t'), deviceScope('t', device)])
  }
  return { clock, latest, reads, write, stored }
}

test('a device is read once, and again after a write of it', async () => {
  const { latest, reads, write } = setUp()
  await write('a', { metric: 'm', timeUs: 5, value: 1 })
  await write('b', { metric: 'm', timeUs: 6, value: 2 })
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await latest.devices('t', ['a']), [[{ metric: 'm', timeUs: 5, value: 1 }]])
  }
  assert.deepEqual(reads, ['a'])
  await write('b', { metric: 'm', timeUs: 7, value: 3 })
  const [a, b, none] = await latest.devices('t', ['a', 'b', 'none'])
  assert.deepEqual([a[0].value, b[0].value, none], [1, 3, []])
  assert.deepEqual(reads, ['a', 'b,none'])
  await write('a', { metric: 'm', timeUs: 8, value: 4 })
  assert.equal((await latest.devices('t', ['a']))[0][0].value, 4)
  assert.deepEqual(await latest.devices('other', ['a']), [[]])
})

test('those who miss at once share one read', async () => {
  const { latest, reads, write } = setUp()
  await write('a', { metric: 'm', timeUs: 5, value: 1 })
  await Promise.all(Array.from({ length: 50 }, () => latest.devices('t', ['a'])))
  assert.deepEqual(reads, ['a'])
})

test('what another process wrote is seen after the time to live at the latest', async () => {
  const { clock, latest, stored } = setUp()
  assert.deepEqual(await latest.devices('t', ['a']), [[]])
  stored.set('t/a/m', { metric: 'm', timeUs: 5, value: 1 })
  clock.advance(1000)
  assert.equal((await latest.devices('t', ['a']))[0][0].value, 1)
})

test('the newest device and series are those of the whole tenant', async () => {
  const { latest, write } = setUp()
  assert.equal(await latest.newestDevice('t'), undefined)
  await write('a', { metric: 'm', timeUs: 5, value: 1 })
  await write('c', { metric: 'n', timeUs: 9, value: 1 })
  await write('b', { metric: 'm', timeUs: 7, value: 1 })
  assert.equal(await latest.newestDevice('t'), 'c')
  assert.deepEqual(await latest.newestSeries({ tenant: 't', limit: 2 }), [
    { device: 'c', metric: 'n', timeUs: 9 },
    { device: 'b', metric: 'm', timeUs: 7 },
  ])
  const [only] = await latest.newestSeries({ tenant: 't', metric: 'm', limit: 5, device: 'a' })
  assert.deepEqual(only, { device: 'a', metric: 'm', timeUs: 5 })
  assert.equal(await latest.newestDevice('other'), undefined)
})

test('every value comes back bit for bit', async () => {
  const value = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string())
  const property = fc.asyncProperty(fc.string(), value, async (metric, value) => {
    const { latest, write } = setUp()
    const point = { metric: metric.replaceAll('/', ''), timeUs: 2 ** 53 - 1, value }
    await write('a', point)
    await latest.devices('t', ['a'])
    const [[kept]] = await latest.devices('t', ['a'])
    assert.ok(Object.is(kept.value, value), `${String(value)} came back as ${String(kept.value)}`)
    assert.deepEqual(kept, point)
  })
  await fc.assert(property)
})
