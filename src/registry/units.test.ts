import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { until } from '../../test/fixtures/until.ts'
import type { MetricUnit, UnitStore } from '../ports/units.ts'
import { Units } from './units.ts'

function memoryStore() {
  const saved: MetricUnit[][] = []
  const store: UnitStore & { failing: boolean; saved: MetricUnit[][] } = {
    failing: false,
    saved,
    isShared: false,
    since: version =>
      Promise.resolve({ version: saved.length, units: saved.slice(version).flat() }),
    async save(units) {
      if (store.failing) throw new Error('the disk is full')
      saved.push([...units])
    },
    close: () => Promise.resolve(),
  }
  return store
}

const of = (unit: string, tenant = 't'): MetricUnit => ({ tenant, device: 'd', metric: 'm', unit })

test('a unit is known at once, saved within a second, and known after a restart', async () => {
  const store = memoryStore()
  const clock = fakeClock()
  const units = await Units.open({ store, clock, onError: assert.ifError })
  assert.equal(units.get('t', 'd', 'm'), undefined)
  units.tell(of('K'))
  assert.equal(units.get('t', 'd', 'm'), 'K')
  assert.equal(units.get('u', 'd', 'm'), undefined)
  clock.advance(1000)
  await until('it is saved', () => store.saved.length === 1)
  const again = await Units.open({ store, clock, onError: assert.ifError })
  assert.equal(again.get('t', 'd', 'm'), 'K')
  await units.close()
  await again.close()
})

test('only what changed is saved, the last of it', async () => {
  const store = memoryStore()
  const units = await Units.open({ store, clock: fakeClock(), onError: assert.ifError })
  units.tell(of('K'))
  units.tell(of('°C'))
  units.tell(of('bar', 'u'))
  await units.flush()
  units.tell(of('°C'))
  await units.flush()
  await units.close()
  assert.deepEqual(store.saved, [[of('°C'), of('bar', 'u')]])
})

test('what could not be saved is tried again, unless it has changed since', async () => {
  const store = memoryStore()
  const clock = fakeClock()
  const errors: unknown[] = []
  const units = await Units.open({ store, clock, onError: error => errors.push(error) })
  store.failing = true
  units.tell(of('K'))
  units.tell(of('bar', 'u'))
  const failed = units.flush()
  units.tell(of('°C'))
  await assert.rejects(failed, /disk is full/)
  clock.advance(1000)
  await until('the tick has told its error', () => errors.length === 1)
  store.failing = false
  await units.close()
  assert.deepEqual(
    store.saved.flat().map(({ unit }) => unit),
    ['°C', 'bar'],
  )
})
