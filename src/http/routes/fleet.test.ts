import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NOW } from '../../../test/fixtures/http-services.ts'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import type { TestOptions } from '../../../test/fixtures/http-services.ts'

async function withHost(run: (host: TestHost) => Promise<void>, options?: TestOptions) {
  const host = await testHost(options)
  await run(host)
  await host.app.close()
}

const UUID = '00000000-0000-4000-8000-000000000001'

test('a record is answered with what was stored, and is the latest of its device', () =>
  withHost(async ({ post, get }) => {
    const record = { x_coord: 1.2, y_coord: -3.4, device_time: '2026-11-20T09:59:00+00:00' }
    const { status, json } = await post('/api/telemetry/truck%201', record)
    assert.equal(status, 201)
    const stored = {
      device_id: 'truck 1',
      device_uuid: UUID,
      alias: null,
      x_coord: 1.2,
      y_coord: -3.4,
      device_time: '2026-11-20T09:59:00.000Z',
      system_time_utc: NOW,
    }
    assert.deepEqual(json, stored)
    assert.deepEqual((await get('/api/telemetry/latest/truck%201')).json, stored)
    assert.deepEqual((await get('/api/telemetry/latest')).json, stored)
  }))

test('a record without device_time has the time of its arrival, and the alias is the name', () =>
  withHost(async ({ post, send }) => {
    await post('/api/v1/devices', { id: 'd', name: 'The "first"' })
    const { json } = await post('/api/telemetry/d', { on: true, motor: { rpm: 5 }, state: 'a"b' })
    assert.deepEqual(json, {
      ...{ device_id: 'd', device_uuid: UUID, alias: 'The "first"' },
      ...{ on: 1, 'motor.rpm': 5, state: 'a"b', device_time: NOW, system_time_utc: NOW },
    })
    assert.equal((await send('HEAD', '/api/telemetry/latest/d')).status, 200)
  }))

test('metrics with hostile names come back under them', () =>
  withHost(async ({ post }) => {
    const body = '{"__proto__":1,"constructor":2,"\\"}":3,"é\\u2028":4,"toString":"x"}'
    const { status, text } = await post('/api/telemetry/d', body)
    assert.equal(status, 201)
    const parsed = JSON.parse(text) as Record<string, unknown>
    assert.equal(Object.getOwnPropertyDescriptor(parsed, '__proto__')?.value, 1)
    assert.deepEqual(
      [parsed.constructor, parsed['"}'], parsed['é\u2028'], parsed.toString],
      [2, 3, 4, 'x'],
    )
  }))

test('metrics named like the fields of a record do not replace them, and are stored', () =>
  withHost(async ({ post, get }) => {
    const { json } = await post('/api/telemetry/d', { device_id: 'other', alias: 5, x: 1 })
    assert.equal(json.device_id, 'd')
    assert.equal(json.alias, null)
    const native = await get('/api/v1/telemetry/latest?device_id=d&metric=alias')
    assert.equal(native.json.data[0].value, 5)
  }))

test('of a record with a bad metric the good ones are stored, and the bad one is named', () =>
  withHost(async ({ post }) => {
    const { status, json } = await post('/api/telemetry/d', '{"x":1,"y":null,"z":1e999}')
    assert.equal(status, 201)
    assert.equal(json.x, 1)
    assert.deepEqual(
      json.rejected.map((one: { field: string }) => one.field),
      ['y', 'z'],
    )
  }))

test('a record with nothing to store is 400', () =>
  withHost(async ({ post, observed }) => {
    const bodies = ['', '{}', '[]', '5', '{"x":null}', '{"x":1,"device_time":"soon"}', '{"x":']
    for (const body of bodies) {
      const { status, json } = await post('/api/telemetry/d', body)
      assert.equal(status, 400, body)
      assert.ok(json.detail.length > 5)
    }
    assert.equal((await post('/api/telemetry/a%2Fb', '{"x":1}')).status, 400)
    assert.equal((await post(`/api/telemetry/${'x'.repeat(257)}`, '{"x":1}')).status, 400)
    assert.equal((await post('/api/telemetry/d?a=1', '{"x":1}')).status, 400)
    assert.equal((await post('/api/telemetry/%zz', '{"x":1}')).status, 400)
    // Patterns, never paths: the label of a metric must not grow with what clients send.
    assert.deepEqual(
      [...new Set(observed)],
      ['POST /api/telemetry/:device_id 400', 'POST unmatched 400'],
    )
  }))

test('the longest device ids fit into a path, whatever they are made of', () =>
  withHost(async ({ post, get }) => {
    for (const id of ['x'.repeat(256), '泵'.repeat(85), 'a b/'.replace('/', '+?#%')]) {
      const path = encodeURIComponent(id)
      assert.equal((await post(`/api/telemetry/${path}`, '{"x":1}')).json.device_id, id)
      assert.equal((await get(`/api/telemetry/latest/${path}`)).json.device_id, id)
    }
  }))

test('the newest is told by device time, not by arrival', () =>
  withHost(async ({ post, get }) => {
    await post('/api/telemetry/a', { x: 2, device_time: '2026-11-20T09:00:00Z' })
    await post('/api/telemetry/b', { x: 1, device_time: '2026-11-20T08:00:00Z' })
    await post('/api/telemetry/a', { x: 0, device_time: '2026-11-20T07:00:00Z' })
    const { json } = await get('/api/telemetry/latest')
    assert.deepEqual([json.device_id, json.x], ['a', 2])
  }))

test('what is not there is 404', () =>
  withHost(async ({ get, post }) => {
    for (const url of ['/api/telemetry/latest', '/api/telemetry/latest/x', '/api/telemetry/x']) {
      assert.equal((await get(url)).status, 404, url)
    }
    await post('/api/v1/devices', { id: 'silent' })
    assert.equal((await get('/api/telemetry/latest/silent')).status, 404)
  }))

test('records come back newest first, within the range and the limit', () =>
  withHost(async ({ post, get, clock }) => {
    const times = ['09:00', '09:10', '09:20', '09:59']
    for (const [i, time] of times.entries()) {
      const body = i === 1 ? { y: i } : { x: i, y: i, note: `n${i}` }
      await post('/api/telemetry/d', { ...body, device_time: `2026-11-20T${time}:00Z` })
    }
    const seen = async (query: string): Promise<number[]> => {
      const { json } = await get(`/api/telemetry/d?${query}`)
      return json.map((record: { y: number }) => record.y)
    }
    assert.deepEqual(await seen(''), [3, 2, 1, 0])
    assert.deepEqual(await seen('limit=2'), [3, 2])
    assert.deepEqual(await seen('start_time=2026-11-20T09:10:00Z'), [3, 2, 1])
    assert.deepEqual(await seen('end_time=2026-11-20T09:20:00Z'), [1, 0])
    assert.deepEqual(await seen('end_time=2026-11-20T09:20:00Z&limit=1'), [1])
    const start = Date.parse('2026-11-20T09:10:00Z')
    for (const number of [start / 1000, start, `${start}000`, `${start}000000`]) {
      assert.deepEqual(await seen(`start_time=${number}`), [3, 2, 1], String(number))
    }
    assert.deepEqual(await seen('start_time=2026-11-20T10:10:00+01:00'), [3, 2, 1])
    assert.deepEqual(await seen('latest_seconds=60'), [3])
    assert.deepEqual(await seen('latest_seconds=59.5'), [])
    assert.deepEqual(await seen('latest_seconds=1e1'.replace('1e1', '99999999999')), [3, 2, 1, 0])
    clock.advance(1)
    const [first] = (await get('/api/telemetry/d?limit=1')).json
    assert.deepEqual(first, {
      ...{ device_id: 'd', device_uuid: UUID, alias: null, x: 3, y: 3, note: 'n3' },
      ...{ device_time: '2026-11-20T09:59:00.000Z', system_time_utc: null },
    })
  }))

test('parameters that are wrong are named', () =>
  withHost(async ({ post, get }) => {
    await post('/api/telemetry/d', { x: 1 })
    const cases: [string, string][] = [
      ['limit=0', 'limit'],
      ['limit=x', 'limit'],
      ['limit=1.5', 'limit'],
      ['limit=1&limit=2', 'limit'],
      ['limit=100001', 'limit'],
      ['start_time=soon', 'start_time'],
      ['end_time=-5', 'end_time'],
      ['end_time=', 'end_time'],
      ['latest_seconds=-1', 'latest_seconds'],
      ['from=1', 'from'],
      ['__proto__=1', '__proto__'],
    ]
    for (const [query, field] of cases) {
      const { status, json } = await get(`/api/telemetry/d?${query}`)
      assert.equal(status, 400, query)
      assert.equal(json.errors[0].field, field, query)
    }
  }))

test('the count is of all points, settled or not, and the devices are listed', () =>
  withHost(async ({ get, post }) => {
    assert.deepEqual((await get('/api/telemetry/count')).json, { count: 10 })
    await post('/api/telemetry/b', { x: 1 })
    await post('/api/telemetry/a', { x: 1 })
    assert.deepEqual((await get('/api/devices')).json, [
      { device_id: 'a', device_uuid: UUID, alias: null },
      { device_id: 'b', device_uuid: UUID, alias: null },
    ])
    assert.equal((await get('/api/devices?limit=1')).json.length, 1)
    assert.deepEqual((await get('/api/health?probe=1')).json, { status: 'ok' })
  }))
