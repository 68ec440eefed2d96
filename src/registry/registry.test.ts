import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DevicePage } from './device-list.ts'
import { aBatch, DAY, MINUTE, SECOND, startProcess, TENANT, until } from './registry.fixture.ts'

test('a device is registered by its first message and is there after a restart', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  const contactMs = clock.nowMs()
  first.send('a', 'b')
  first.send('a')
  const device = first.registry.get(TENANT, 'a')
  assert.match(device?.uuid ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-5/)
  assert.equal(device?.createdAtMs, contactMs)
  assert.equal(device?.lastSeenMs, contactMs)
  assert.equal(first.registry.get('other', 'a'), undefined)
  clock.advance(30 * SECOND)
  first.send('a')
  await first.registry.close()

  const { registry } = await startProcess({ catalog, clock })
  assert.equal(registry.get(TENANT, 'a')?.uuid, device?.uuid)
  assert.equal(registry.get(TENANT, 'a')?.lastSeenMs, contactMs + 30 * SECOND)
  assert.equal(registry.get(TENANT, 'b')?.lastSeenMs, contactMs)
})

test('what is new reaches the catalog by itself within the interval', async () => {
  const { catalog, clock, send } = await startProcess()
  send('a')
  assert.equal(catalog.stored.size, 0)
  clock.advance(5 * SECOND)
  await until(() => catalog.stored.size === 1)
  const writes = catalog.writes
  clock.advance(MINUTE)
  assert.equal(catalog.writes, writes, 'nothing new, nothing written')
  send('a')
  clock.advance(5 * SECOND)
  await until(() => catalog.stored.get('default/a')?.lastSeenMs === clock.nowMs() - 5 * SECOND)
})

test('while the catalog fails nothing is lost, it is asked ever less often, and told', async () => {
  const { registry, catalog, clock, errors, send } = await startProcess()
  catalog.failing = true
  send('a', 'b')
  for (let second = 0; second < 600; second++) {
    clock.advance(SECOND)
    await new Promise(resolve => setImmediate(resolve))
  }
  assert.ok(errors.length >= 5 && errors.length <= 16, `${errors.length} attempts in 10 minutes`)
  await assert.rejects(registry.flush(), { kind: 'retryable' })
  send('c')
  catalog.failing = false
  clock.advance(MINUTE)
  await until(() => catalog.stored.size === 3)
  send('a')
  await registry.flush()
  assert.equal(catalog.stored.get('default/a')?.lastSeenMs, clock.nowMs())
})

test('a flush that fails in the middle of a fleet writes the rest later', async () => {
  const { registry, catalog, send } = await startProcess()
  const fleet = Array.from({ length: 6000 }, (_, i) => `d${i}`)
  send(...fleet)
  const save = catalog.addDevices.bind(catalog)
  let calls = 0
  catalog.addDevices = async devices => {
    if (++calls === 2) catalog.failing = true
    await save(devices)
  }
  await assert.rejects(registry.flush(), { kind: 'retryable' })
  assert.equal(catalog.stored.size, 2500)
  catalog.failing = false
  send('d5999')
  await registry.flush()
  assert.equal(catalog.stored.size, fleet.length)
})

test('a contact during a flush is written by the next', async () => {
  const { registry, catalog, clock, send } = await startProcess()
  send('a')
  const gate = Promise.withResolvers<void>()
  catalog.gate = gate.promise
  const flush = registry.flush()
  await until(() => catalog.writes === 1)
  clock.advance(SECOND)
  send('a')
  gate.resolve()
  await flush
  await registry.flush()
  assert.equal(catalog.stored.get('default/a')?.lastSeenMs, clock.nowMs())
})

test('devices that the crash kept from the catalog are adopted from the store or met again', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  first.send('kept')
  await first.registry.flush()
  clock.advance(SECOND)
  first.send('lost', 'met')

  const { registry, send, changes } = await startProcess({ catalog, clock })
  assert.equal(registry.get(TENANT, 'lost'), undefined)
  const kept = registry.get(TENANT, 'kept')
  registry.adopt(TENANT, 'kept', clock.nowMs())
  registry.adopt(TENANT, 'lost', clock.nowMs() - SECOND)
  registry.adopt(TENANT, 'future', clock.nowMs() + DAY)
  send('met')
  assert.deepEqual(registry.get(TENANT, 'kept'), kept)
  assert.equal(registry.get(TENANT, 'lost')?.status, 'online')
  assert.equal(registry.get(TENANT, 'future')?.lastSeenMs, clock.nowMs())
  clock.advance(SECOND)
  assert.deepEqual(
    changes.map(({ id }) => id),
    ['met'],
    'to be adopted is no news',
  )
  await registry.flush()
  assert.deepEqual([...catalog.stored.keys()].sort(), [
    'default/future',
    'default/kept',
    'default/lost',
    'default/met',
  ])
})

test('a device that was removed long after its last message is not adopted', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  first.send('retired', 'a')
  const lastMs = clock.nowMs()
  clock.advance(DAY)
  first.send('a')
  assert.equal(await first.registry.remove(TENANT, 'retired'), true)
  await first.registry.close()
  const { registry } = await startProcess({ catalog, clock })
  registry.adopt(TENANT, 'retired', lastMs)
  assert.equal(registry.get(TENANT, 'retired'), undefined)

  const anew = await startProcess({ clock })
  anew.registry.adopt(TENANT, 'retired', lastMs)
  assert.notEqual(anew.registry.get(TENANT, 'retired'), undefined, 'an empty catalog adopts all')
})

test('without first contact only registered devices may send', async () => {
  const { registry, table, send } = await startProcess({ autoCreate: false })
  await registry.create(TENANT, { id: 'known' })
  const stranger = table.device(TENANT, 'stranger')
  assert.equal(registry.admits(table.device(TENANT, 'known')), true)
  assert.equal(registry.admits(stranger), false)
  assert.equal(registry.refusalOf(stranger), 'unregistered')
  send('known', 'stranger')
  registry.adopt(TENANT, 'stranger', Date.now())
  assert.equal(registry.get(TENANT, 'stranger'), undefined)
  assert.equal(registry.get(TENANT, 'known')?.status, 'online')
})

test('no more devices than allowed are admitted, of one batch either', async () => {
  const { registry, table, clock, send } = await startProcess({ maxDevices: 3 })
  const admits = (id: string): boolean => registry.admits(table.device(TENANT, id))
  send('a')
  assert.deepEqual(['a', 'b', 'c', 'd', 'b'].map(admits), [true, true, true, false, true])
  assert.equal(registry.refusalOf(table.device(TENANT, 'd')), 'limit')
  send('b')
  clock.advance(SECOND)
  assert.deepEqual(['d', 'c'].map(admits), [true, false], 'c never came, its place is free')
  send('d')
  await assert.rejects(registry.create(TENANT, { id: 'e' }), {
    kind: 'overloaded',
    limit: 'ingest.maxDevices',
  })
  await registry.remove(TENANT, 'a')
  assert.equal((await registry.create(TENANT, { id: 'e' })).id, 'e')
  assert.equal(admits('c'), false)
})

test('what people declare is in the catalog when the promise resolves', async () => {
  const { registry, catalog } = await startProcess()
  const attributes = { floor: 2, tags: ['x'], owner: { name: 'Ann', phone: '1' } }
  const created = await registry.create(TENANT, { id: 'a', name: 'A', site: 'S', attributes })
  assert.equal(created.status, 'unknown')
  assert.equal(catalog.stored.get('default/a')?.uuid, created.uuid)
  const updated = await registry.update(TENANT, 'a', {
    name: null,
    type: 'pump',
    attributes: { floor: null, owner: { phone: '2' } },
  })
  const { status, violations, ...device } = updated
  assert.deepEqual(violations, { flagged: 0, refused: 0 })
  assert.equal(status, 'unknown')
  assert.deepEqual(catalog.stored.get('default/a'), device)
  assert.equal(device.name, undefined)
  assert.equal(device.site, 'S')
  assert.deepEqual(device.attributes, { tags: ['x'], owner: { name: 'Ann', phone: '2' } })
  assert.equal(device.uuid, created.uuid)
  assert.equal(await registry.remove(TENANT, 'a'), true)
  assert.equal(catalog.stored.size, 0)
  assert.equal(await registry.remove(TENANT, 'a'), false)
  assert.equal(registry.get(TENANT, 'a'), undefined)
})

test('creating a device that exists is a conflict, of two at once for the second', async () => {
  const { registry, send } = await startProcess()
  send('a')
  await assert.rejects(registry.create(TENANT, { id: 'a' }), { kind: 'conflict' })
  const both = await Promise.allSettled([
    registry.create(TENANT, { id: 'b', name: 'one' }),
    registry.create(TENANT, { id: 'b', name: 'two' }),
  ])
  assert.deepEqual(
    both.map(result => result.status),
    ['fulfilled', 'rejected'],
  )
  assert.equal(registry.get(TENANT, 'b')?.name, 'one')
  assert.equal((await registry.create('other', { id: 'b' })).tenant, 'other')
})

test('a device that sends while it is being created is one device, as declared', async () => {
  const { registry, catalog, send } = await startProcess()
  const gate = Promise.withResolvers<void>()
  catalog.gate = gate.promise
  const creating = registry.create(TENANT, { id: 'a', name: 'A' })
  await until(() => catalog.writes === 1)
  send('a')
  gate.resolve()
  const created = await creating
  assert.equal(created.status, 'online')
  assert.equal(registry.list(TENANT, {}, { limit: 10 }).devices.length, 1)
  await registry.flush()
  assert.equal(catalog.stored.get('default/a')?.uuid, created.uuid)
  assert.equal(catalog.stored.get('default/a')?.name, 'A')
})

test('when the catalog refuses, nothing of what people declared is in effect', async () => {
  const { registry, catalog } = await startProcess()
  await registry.create(TENANT, { id: 'a', name: 'A' })
  catalog.failing = true
  const retryable = { kind: 'retryable' }
  await assert.rejects(registry.create(TENANT, { id: 'b' }), retryable)
  await assert.rejects(registry.update(TENANT, 'a', { name: 'B' }), retryable)
  await assert.rejects(registry.remove(TENANT, 'a'), retryable)
  await assert.rejects(registry.products.create(TENANT, { id: 'p', name: 'P' }), retryable)
  assert.equal(registry.get(TENANT, 'b'), undefined)
  assert.equal(registry.get(TENANT, 'a')?.name, 'A')
})

test('a removed device does not come back by an older write, and does by a message', async () => {
  const { registry, catalog, send } = await startProcess()
  send('a')
  const gate = Promise.withResolvers<void>()
  catalog.gate = gate.promise
  const flush = registry.flush()
  await until(() => catalog.writes === 1)
  send('a')
  const removed = registry.remove(TENANT, 'a')
  gate.resolve()
  await Promise.all([flush, removed])
  await registry.flush()
  assert.equal(catalog.stored.size, 0)
  send('a')
  await registry.flush()
  assert.equal(catalog.stored.size, 1)
  assert.equal(registry.list(TENANT, {}, { limit: 10 }).devices.length, 1)
})

test('input that cannot be is refused by field', async () => {
  const { registry } = await startProcess()
  await registry.create(TENANT, { id: 'a' })
  const refused = (field: RegExp) => ({ kind: 'rejected', message: field })
  const create = (fields: object): Promise<unknown> =>
    registry.create(TENANT, { id: 'b', ...fields })
  await assert.rejects(create({ id: '' }), refused(/^id /))
  await assert.rejects(create({ id: 'a/b' }), refused(/^id /))
  await assert.rejects(create({ id: 7 }), refused(/^id /))
  await assert.rejects(create({ site: 'a\0' }), refused(/^site /))
  await assert.rejects(create({ name: 5 }), refused(/^name /))
  await assert.rejects(create({ attributes: [1] }), refused(/^attributes /))
  await assert.rejects(create({ attributes: { a: 'x'.repeat(70_000) } }), refused(/^attributes /))
  await assert.rejects(create({ expectedIntervalMs: 0 }), refused(/^expected_interval_ms /))
  const deep = JSON.parse('{"a":'.repeat(9000) + '1' + '}'.repeat(9000)) as Record<string, unknown>
  await assert.rejects(create({ attributes: deep }), refused(/^attributes /))
  await assert.rejects(registry.update(TENANT, 'a', { attributes: deep }), refused(/^attributes /))
  await assert.rejects(registry.update(TENANT, 'a', { type: '' }), refused(/^type /))
  await assert.rejects(registry.update(TENANT, 'nobody', {}), { kind: 'not_found' })
  const product = { id: 'p', name: 'P' }
  await assert.rejects(
    registry.products.create(TENANT, { ...product, price: -1 }),
    refused(/^price/),
  )
  await assert.rejects(
    registry.products.create(TENANT, { ...product, id: ' ' }),
    refused(/^productId/),
  )
  await registry.products.create(TENANT, { ...product, price: 2.5 })
  await assert.rejects(registry.products.create(TENANT, product), { kind: 'conflict' })
  assert.equal(registry.products.get(TENANT, 'p')?.price, 2.5)
  assert.equal(registry.products.list('other').length, 0)
})

test('lists are narrowed by every filter, and by all together', async () => {
  const { registry, send } = await startProcess()
  await registry.create(TENANT, { id: 'a1', name: 'Main Pump', site: 'x', type: 'pump' })
  await registry.create(TENANT, { id: 'a2', site: 'x', product: 'p' })
  await registry.create(TENANT, { id: 'B3', site: 'y', type: 'pump' })
  send('a2', 'c4')
  const ids = (filter: object): string[] =>
    registry.list(TENANT, filter, { limit: 10 }).devices.map(device => device.id)
  assert.deepEqual(ids({}), ['B3', 'a1', 'a2', 'c4'])
  assert.deepEqual(ids({ site: 'x' }), ['a1', 'a2'])
  assert.deepEqual(ids({ product: 'p' }), ['a2'])
  assert.deepEqual(ids({ type: 'pump' }), ['B3', 'a1'])
  assert.deepEqual(ids({ status: 'online' }), ['a2', 'c4'])
  assert.deepEqual(ids({ search: 'b' }), ['B3'])
  assert.deepEqual(ids({ search: 'pUMP' }), ['a1'])
  assert.deepEqual(ids({ site: 'x', status: 'unknown', type: 'pump' }), ['a1'])
  assert.deepEqual(registry.list('nobody', {}, { limit: 10 }), { devices: [] })
  assert.deepEqual(registry.counts(TENANT), { online: 2, offline: 0, unknown: 2 })
  assert.deepEqual(registry.counts('nobody'), { online: 0, offline: 0, unknown: 0 })
})

test('paging returns each device exactly once, whatever comes and goes between pages', async () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 })
  const input = fc.record({
    stays: fc.uniqueArray(name, { maxLength: 40 }),
    comes: fc.array(name, { maxLength: 20 }),
    goes: fc.array(name, { maxLength: 20 }),
    limit: fc.integer({ min: 1, max: 9 }),
  })
  const property = fc.asyncProperty(input, async ({ stays, comes, goes, limit }) => {
    const { registry } = await startProcess()
    const see = (ids: string[]): void => registry.see(aBatch([...new Set(ids)]), 1)
    const arriving = [...comes]
    const leaving = goes.filter(id => !stays.includes(id))
    see([...stays, ...leaving])
    const listed: string[] = []
    let page: DevicePage
    let after: string | undefined
    do {
      page = registry.list(TENANT, {}, { limit, after })
      assert.ok(page.devices.length <= limit)
      assert.ok(page.next === undefined || page.devices.length === limit)
      listed.push(...page.devices.map(device => device.id))
      after = page.next
      const coming = arriving.pop()
      if (coming !== undefined) see([coming])
      const going = leaving.pop()
      if (going !== undefined && !stays.includes(going)) await registry.remove(TENANT, going)
    } while (after !== undefined)
    assert.equal(new Set(listed).size, listed.length)
    assert.deepEqual([...listed].sort(), listed)
    for (const id of stays) assert.ok(listed.includes(id), `${JSON.stringify(id)} is missing`)
  })
  await fc.assert(property)
})

test('closing flushes, stops the clock’s tasks, and may be done twice', async () => {
  const { registry, catalog, clock, send } = await startProcess()
  send('a')
  await registry.close()
  await registry.close()
  assert.equal(catalog.stored.size, 1)
  assert.equal(clock.tasks, 0)
})
