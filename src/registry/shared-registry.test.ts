import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { MemoryCatalog } from './memory-catalog.fixture.ts'
import type { Process } from './registry.fixture.ts'
import { MINUTE, SECOND, startProcess, TENANT, until } from './registry.fixture.ts'
import type { RegistryOptions } from './registry.ts'

async function twoProcesses(options: Partial<RegistryOptions> = {}) {
  const catalog = new MemoryCatalog({ isShared: true })
  const clock = fakeClock()
  const [a, b] = await Promise.all(
    [1, 2].map(() => startProcess({ ...options, catalog, clock, flushIntervalMs: SECOND })),
  )
  return { a, b, catalog, clock }
}

/** Turns of the event loop, in which what a tick has begun comes to its end. */
async function settle(): Promise<void> {
  for (let i = 0; i < 60; i++) await new Promise(resolve => setImmediate(resolve))
}

async function aSecond({ clock }: Pick<Process, 'clock'>): Promise<void> {
  clock.advance(SECOND)
  await settle()
}

const idsOf = ({ registry }: Process): string[] =>
  registry.list(TENANT, {}, { limit: 1000 }).devices.map(({ id }) => id)

test('what one process declares, changes and removes, the other knows within a second', async () => {
  const { a, b } = await twoProcesses()
  await a.registry.create(TENANT, { id: 'pump', name: '1', product: 'p' })
  await a.registry.products.create(TENANT, {
    ...{ id: 'p', name: 'P', metrics: { temperature: { unit: '°C', max: 80 } } },
  })
  assert.equal(b.registry.get(TENANT, 'pump'), undefined)
  await aSecond(b)
  assert.equal(b.registry.get(TENANT, 'pump')?.name, '1')
  assert.equal(b.registry.unitOf(TENANT, 'pump', 'temperature'), '°C')
  const entry = b.table.device(TENANT, 'pump')
  const series = b.table.series(entry, 'temperature')
  assert.equal(b.registry.rules.ruleOf(series)?.max, 80)

  await b.registry.update(TENANT, 'pump', { name: '2' })
  await b.registry.products.update(TENANT, 'p', { metrics: { temperature: { max: 90 } } })
  await aSecond(a)
  assert.equal(a.registry.get(TENANT, 'pump')?.name, '2')
  assert.equal(a.registry.metricsOf(TENANT, 'pump')?.temperature.max, 90)

  await a.registry.remove(TENANT, 'pump')
  await a.registry.products.remove(TENANT, 'p')
  await aSecond(b)
  assert.equal(b.registry.get(TENANT, 'pump'), undefined)
  assert.equal(b.registry.products.get(TENANT, 'p'), undefined)
  assert.equal(b.registry.rules.ruleOf(series), undefined)
})

test('two patches of one device at once both count, whichever process they come to', async () => {
  const { a, b } = await twoProcesses()
  await a.registry.create(TENANT, { id: 'x' })
  await a.registry.products.create(TENANT, { id: 'p', name: 'P' })
  await Promise.all([
    a.registry.update(TENANT, 'x', { name: 'from a' }),
    b.registry.update(TENANT, 'x', { site: 'from b' }),
    a.registry.products.update(TENANT, 'p', { attributes: { a: 1 } }),
    b.registry.products.update(TENANT, 'p', { attributes: { b: 2 } }),
  ])
  await aSecond(a)
  for (const { registry } of [a, b]) {
    const { name, site } = registry.get(TENANT, 'x')!
    assert.deepEqual([name, site], ['from a', 'from b'])
    assert.deepEqual(registry.products.get(TENANT, 'p')?.attributes, { a: 1, b: 2 })
  }
})

test('of two processes that create one device, one is told that it exists', async () => {
  const { a, b } = await twoProcesses()
  const created = await Promise.allSettled(
    [a, b].map(({ registry }) => registry.create(TENANT, { id: 'x' })),
  )
  const failed = created.filter(({ status }) => status === 'rejected')
  assert.equal(failed.length, 1)
  assert.equal(((failed[0] as PromiseRejectedResult).reason as { kind: string }).kind, 'conflict')
})

test('a first contact takes nothing from what another process declared', async () => {
  const { a, b, catalog } = await twoProcesses()
  await a.registry.create(TENANT, { id: 'x', name: 'declared', attributes: { a: 1 } })
  b.send('x')
  await b.registry.flush()
  assert.equal(catalog.stored.get('default/x')?.name, 'declared')
  await aSecond(b)
  assert.equal(b.registry.get(TENANT, 'x')?.name, 'declared')
})

test('a first contact from before a removal brings nothing back, one from after it does', async () => {
  const { a, b, catalog } = await twoProcesses()
  await a.registry.create(TENANT, { id: 'x' })
  await aSecond(b)
  await a.registry.remove(TENANT, 'x')
  await a.registry.create(TENANT, { id: 'y' })
  await a.registry.remove(TENANT, 'y')
  b.send('x', 'y')
  await b.registry.flush()
  assert.equal(catalog.stored.size, 0)
  await aSecond(b)
  assert.deepEqual(idsOf(b), [])
  b.send('x')
  await b.registry.flush()
  await aSecond(a)
  assert.deepEqual([idsOf(a), idsOf(b)], [['x'], ['x']])
})

test('a device that is met is in the catalog at once, for the others to find', async () => {
  const { a, b } = await twoProcesses()
  assert.equal(a.registry.whenShared(), undefined)
  a.send('x')
  await a.registry.whenShared()
  assert.equal(a.registry.whenShared(), undefined)
  await b.registry.refresh()
  assert.notEqual(b.registry.get(TENANT, 'x'), undefined)
  a.send('y')
  await settle()
  await b.registry.refresh()
  assert.notEqual(b.registry.get(TENANT, 'y'), undefined)
})

test('many reads of what is not there ask the catalog a few times', async () => {
  const { b, catalog } = await twoProcesses()
  const polls = catalog.polls
  await Promise.all(Array.from({ length: 1000 }, () => b.registry.refresh()))
  assert.equal(catalog.polls - polls, 1)
  for (let i = 0; i < 20; i++) b.registry.refresh().catch(() => undefined)
  await b.registry.refresh()
  assert.equal(catalog.polls - polls, 2)
})

test('a catalog that does not answer holds up no read for long', async () => {
  const { a, b, catalog } = await twoProcesses()
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  catalog.gate = gate
  const created = b.registry.create(TENANT, { id: 'x' })
  await b.registry.refresh()
  assert.equal(b.registry.get(TENANT, 'x'), undefined)
  open()
  await created
  catalog.failing = true
  await a.registry.refresh()
  assert.equal(a.registry.get(TENANT, 'x'), undefined)
  catalog.failing = false
  await a.registry.refresh()
  assert.notEqual(a.registry.get(TENANT, 'x'), undefined)
})

test('a device is online everywhere while any process hears of it, and each tells so once', async () => {
  const { a, b, clock, catalog } = await twoProcesses({ startupGraceMs: 0 })
  a.send('x')
  await aSecond(a)
  await aSecond(a)
  // Six minutes, heard of by turns; a device may be silent for three.
  for (let minute = 0; minute < 6; minute++) {
    for (let second = 0; second < 60; second++) await aSecond(a)
    const process = minute % 2 === 0 ? b : a
    process.send('x')
  }
  await aSecond(a)
  await aSecond(a)
  const lastSeenMs = clock.nowMs() - 2 * SECOND
  for (const { registry, changes } of [a, b]) {
    assert.equal(registry.get(TENANT, 'x')?.status, 'online')
    assert.equal(registry.get(TENANT, 'x')?.lastSeenMs, lastSeenMs)
    assert.deepEqual(
      changes.map(({ from, to }) => [from, to]),
      [['unknown', 'online']],
    )
  }
  clock.advance(4 * MINUTE)
  for (const { registry, changes } of [a, b]) {
    assert.equal(registry.get(TENANT, 'x')?.status, 'offline')
    assert.equal(changes.length, 2)
  }
  await Promise.all([a, b].map(({ registry }) => registry.close()))
  assert.equal(catalog.stored.get('default/x')?.lastSeenMs, lastSeenMs)
})

test('of a device that many processes hear of, the one that heard last writes it', async () => {
  const { a, b, catalog } = await twoProcesses()
  a.send('x', 'only a')
  await a.registry.flush()
  const touched: string[] = []
  const touch = catalog.touchDevices.bind(catalog)
  catalog.touchDevices = seen => {
    touched.push(...seen.map(({ id }) => id))
    return touch(seen)
  }
  await aSecond(a)
  for (let second = 0; second < 58; second++) {
    const process = second % 2 === 0 ? a : b
    process.send('x')
    await aSecond(a)
  }
  a.send('only a')
  await aSecond(a)
  await aSecond(a)
  assert.deepEqual(touched.sort(), ['only a', 'x'])
})

test('who starts later knows what others heard of and have not written', async () => {
  const { a, catalog, clock } = await twoProcesses({ startupGraceMs: 0 })
  a.send('x')
  await aSecond(a)
  for (let second = 0; second < 30; second++) await aSecond(a)
  a.send('x')
  const seenMs = clock.nowMs()
  await aSecond(a)
  assert.notEqual(catalog.stored.get('default/x')?.lastSeenMs, seenMs)
  const late = await startProcess({ catalog, clock })
  assert.equal(late.registry.get(TENANT, 'x')?.lastSeenMs, seenMs)
})

test('while the catalog is away nothing is lost, and it is told when it is back', async () => {
  const { a, b, catalog, clock } = await twoProcesses()
  catalog.failing = true
  a.send('x', 'y')
  b.send('y', 'z')
  for (let second = 0; second < 100; second++) await aSecond(a)
  b.send('x')
  const seenMs = clock.nowMs()
  const told = a.errors.length
  assert.ok(told >= 1 && told < 20, `${told} errors in 100 s`)
  catalog.failing = false
  // However long the last wait was meant to be: a second until the poll, and one to read it.
  for (let second = 0; second < 3; second++) await aSecond(a)
  for (const process of [a, b]) {
    assert.deepEqual(idsOf(process), ['x', 'y', 'z'])
    assert.equal(process.registry.get(TENANT, 'x')?.lastSeenMs, seenMs)
  }
})

test('a process that is the only one never asks for changes', async () => {
  const { registry, catalog, clock, send } = await startProcess()
  send('a')
  for (let second = 0; second < 10; second++) clock.advance(SECOND)
  await registry.refresh()
  await registry.create(TENANT, { id: 'b' })
  await registry.update(TENANT, 'b', { name: 'B' })
  assert.equal(catalog.polls, 0)
})

const ids = ['a', 'b', 'c']
const step = fc.record({
  process: fc.nat(1),
  id: fc.constantFrom(...ids),
  act: fc.constantFrom('send', 'create', 'update', 'remove', 'product', 'drop', 'second', 'wait'),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

async function act({ registry, send, clock }: Process, { id, act }: Step, n: number) {
  if (act === 'send') send(id)
  else if (act === 'create') await registry.create(TENANT, { id, name: `${n}` })
  else if (act === 'update') await registry.update(TENANT, id, { attributes: { [`n${n}`]: n } })
  else if (act === 'remove') await registry.remove(TENANT, id)
  else if (act === 'product') {
    if (registry.products.get(TENANT, id) === undefined) {
      await registry.products.create(TENANT, { id, name: `${n}` })
    } else await registry.products.update(TENANT, id, { attributes: { [`n${n}`]: n } })
  } else if (act === 'drop') await registry.products.remove(TENANT, id)
  else if (act === 'second') clock.advance(SECOND)
  else await sleep(0)
}

test('whatever two processes do at once, they agree in the end, and the catalog with them', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
    const { a, b, catalog } = await twoProcesses()
    const under: Promise<unknown>[] = []
    const kept = new Map<string, string[]>(ids.map(id => [id, []]))
    for (const [n, each] of steps.entries()) {
      // Not waited for: what the two do overlaps. It may be too late, or not be there.
      const done = act(each.process === 0 ? a : b, each, n)
      const keep = (): void => void (each.act === 'update' && kept.get(each.id)!.push(`n${n}`))
      under.push(done.then(keep, () => undefined))
      if (n % 3 === 0) await Promise.resolve()
    }
    await Promise.all(under)
    await Promise.all([a.registry.flush(), b.registry.flush()])
    for (let second = 0; second < 3; second++) await aSecond(a)
    const shown = ({ registry }: Process): unknown => [
      registry.list(TENANT, {}, { limit: 99 }).devices,
      registry.products.list(TENANT),
    ]
    assert.deepEqual(shown(a), shown(b))
    for (const device of catalog.stored.values()) {
      const { name, attributes, createdAtMs } = a.registry.get(TENANT, device.id)!
      assert.deepEqual(
        { name, attributes, createdAtMs },
        { name: device.name, attributes: device.attributes, createdAtMs: device.createdAtMs },
      )
    }
    assert.deepEqual(idsOf(a), [...catalog.stored.values()].map(({ id }) => id).sort())
    const removed = steps.filter(({ act }) => act === 'remove').map(({ id }) => id)
    for (const id of ids.filter(each => !removed.includes(each))) {
      const { attributes = {} } = a.registry.get(TENANT, id) ?? {}
      assert.deepEqual(Object.keys(attributes).sort(), kept.get(id)!.sort(), 'no update is lost')
    }
    await until(() => a.registry.whenShared() === undefined)
    await Promise.all([a.registry.close(), b.registry.close()])
  })
  await fc.assert(property, { numRuns: 200 })
})
