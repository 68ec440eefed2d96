import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { until } from '../../test/fixtures/until.ts'
import { WeirError } from '../ports/errors.ts'
import type { DevicePatch } from './device-input.ts'
import type { DeviceView } from './device-list.ts'
import { Locations } from './locations.ts'

function setUp() {
  const devices = new Map<string, DeviceView>()
  const patches: [string, DevicePatch][] = []
  const errors: unknown[] = []
  const clock = fakeClock()
  let failure: Error | undefined
  const add = (id: string, fields: Partial<DeviceView> = {}): void => {
    devices.set(`t ${id}`, { tenant: 't', id, attributes: {}, ...fields } as DeviceView)
  }
  const registry = {
    get: (tenant: string, id: string) => devices.get(`${tenant} ${id}`),
    async update(tenant: string, id: string, patch: DevicePatch) {
      if (failure !== undefined) throw failure
      patches.push([id, patch])
      const view = devices.get(`${tenant} ${id}`) as DeviceView
      const { attributes = {}, site = view.site } = patch
      devices.set(`${tenant} ${id}`, {
        ...view,
        site: site ?? undefined,
        attributes: { ...view.attributes, ...attributes },
      })
      return view
    },
  }
  const locations = new Locations({ registry, clock, onError: error => errors.push(error) })
  const fail = (error: Error | undefined): void => void (failure = error)
  return { locations, clock, patches, errors, add, fail }
}

test('a location is known at once, and written once for many messages', async () => {
  const { locations, clock, patches, add } = setUp()
  add('d', { site: 'plant' })
  assert.equal(locations.get('t', 'd'), 'plant')
  for (const location of ['hall', 'yard', 'yard']) locations.tell('t', 'd', location)
  assert.equal(locations.get('t', 'd'), 'yard')
  assert.equal(locations.get('other', 'd'), undefined)
  assert.deepEqual(patches, [])
  clock.advance(1000)
  await until('it is written', () => patches.length === 1)
  assert.deepEqual(patches, [['d', { attributes: { location: 'yard' } }]])
  locations.tell('t', 'd', 'yard')
  await locations.close()
  assert.equal(patches.length, 1)
  assert.equal(locations.get('t', 'd'), 'yard')
})

test('a device without a site gets the location as its site too', async () => {
  const { locations, patches, add } = setUp()
  add('d')
  locations.tell('t', 'd', 'hall')
  await locations.close()
  assert.deepEqual(patches, [['d', { attributes: { location: 'hall' }, site: 'hall' }]])
})

test('many devices that move are written in turns, and all at the end', async () => {
  const { locations, clock, patches, add } = setUp()
  for (let i = 0; i < 120; i++) {
    add(`d${i}`)
    locations.tell('t', `d${i}`, 'hall')
  }
  clock.advance(1000)
  await until('the first turn is over', () => patches.length === 50)
  await locations.close()
  assert.equal(patches.length, 120)
})

test('what fails for now is tried again, what fails for good is let go', async () => {
  const { locations, clock, patches, errors, add, fail } = setUp()
  add('d')
  locations.tell('t', 'd', 'hall')
  locations.tell('t', 'gone', 'hall')
  fail(new WeirError('retryable', 'the catalog is busy'))
  clock.advance(1000)
  await until('the error is told', () => errors.length === 1)
  fail(new WeirError('rejected', 'attributes are too large'))
  clock.advance(1000)
  await until('it is let go', () => locations.get('t', 'd') === undefined)
  fail(undefined)
  await locations.close()
  assert.deepEqual(patches, [])
})
