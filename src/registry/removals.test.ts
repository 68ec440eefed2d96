import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../model/batch.ts'
import { aBatch, DAY, MINUTE, SECOND, startProcess, TENANT } from './registry.fixture.ts'

/** What the log has from before a restart: points of these devices at these times. */
function logged(times: Readonly<Record<string, number>>): Batch {
  const devices = Object.keys(times)
  const batch = aBatch(devices)
  const timestamps = Float64Array.from(batch.seriesIndex, s => {
    return 1000 * times[devices[batch.seriesDevice[s]]]
  })
  return { ...batch, timestamps }
}

test('a removed device comes back neither from the store nor from the log', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  first.send('gone', 'stays')
  const sentMs = clock.nowMs()
  await first.registry.flush()
  clock.advance(SECOND)
  assert.equal(await first.registry.remove(TENANT, 'gone'), true)
  await first.registry.close()

  const { registry, send } = await startProcess({ catalog, clock })
  for (const id of ['gone', 'stays', 'lost']) registry.adopt(TENANT, id, sentMs)
  // The newest point of the batch is another device's, and from after the removal.
  const later = clock.nowMs() + MINUTE
  registry.replay(logged({ gone: sentMs, stays: later, unknown: sentMs }), later)
  const ids = registry.list(TENANT, {}, { limit: 9 }).devices.map(({ id }) => id)
  assert.deepEqual(ids, ['lost', 'stays', 'unknown'])
  send('gone')
  assert.equal(registry.get(TENANT, 'gone')?.status, 'online', 'what it sends now registers it')
  await registry.close()
  assert.notEqual((await startProcess({ catalog, clock })).registry.get(TENANT, 'gone'), undefined)
})

test('points from after the removal bring a device back, from the store and from the log', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  first.send('a', 'b', 'c')
  await first.registry.flush()
  for (const id of ['a', 'b']) await first.registry.remove(TENANT, id)
  const { registry } = await startProcess({ catalog, clock })
  registry.adopt(TENANT, 'a', clock.nowMs() + SECOND)
  registry.replay(logged({ b: clock.nowMs() + SECOND }), clock.nowMs())
  assert.notEqual(registry.get(TENANT, 'a'), undefined)
  assert.notEqual(registry.get(TENANT, 'b'), undefined)
})

test('a removed device whose clock was ahead stays away too', async () => {
  const aheadMs = 5 * 3_600_000
  const first = await startProcess({ newestPointMs: () => clock.nowMs() + aheadMs })
  const { catalog, clock } = first
  first.send('ahead', 'b')
  await first.registry.flush()
  await first.registry.remove(TENANT, 'ahead')
  const { registry } = await startProcess({ catalog, clock })
  registry.adopt(TENANT, 'ahead', clock.nowMs() + aheadMs)
  registry.replay(logged({ ahead: clock.nowMs() + aheadMs }), clock.nowMs())
  assert.equal(registry.get(TENANT, 'ahead'), undefined)
})

test('the only device, removed, stays away, and so does one that no flush had saved', async () => {
  const { registry, catalog, clock, send } = await startProcess()
  send('only')
  assert.equal(catalog.stored.size, 0)
  await registry.remove(TENANT, 'only')
  const again = await startProcess({ catalog, clock })
  again.registry.adopt(TENANT, 'only', clock.nowMs())
  assert.equal(again.registry.get(TENANT, 'only'), undefined)
})

test('removals are forgotten after days of contacts, and the device stays away all the same', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  first.send('gone', 'stays')
  const sentMs = clock.nowMs()
  await first.registry.flush()
  await first.registry.remove(TENANT, 'gone')
  clock.advance(6 * DAY)
  first.send('stays')
  await first.registry.close()
  const second = await startProcess({ catalog, clock })
  assert.equal(catalog.noted.size, 1)
  clock.advance(2 * DAY)
  second.send('stays')
  await second.registry.close()
  const { registry } = await startProcess({ catalog, clock })
  assert.equal(catalog.noted.size, 0)
  registry.adopt(TENANT, 'gone', sentMs)
  assert.equal(registry.get(TENANT, 'gone'), undefined)
})

test('a silent fleet forgets nothing, however long it is silent', async () => {
  const { registry, catalog, clock, send } = await startProcess()
  send('gone', 'stays')
  const sentMs = clock.nowMs()
  await registry.flush()
  await registry.remove(TENANT, 'gone')
  clock.advance(400 * DAY)
  await registry.close()
  const again = await startProcess({ catalog, clock })
  again.registry.adopt(TENANT, 'gone', sentMs)
  assert.equal(again.registry.get(TENANT, 'gone'), undefined)
  assert.equal(catalog.noted.size, 1)
})
