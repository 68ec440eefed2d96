import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import { NOW } from '../../../test/fixtures/http-services.ts'

async function withHost(run: (host: TestHost) => Promise<void>) {
  const host = await testHost()
  await run(host)
  await host.app.close()
}

const TIME = '2026-11-20T09:00:00.000Z'
const record = { device_id: 'room 1', sensor_type: 'humidity', value: 40.5, timestamp: TIME }

test('a record is answered as stored, and comes back the same', () =>
  withHost(async ({ post, get }) => {
    const stored = { ...record, unit: '%' }
    const { status, json } = await post('/api/data', stored)
    assert.equal(status, 201)
    assert.deepEqual(json, stored)
    assert.deepEqual((await get('/api/data')).json, [stored])
    assert.deepEqual((await get('/api/data?device_id=room%201&sensor_type=humidity')).json, [
      stored,
    ])
    assert.deepEqual((await get('/api/data?device_id=nobody')).json, [])
  }))

test('without time and unit a record has the time of its arrival, and the unit known', () =>
  withHost(async ({ post }) => {
    const bare = { device_id: 'd', sensor_type: 't', value: true }
    const first = await post('/api/data', bare)
    assert.deepEqual(first.json, { ...bare, value: 1, unit: null, timestamp: NOW })
    await post('/api/data', { ...bare, unit: 'K' })
    assert.equal((await post('/api/data', bare)).json.unit, 'K')
    assert.equal((await post('/api/data', { ...bare, device_id: 'e' })).json.unit, null)
    assert.equal((await post('/api/data', { ...bare, unit: '°C' })).json.unit, '°C')
  }))

test('records come newest first, of all sensors or of some, as many as asked for', () =>
  withHost(async ({ post, get }) => {
    for (const [device_id, sensor_type, value, timestamp] of [
      ['a', 't', 1, 10],
      ['b', 't', 2, 40],
      ['a', 'u', 'text', 30],
      ['a', 't', 3, 20],
    ]) {
      await post('/api/data', { device_id, sensor_type, value, timestamp })
    }
    const values = async (query: string): Promise<unknown[]> =>
      ((await get(`/api/data?${query}`)).json as { value: unknown }[]).map(({ value }) => value)
    assert.deepEqual(await values(''), [2, 'text', 3, 1])
    assert.deepEqual(await values('limit=2'), [2, 'text'])
    assert.deepEqual(await values('device_id=a'), ['text', 3, 1])
    assert.deepEqual(await values('sensor_type=t'), [2, 3, 1])
    assert.deepEqual(await values('sensor_type=t&limit=1&device_id=a'), [3])
  }))

test('a point that came through another door is a record too', () =>
  withHost(async ({ post, get }) => {
    await post('/api/v1/telemetry', { device_id: 'd', timestamp: TIME, data: { t: 5 } })
    const sensor = { device_id: 'd', sensor_type: 't' }
    assert.deepEqual((await get('/api/data')).json, [
      { ...sensor, value: 5, unit: null, timestamp: TIME },
    ])
    await post('/api/data', { ...sensor, value: 6, timestamp: NOW })
    const latest = await get('/api/v1/telemetry/latest?device_id=d')
    assert.equal(latest.json.data[0].value, 6)
  }))

test('what is wrong with a record is said by its field, and nothing of it is stored', () =>
  withHost(async ({ post, get }) => {
    for (const [change, field] of [
      [{ device_id: undefined }, 'device_id'],
      [{ sensor_type: 5 }, 'sensor_type'],
      [{ value: undefined }, 'value'],
      [{ value: { x: 1 } }, 'value'],
      [{ value: null }, 'humidity'],
      [{ timestamp: 'never' }, 'timestamp'],
    ] as const) {
      const { status, json } = await post('/api/data', { ...record, ...change, stray: 1 })
      assert.equal(status, 400)
      const fields = (json.errors as { field: string }[]).map(error => error.field)
      assert.ok(fields.includes(field), `${field} is not among ${fields.join(', ')}`)
    }
    assert.equal((await post('/api/data', '{"device_id"')).status, 400)
    assert.equal((await post('/api/data', '[]')).status, 400)
    assert.equal((await post('/api/data')).status, 400)
    assert.equal((await get('/api/data?limit=0')).status, 400)
    assert.deepEqual((await get('/api/data')).json, [])
  }))

test('a unit that is none, and stray fields, are told and cost only themselves', () =>
  withHost(async ({ post }) => {
    const { status, json } = await post('/api/data', { ...record, unit: 5, colour: 'red' })
    assert.equal(status, 201)
    assert.deepEqual(
      (json.rejected as { field: string }[]).map(({ field }) => field),
      ['colour', 'unit'],
    )
    assert.equal(json.unit, null)
    assert.equal(json.value, 40.5)
  }))
