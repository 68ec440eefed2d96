import assert from 'node:assert/strict'
import type { Catalog } from '../ports/catalog.ts'
import { aDevice, aProduct, devicesOf } from './catalog.fixture.ts'
import type { Check } from './contract-place.ts'

interface Changes {
  readonly version: number
  /** `id name`, or `-id` for what was removed last; of the default tenant. */
  readonly devices: string[]
  readonly products: string[]
}

/** All that has changed, as a follower has it after the last part. */
async function changesSince(catalog: Catalog, after: number): Promise<Changes> {
  const devices = new Map<string, string>()
  const products = new Map<string, string>()
  for (let version = after; ;) {
    const part = await catalog.changesSince(version)
    for (const { id } of part.removals) devices.set(id, `-${id}`)
    for (const { id, name } of part.devices) devices.set(id, `${id} ${name}`)
    for (const { id } of part.removedProducts) products.set(id, `-${id}`)
    for (const { id, name } of part.products) products.set(id, `${id} ${name}`)
    if (part.version === version) {
      return { version, devices: [...devices.values()].sort(), products: [...products.values()] }
    }
    assert.ok(part.version > version, `${part.version} after ${version}`)
    version = part.version
  }
}

/** What a catalog has to tell of its changes. */
export function feedChecks(check: Check<Catalog>): void {
  check('tells what changed after a version, as it is now', async (first, reopen) => {
    const begin = await first.version()
    assert.deepEqual(await changesSince(first, begin), {
      version: begin,
      devices: [],
      products: [],
    })
    await first.addDevices(['a', 'b', 'c'].map(id => aDevice({ id, name: '1' })))
    await first.createDevice(aDevice({ id: 'd', name: '1' }))
    await first.saveDevice(aDevice({ id: 'b', name: '2' }))
    await first.deleteDevice('default', 'c', 7)
    await first.createProduct(aProduct({ id: 'p', name: '1' }))
    await first.replaceProduct(aProduct({ id: 'p', name: '2' }))
    await first.createProduct(aProduct({ id: 'q', name: '1' }))
    await first.deleteProduct('default', 'q')
    const expected = { devices: ['-c', 'a 1', 'b 2', 'd 1'], products: ['-q', 'p 2'] }
    for (const open of [() => Promise.resolve(first), reopen]) {
      const catalog = await open()
      const { version, ...changes } = await changesSince(catalog, begin)
      assert.deepEqual({ ...changes, products: changes.products.sort() }, expected)
      assert.equal(version, await catalog.version())
    }
  })
  check('contacts and what changes nothing are no changes', async catalog => {
    await catalog.createDevice(aDevice({ id: 'a', name: '1' }))
    const version = await catalog.version()
    await catalog.touchDevices([{ tenant: 'default', id: 'a', lastSeenMs: 9 }])
    await catalog.addDevices([aDevice({ id: 'a', lastSeenMs: 10 })])
    await assert.rejects(catalog.createDevice(aDevice({ id: 'a' })), { kind: 'conflict' })
    await catalog.forgetRemovals(5)
    assert.equal(await catalog.deleteProduct('default', 'none'), false)
    const { devices, products } = await changesSince(catalog, version)
    assert.deepEqual([devices, products], [[], []])
  })
  check('tells a fleet in parts, all of it, and what is removed and comes again', async catalog => {
    const begin = await catalog.version()
    const fleet = Array.from({ length: 6000 }, (_, i) => aDevice({ id: `d${i}`, name: '1' }))
    await catalog.addDevices(fleet)
    const all = await changesSince(catalog, begin)
    assert.deepEqual(all.devices, fleet.map(({ id }) => `${id} 1`).sort())
    await catalog.deleteDevice('default', 'd1', 5)
    await catalog.deleteDevice('default', 'd2', 5)
    await catalog.createDevice(aDevice({ id: 'd2', name: '2' }))
    await catalog.createProduct(aProduct({ id: 'p', name: '1' }))
    await catalog.deleteProduct('default', 'p')
    await catalog.createProduct(aProduct({ id: 'p', name: '2' }))
    const some = await changesSince(catalog, all.version)
    assert.deepEqual([some.devices, some.products], [['-d1', 'd2 2'], ['p 2']])
  })
  check('changes nothing that changed after the version that is given', async catalog => {
    await catalog.createDevice(aDevice({ name: '1' }))
    await catalog.createProduct(aProduct({ name: '1' }))
    const version = await catalog.version()
    await catalog.saveDevice(aDevice({ name: '2' }), version)
    await catalog.replaceProduct(aProduct({ name: '2' }), version)
    const conflict = { kind: 'conflict' }
    await assert.rejects(catalog.saveDevice(aDevice({ name: '3' }), version), conflict)
    await assert.rejects(catalog.replaceProduct(aProduct({ name: '3' }), version), conflict)
    await assert.rejects(catalog.replaceProduct(aProduct({ id: 'no' }), version), {
      kind: 'not_found',
    })
    assert.equal((await devicesOf(catalog)).get('default pump-1')?.name, '2')
    assert.equal((await catalog.products())[0].name, '2')
    await catalog.saveDevice(aDevice({ name: '4' }), await catalog.version())
    assert.equal((await devicesOf(catalog)).get('default pump-1')?.name, '4')
  })
  check('what was removed after the version that is given stays away', async catalog => {
    await catalog.createDevice(aDevice())
    const version = await catalog.version()
    await catalog.deleteDevice('default', 'pump-1', 5)
    await catalog.addDevices([aDevice(), aDevice({ id: 'other' })], version)
    await assert.rejects(catalog.saveDevice(aDevice(), version), { kind: 'conflict' })
    assert.deepEqual([...(await devicesOf(catalog)).keys()], ['default other'])
    await catalog.addDevices([aDevice()], await catalog.version())
    assert.equal((await devicesOf(catalog)).size, 2)
  })
  check('of processes that change one device at once, one at a time succeeds', contested)
  check('tells who was heard of to the other processes', contacts)
}

/** Each reads, changes and writes `since` what it read, and begins again when it is too late. */
async function contested(
  first: Catalog,
  _: unknown,
  openAnother: () => Promise<Catalog>,
): Promise<void> {
  await first.createDevice(aDevice({ attributes: {} }))
  // SQLite has one process that writes devices; two that do would wait on the one thread.
  const others = first.capabilities.isShared ? [await openAnother(), await openAnother()] : []
  const work = async (catalog: Catalog, name: string): Promise<void> => {
    for (let round = 0; round < 10;) {
      const since = await catalog.version()
      const device = (await devicesOf(catalog)).get('default pump-1')!
      const attributes = { ...device.attributes, [`${name}${round}`]: round }
      try {
        await catalog.saveDevice({ ...device, attributes }, since)
        round++
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'conflict')
      }
    }
  }
  const catalogs = [first, first, ...others]
  await Promise.all(catalogs.map((catalog, i) => work(catalog, `writer ${i} round `)))
  const { attributes } = (await devicesOf(first)).get('default pump-1')!
  assert.equal(Object.keys(attributes).length, 10 * catalogs.length)
}

async function contacts(
  first: Catalog,
  _: unknown,
  openAnother: () => Promise<Catalog>,
): Promise<void> {
  const { isShared } = first.capabilities
  assert.equal(first.contacts !== undefined, isShared)
  if (first.contacts === undefined) return
  const second = (await openAnother()).contacts!
  const begin = await second.since(0)
  assert.deepEqual(begin.seen, [])
  const seen = (id: string, lastSeenMs: number, tenant = 'default') => ({ tenant, id, lastSeenMs })
  await first.contacts.tell([seen('a', 1.5), seen('ä "x" 🌡️', 2), seen('a', 3, 'other')])
  await first.contacts.tell([])
  await first.contacts.tell([seen('a', 2)])
  const next = await second.since(begin.version)
  const expected = [seen('a', 1.5), seen('ä "x" 🌡️', 2), seen('a', 3, 'other'), seen('a', 2)]
  assert.deepEqual(next.seen, expected)
  assert.deepEqual(await second.since(next.version), { version: next.version, seen: [] })
  assert.deepEqual((await first.contacts.since(0)).seen, [], 'what it told itself')
  const late = (await openAnother()).contacts!
  assert.deepEqual((await late.since(0)).seen, expected)
}
