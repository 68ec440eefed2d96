import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Product } from '../model/product.ts'
import type { Catalog } from '../ports/catalog.ts'
import { aDevice, aProduct, devicesOf } from './catalog.fixture.ts'
import { checkAt, type Check, type Place } from './contract-place.ts'
import { feedChecks } from './feed.contract.ts'
import { aKey, keyChecks } from './keys.contract.ts'

/** JSON that has lost something in more than one database. */
const ATTRIBUTES = JSON.parse(
  '{"__proto__": {"a": 1}, "constructor": null, "nul": "a\\u0000b", "half": "\\ud800", "": [],' +
    '"deep": {"list": [1, "two", null, true, {"x": 1e300}]}, "ä 泵 🌡️": "\'\\"\\\\%;--"}',
) as Record<string, unknown>

/** What every catalog has to keep; the same suite runs against each engine. */
export function catalogContract(name: string, place: () => Promise<Place<Catalog>>): void {
  const check = checkAt(place)
  describe(`the ${name} catalog`, () => {
    deviceChecks(check)
    removalChecks(check)
    productChecks(check)
    keyChecks(check)
    feedChecks(check)
    check('refuses every call once it is closed, and may be closed again', async catalog => {
      await catalog.close()
      await catalog.close()
      const closed = { kind: 'closed' }
      await assert.rejects(catalog.addDevices([aDevice()]), closed)
      await assert.rejects(catalog.createDevice(aDevice()), closed)
      await assert.rejects(catalog.saveDevice(aDevice()), closed)
      await assert.rejects(catalog.version(), closed)
      await assert.rejects(catalog.changesSince(0), closed)
      await assert.rejects(catalog.touchDevices([{ tenant: 'a', id: 'b', lastSeenMs: 1 }]), closed)
      await assert.rejects(catalog.deleteDevice('default', 'pump-1', 1), closed)
      await assert.rejects(catalog.removals(), closed)
      await assert.rejects(catalog.forgetRemovals(1), closed)
      await assert.rejects(catalog.products(), closed)
      await assert.rejects(catalog.createProduct(aProduct()), closed)
      await assert.rejects(catalog.replaceProduct(aProduct()), closed)
      await assert.rejects(catalog.deleteProduct('default', 'p-100'), closed)
      await assert.rejects(devicesOf(catalog), closed)
      await assert.rejects(catalog.keysSince(0), closed)
      await assert.rejects(catalog.createKey(aKey()), closed)
    })
  })
}

function deviceChecks(check: Check<Catalog>): void {
  check('is empty at first', async catalog => {
    assert.equal((await devicesOf(catalog)).size, 0)
    assert.deepEqual(await catalog.products(), [])
    assert.deepEqual(await catalog.removals(), [])
  })
  check(
    'returns a device exactly as saved, after it was opened again too',
    async (first, reopen) => {
      const full = aDevice({
        id: 'äöü "quoted" a.b:c 🌡️',
        name: 'Pump "A"',
        type: 'pump',
        product: 'p-100',
        site: 'Werk 1',
        attributes: ATTRIBUTES,
        expectedIntervalMs: 1500.5,
        lastSeenMs: 1_767_225_600_123,
      })
      const bare = aDevice({ id: 'bare' })
      await first.addDevices([full, bare])
      for (const open of [() => Promise.resolve(first), reopen]) {
        const catalog = await open()
        const all = await devicesOf(catalog)
        assert.equal(all.size, 2)
        assert.deepEqual(all.get(`default ${full.id}`), full)
        assert.deepEqual(all.get('default bare'), bare)
      }
    },
  )
  check('saving a device again replaces it, but for an older last contact', async catalog => {
    await catalog.saveDevice(aDevice({ name: 'old', site: 's', attributes: { a: 1 } }))
    const newer = aDevice({ name: 'new', attributes: { b: 2 }, lastSeenMs: 5 })
    await catalog.saveDevice(newer)
    await catalog.saveDevice({ ...newer, lastSeenMs: 4 })
    await catalog.saveDevice({ ...newer, lastSeenMs: undefined })
    assert.deepEqual([...(await devicesOf(catalog)).values()], [newer])
  })
  check('adding a device that is there advances its last contact alone', async catalog => {
    await catalog.createDevice(aDevice({ name: 'declared', site: 's' }))
    await catalog.addDevices([aDevice({ lastSeenMs: 5, createdAtMs: 5 })])
    await catalog.addDevices([aDevice({ lastSeenMs: 4 }), aDevice({ lastSeenMs: undefined })])
    const expected = aDevice({ name: 'declared', site: 's', lastSeenMs: 5 })
    assert.deepEqual([...(await devicesOf(catalog)).values()], [expected])
  })
  check('of one call that adds a device twice, the newest contact counts', async catalog => {
    await catalog.addDevices([aDevice({ lastSeenMs: 7 }), aDevice({ lastSeenMs: 6 })])
    await catalog.addDevices([])
    assert.deepEqual([...(await devicesOf(catalog)).values()], [aDevice({ lastSeenMs: 7 })])
  })
  check('of many that create one device at once, exactly one succeeds', async catalog => {
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => catalog.createDevice(aDevice({ name: `n${i}` }))),
    )
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    await assert.rejects(catalog.createDevice(aDevice()), { kind: 'conflict' })
    await catalog.createDevice(aDevice({ tenant: 'other' }))
  })
  check('keeps tenants apart, and ids that differ in case or in form only', async catalog => {
    const devices = [
      aDevice({ tenant: 'a', id: 'x', name: '1' }),
      aDevice({ tenant: 'b', id: 'x', name: '2' }),
      aDevice({ tenant: 'a', id: 'X', name: '3' }),
      aDevice({ tenant: 'a', id: 'é', name: '4' }),
      aDevice({ tenant: 'a', id: 'e\u0301', name: '5' }),
      aDevice({ tenant: 'a', id: 'x ', name: '6' }),
    ]
    await catalog.addDevices(devices)
    assert.equal(await catalog.deleteDevice('b', 'x', 1), true)
    const all = await devicesOf(catalog)
    assert.equal(all.size, 5)
    for (const device of devices) {
      if (device.tenant === 'a') assert.equal(all.get(`a ${device.id}`)?.name, device.name)
    }
  })
  check(
    'touching only advances the last contact, and only of devices that exist',
    async catalog => {
      await catalog.addDevices([
        aDevice({ id: 'a', name: 'A' }),
        aDevice({ id: 'b', lastSeenMs: 9 }),
      ])
      const seen = (id: string, lastSeenMs: number) => ({ tenant: 'default', id, lastSeenMs })
      await catalog.touchDevices([seen('a', 7), seen('b', 8), seen('nobody', 7)])
      await catalog.touchDevices([seen('a', 6)])
      await catalog.touchDevices([])
      const all = await devicesOf(catalog)
      assert.deepEqual(all.get('default a'), aDevice({ id: 'a', name: 'A', lastSeenMs: 7 }))
      assert.equal(all.get('default b')?.lastSeenMs, 9)
      assert.equal(all.size, 2)
    },
  )
  check('deleting says whether there was a device', async (catalog, reopen) => {
    await catalog.addDevices([aDevice()])
    assert.equal(await catalog.deleteDevice('default', 'pump-1', 1), true)
    assert.equal(await catalog.deleteDevice('default', 'pump-1', 1), false)
    assert.equal((await devicesOf(await reopen())).size, 0)
  })
  check(
    'saves and touches a fleet, each device once, while the event loop turns',
    async catalog => {
      const fleet = Array.from({ length: 10_000 }, (_, i) => aDevice({ id: `d${i}` }))
      let turns = 0
      let watching = true
      const watch = (): void => {
        turns++
        if (watching) setImmediate(watch)
      }
      setImmediate(watch)
      await catalog.addDevices(fleet)
      await catalog.touchDevices(fleet.map(({ tenant, id }) => ({ tenant, id, lastSeenMs: 42 })))
      watching = false
      assert.ok(turns >= 20, `the event loop turned ${turns} times`)
      const all = await devicesOf(catalog)
      assert.equal(all.size, fleet.length)
      for (const device of all.values()) assert.equal(device.lastSeenMs, 42)
    },
  )
  check('finishes what is under way before it closes', async (catalog, reopen) => {
    const fleet = Array.from({ length: 2000 }, (_, i) => aDevice({ id: `d${i}` }))
    const saved = catalog.addDevices(fleet)
    const again = reopen()
    await saved
    assert.equal((await devicesOf(await again)).size, fleet.length)
  })
}

function removalChecks(check: Check<Catalog>): void {
  const removal = (id: string, removedAtMs: number, tenant = 'default') => ({
    ...{ tenant, id, removedAtMs },
  })
  check('notes the newest removal of each device, saved or not', async (first, reopen) => {
    await first.addDevices([aDevice({ id: 'a' }), aDevice({ id: 'b' })])
    assert.equal(await first.deleteDevice('default', 'a', 1_767_225_600_123), true)
    assert.equal(await first.deleteDevice('default', 'a', 1_767_225_700_000.5), false)
    assert.equal(await first.deleteDevice('default', 'never saved "x"', 7), false)
    assert.equal(await first.deleteDevice('other', 'a', 8), false)
    const wanted = [
      removal('a', 1_767_225_700_000.5),
      removal('never saved "x"', 7),
      removal('a', 8, 'other'),
    ]
    for (const open of [() => Promise.resolve(first), reopen]) {
      const catalog = await open()
      assert.deepEqual(byName(await catalog.removals()), byName(wanted))
      assert.deepEqual([...(await devicesOf(catalog)).keys()], ['default b'])
    }
  })
  check('a device that is saved again is removed no more', async (first, reopen) => {
    await first.deleteDevice('default', 'a', 5)
    await first.addDevices([aDevice({ id: 'a' })])
    assert.deepEqual(await first.removals(), [])
    const catalog = await reopen()
    assert.deepEqual(await catalog.removals(), [])
    assert.equal((await devicesOf(catalog)).size, 1)
  })
  check('forgets removals from before a time, and devices stay', async catalog => {
    await catalog.addDevices([aDevice({ id: 'there' })])
    for (const [id, atMs] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ] as const) {
      await catalog.deleteDevice('default', id, atMs)
    }
    await catalog.forgetRemovals(2)
    await catalog.forgetRemovals(2)
    assert.deepEqual(byName(await catalog.removals()), [removal('b', 2), removal('c', 3)])
    assert.equal((await devicesOf(catalog)).size, 1)
  })
}

function byName<T extends { tenant: string; id: string }>(some: readonly T[]): T[] {
  const name = ({ tenant, id }: T): string => `${tenant} ${id}`
  return [...some].sort((a, b) => (name(a) < name(b) ? -1 : 1))
}

function productChecks(check: Check<Catalog>): void {
  check('returns products exactly as created, in order of tenant and id', async (first, reopen) => {
    const metrics = JSON.parse(
      '{"temperature": {"unit": "°C", "type": "number", "min": -40, "max": 85.5},' +
        '"__proto__": {"onViolation": "refuse", "type": "string"}, "a.b c": {}}',
    ) as Product['metrics']
    const b = aProduct({ id: 'b', price: 12.5, attributes: ATTRIBUTES, expectedIntervalMs: 100 })
    const a = aProduct({ id: 'a', price: 0, metrics, onViolation: 'refuse' })
    const c = aProduct({ tenant: 'another', id: 'c' })
    for (const product of [b, a, c]) await first.createProduct(product)
    for (const open of [() => Promise.resolve(first), reopen]) {
      assert.deepEqual(await (await open()).products(), [c, a, b])
    }
  })
  check('a product that exists is a conflict and stays as it was', async catalog => {
    await catalog.createProduct(aProduct({ name: 'first' }))
    await assert.rejects(catalog.createProduct(aProduct({ name: 'second' })), { kind: 'conflict' })
    assert.deepEqual(await catalog.products(), [aProduct({ name: 'first' })])
    await catalog.createProduct(aProduct({ tenant: 'other' }))
  })
  check('of many that create one product at once, exactly one succeeds', async catalog => {
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => catalog.createProduct(aProduct({ name: `n${i}` }))),
    )
    assert.equal(results.filter(result => result.status === 'fulfilled').length, 1)
  })
  check('replacing changes every field of that product alone', async (first, reopen) => {
    await first.createProduct(aProduct({ price: 5, metrics: { x: { min: 1 } } }))
    await first.createProduct(aProduct({ tenant: 'other' }))
    const newer = aProduct({
      ...{ name: 'newer', attributes: { a: 1 }, expectedIntervalMs: 7, createdAtMs: 9 },
      ...{ metrics: { y: { type: 'boolean' } }, onViolation: 'refuse' },
    })
    await first.replaceProduct(newer)
    assert.deepEqual(await (await reopen()).products(), [newer, aProduct({ tenant: 'other' })])
  })
  check('replacing a product that is not there is not_found', async catalog => {
    await catalog.createProduct(aProduct({ tenant: 'other' }))
    await assert.rejects(catalog.replaceProduct(aProduct()), { kind: 'not_found' })
    assert.equal((await catalog.products()).length, 1)
  })
  check('deleting says whether there was a product', async (first, reopen) => {
    await first.createProduct(aProduct())
    await first.createProduct(aProduct({ tenant: 'other' }))
    assert.equal(await first.deleteProduct('default', 'p-100'), true)
    assert.equal(await first.deleteProduct('default', 'p-100'), false)
    assert.deepEqual(await (await reopen()).products(), [aProduct({ tenant: 'other' })])
  })
}
