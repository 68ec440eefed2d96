import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, MINUTE, SECOND, startProcess, TENANT } from './registry.fixture.ts'

test('a device is unknown until its first message, then online, then offline when silent', async () => {
  const { registry, clock, changes, send } = await startProcess()
  await registry.create(TENANT, { id: 'a' })
  clock.advance(DAY)
  assert.equal(registry.statusOf(TENANT, 'a'), 'unknown')
  assert.deepEqual(changes, [])

  send('a')
  assert.equal(registry.statusOf(TENANT, 'a'), 'online')
  const seenMs = clock.nowMs()
  clock.advance(3 * MINUTE)
  assert.equal(registry.statusOf(TENANT, 'a'), 'online')
  clock.advance(SECOND)
  assert.equal(registry.statusOf(TENANT, 'a'), 'offline')
  send('a')
  clock.advance(SECOND)
  const at = { tenant: TENANT, id: 'a' }
  assert.deepEqual(changes, [
    { ...at, from: 'unknown', to: 'online', atMs: seenMs + SECOND },
    { ...at, from: 'online', to: 'offline', atMs: seenMs + 3 * MINUTE + SECOND },
    { ...at, from: 'offline', to: 'online', atMs: seenMs + 3 * MINUTE + 2 * SECOND },
  ])
})

test('the interval is the device’s own, else its product’s, else the default', async () => {
  const { registry, clock, send } = await startProcess({ startupGraceMs: 0 })
  await registry.products.create(TENANT, { id: 'fast', name: 'Fast', expectedIntervalMs: SECOND })
  await registry.create(TENANT, { id: 'own', product: 'fast', expectedIntervalMs: 10 * SECOND })
  await registry.create(TENANT, { id: 'product', product: 'fast' })
  await registry.create(TENANT, { id: 'later', product: 'declared-later' })
  const statuses = (): unknown[] =>
    ['own', 'product', 'later', 'default'].map(id => registry.statusOf(TENANT, id))
  send('own', 'product', 'later', 'default')
  clock.advance(4 * SECOND)
  assert.deepEqual(statuses(), ['online', 'offline', 'online', 'online'])
  await registry.products.create(TENANT, { id: 'declared-later', name: 'L', expectedIntervalMs: 1 })
  assert.deepEqual(statuses(), ['online', 'offline', 'offline', 'online'])
  clock.advance(30 * SECOND)
  assert.deepEqual(statuses(), ['offline', 'offline', 'offline', 'online'])
  await registry.update(TENANT, 'own', { expectedIntervalMs: null, product: null })
  assert.equal(registry.statusOf(TENANT, 'own'), 'online')
})

test('a restart after hours changes no status until each device has had its grace', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  await first.registry.create(TENANT, { id: 'never' })
  first.send('dead')
  clock.advance(DAY)
  first.send('a', 'b')
  await first.registry.close()
  clock.jump(5 * 60 * MINUTE)

  const { registry, changes, send } = await startProcess({ catalog, clock })
  assert.deepEqual(registry.counts(), { online: 2, offline: 1, unknown: 1 })
  assert.equal(registry.statusOf(TENANT, 'dead'), 'offline')
  clock.advance(2 * MINUTE)
  send('b')
  clock.advance(2 * MINUTE)
  assert.deepEqual(changes, [])
  assert.deepEqual(registry.counts(), { online: 2, offline: 1, unknown: 1 })

  clock.advance(SECOND)
  assert.deepEqual(
    changes.map(({ id, from, to }) => [id, from, to]),
    [['a', 'online', 'offline']],
  )
  send('dead')
  clock.advance(SECOND)
  assert.deepEqual(changes.map(({ id, to }) => [id, to]).slice(1), [['dead', 'online']])
})

test('restarts in a row neither raise nor hide that a device fell silent', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  first.send('a', 'b')
  await first.registry.close()
  for (let restart = 0; restart < 5; restart++) {
    const { registry, changes, send } = await startProcess({ catalog, clock })
    clock.advance(MINUTE)
    send('b')
    assert.equal(registry.statusOf(TENANT, 'b'), 'online')
    assert.deepEqual(changes, [])
    await registry.close()
  }
  const last = await startProcess({ catalog, clock })
  assert.equal(last.registry.statusOf(TENANT, 'a'), 'offline')
  assert.equal(last.registry.statusOf(TENANT, 'b'), 'online')
})

test('a last contact in the future, of a clock that was wrong, keeps nobody online', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  clock.jump(365 * DAY)
  first.send('a')
  await first.registry.close()
  clock.jump(-365 * DAY)

  const { registry, send } = await startProcess({ catalog, clock })
  assert.equal(registry.get(TENANT, 'a')?.lastSeenMs, clock.nowMs())
  clock.advance(5 * MINUTE)
  assert.equal(registry.statusOf(TENANT, 'a'), 'offline')
  clock.jump(DAY)
  send('a')
  clock.jump(-DAY)
  send('a')
  assert.equal(registry.get(TENANT, 'a')?.lastSeenMs, clock.nowMs())
})

test('a machine that slept gives its devices their grace, as after a restart', async () => {
  const { registry, clock, changes, send } = await startProcess()
  send('dead')
  clock.advance(10 * MINUTE)
  send('a')
  clock.advance(SECOND)
  changes.length = 0
  clock.jump(8 * 60 * MINUTE)
  clock.advance(4 * MINUTE)
  assert.deepEqual(changes, [])
  assert.deepEqual(registry.counts(), { online: 1, offline: 1, unknown: 0 })
  clock.advance(2 * SECOND)
  assert.deepEqual(
    changes.map(({ id, to }) => [id, to]),
    [['a', 'offline']],
  )
})

test('a listener that throws is reported and hides nothing from the others', async () => {
  const { registry, clock, changes, errors, send } = await startProcess()
  const seen: string[] = []
  registry.onStatusChange(() => {
    throw new Error('broken listener')
  })
  const stop = registry.onStatusChange(change => void seen.push(change.id))
  send('a', 'b')
  clock.advance(SECOND)
  assert.deepEqual(seen, ['a', 'b'])
  assert.equal(changes.length, 2)
  assert.equal(errors.length, 2)
  stop()
  send('c')
  clock.advance(SECOND)
  assert.equal(seen.length, 2)
})
