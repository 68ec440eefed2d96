import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import type { TestOptions } from '../../../test/fixtures/http-services.ts'

const URL = '/products'
const PLAIN = { productId: 'P-100', name: 'Pump 100', price: 49.9 }
const DECLARED = {
  ...{ productId: 'boiler', name: 'Boiler', price: 0 },
  metrics: {
    temperature: { unit: '°C', type: 'number', min: -40, max: 85, onViolation: 'refuse' },
    running: { type: 'boolean' },
  },
  onViolation: 'flag',
  attributes: { vendor: 'ACME', tags: ['a'] },
  expectedIntervalMs: 5000,
}

async function withHost(run: (host: TestHost) => Promise<void>, options?: TestOptions) {
  const host = await testHost(options)
  await run(host)
  await host.app.close()
}

test('a plain product is created and comes back as it was sent', () =>
  withHost(async ({ post, get }) => {
    const created = await post(URL, PLAIN)
    assert.equal(created.status, 201)
    assert.deepEqual(created.json, PLAIN)
    assert.equal(created.headers.location, '/products/P-100')
    assert.match(created.headers['content-type'], /^application\/json/)
    assert.deepEqual((await get(`${URL}/P-100`)).json, PLAIN)
    assert.deepEqual((await get(URL)).json, [PLAIN])
  }))

test('an empty catalogue is an empty array, and what is not there is 404', () =>
  withHost(async ({ send, get }) => {
    assert.deepEqual((await get(URL)).json, [])
    assert.equal((await get(`${URL}/nobody`)).status, 404)
    assert.equal((await send('DELETE', `${URL}/nobody`)).status, 404)
    assert.equal((await send('PATCH', `${URL}/nobody`, { body: { price: 1 } })).status, 404)
    const body = { name: 'x', price: 1 }
    assert.equal((await send('PUT', `${URL}/nobody`, { body })).status, 404)
  }))

test('a product that exists is 409, and stays as it was', () =>
  withHost(async ({ post, get }) => {
    await post(URL, PLAIN)
    const { status, json } = await post(URL, { ...PLAIN, name: 'Other' })
    assert.deepEqual([status, json.title], [409, 'Conflict'])
    assert.deepEqual((await get(`${URL}/P-100`)).json, PLAIN)
  }))

test('input that is wrong is 400, and every wrong field is named', () =>
  withHost(async ({ post, get }) => {
    const fields = async (body: unknown): Promise<string[]> => {
      const { status, json } = await post(URL, body as object)
      assert.equal(status, 400, JSON.stringify(body))
      const listed = (json.errors ?? []).map((one: { field: string }) => one.field) as string[]
      return listed.length > 0 ? listed.sort() : [String(json.detail).split(' ')[0]]
    }
    assert.deepEqual(await fields({}), ['name', 'price', 'productId'])
    assert.deepEqual(await fields({ ...PLAIN, price: -1 }), ['price'])
    assert.deepEqual(await fields({ ...PLAIN, price: '5' }), ['price'])
    assert.deepEqual(await fields({ ...PLAIN, price: null }), ['price'])
    assert.deepEqual(await fields('{"productId":"a","name":"b","price":1e999}'), ['price'])
    assert.deepEqual(await fields({ ...PLAIN, name: '' }), ['name'])
    assert.deepEqual(await fields({ ...PLAIN, name: ' ' }), ['name'])
    assert.deepEqual(await fields({ ...PLAIN, name: 5 }), ['name'])
    assert.deepEqual(await fields({ ...PLAIN, productId: '' }), ['productId'])
    assert.deepEqual(await fields({ ...PLAIN, productId: 7 }), ['productId'])
    assert.deepEqual(await fields({ ...PLAIN, productId: 'a/b' }), ['productId'])
    assert.deepEqual(await fields({ ...PLAIN, colour: 'red' }), ['colour'])
    const metric = (declared: object): object => ({ ...PLAIN, metrics: { t: declared } })
    assert.deepEqual(await fields(metric({ min: 2, max: 1 })), ['metrics.t.min'])
    assert.deepEqual(await fields(metric({ minimum: 2 })), ['metrics.t.minimum'])
    assert.deepEqual(await fields(metric({ type: 'float' })), ['metrics.t.type'])
    assert.deepEqual(await fields({ ...PLAIN, onViolation: 'x' }), ['onViolation'])
    assert.deepEqual(await fields('[]'), [''])
    assert.deepEqual(await fields('{"productId":'), [''])
    assert.deepEqual((await get(URL)).json, [])
    assert.equal((await get(`${URL}?page=2`)).status, 400)
  }))

test('declarations are kept, changed by merge patch and by replacement, and removed', () =>
  withHost(async ({ post, get, send }) => {
    assert.deepEqual((await post(URL, DECLARED)).json, DECLARED)
    const body = {
      price: 3,
      onViolation: 'refuse',
      metrics: { temperature: { max: 100, unit: null }, running: null },
      attributes: { vendor: null },
      expectedIntervalMs: null,
    }
    const patched = await send('PATCH', `${URL}/boiler`, { body })
    assert.equal(patched.status, 200)
    assert.deepEqual(patched.json, {
      ...{ productId: 'boiler', name: 'Boiler', price: 3, onViolation: 'refuse' },
      metrics: { temperature: { type: 'number', min: -40, max: 100, onViolation: 'refuse' } },
      attributes: { tags: ['a'] },
    })
    const other = { body: { productId: 'x', name: 'B' } }
    assert.equal((await send('PATCH', `${URL}/boiler`, other)).json.errors[0].field, 'productId')
    assert.equal((await send('PATCH', `${URL}/boiler`, { body: { name: null } })).status, 400)
    const anew = { productId: 'boiler', name: 'Anew', price: 1 }
    assert.deepEqual((await send('PUT', `${URL}/boiler`, { body: anew })).json, anew)
    const half = await send('PUT', `${URL}/boiler`, { body: { name: 'x' } })
    assert.deepEqual([half.status, half.json.errors[0].field], [400, 'price'])
    assert.deepEqual((await get(`${URL}/boiler`)).json, anew)
    const removed = await send('DELETE', `${URL}/boiler`)
    assert.deepEqual([removed.status, removed.text], [204, ''])
    assert.equal((await get(`${URL}/boiler`)).status, 404)
  }))

test('more products than are allowed are 503 with the name of the bound', () =>
  withHost(
    async ({ post }) => {
      await post(URL, PLAIN)
      const { status, json } = await post(URL, { ...PLAIN, productId: 'b' })
      assert.deepEqual([status, json.limit], [503, 'devices.maxProducts'])
    },
    { maxProducts: 1 },
  ))

test('units and declarations are where the readings are', () =>
  withHost(async ({ post, get }) => {
    await post(URL, DECLARED)
    await post('/api/v1/devices', { id: 'b1', product: 'boiler' })
    const data = { temperature: 21, other: 5 }
    const sent = { device_id: 'b1', timestamp: '2026-11-20T09:00:00Z', data }
    assert.deepEqual((await post('/api/v1/telemetry', sent)).json, { accepted: 2, rejected: [] })

    assert.deepEqual((await get('/api/v1/devices/b1')).json.metrics, {
      temperature: { unit: '°C', type: 'number', min: -40, max: 85, on_violation: 'refuse' },
      running: { type: 'boolean' },
    })
    const row = { device_id: 'b1', timestamp: '2026-11-20T09:00:00.000Z' }
    assert.deepEqual((await get('/api/v1/telemetry/latest?device_id=b1')).json.data, [
      { ...row, metric: 'temperature', value: 21, unit: '°C' },
      { ...row, metric: 'other', value: 5 },
    ])
    const page = (await get('/api/v1/telemetry/b1')).json
    assert.deepEqual(page.units, { temperature: '°C' })
    assert.deepEqual(page.data, [{ timestamp: row.timestamp, temperature: 21, other: 5 }])
    const { series } = (await post('/api/v1/query', { devices: ['b1'] })).json
    const units = series.map((one: { metric: string; unit?: string }) => [one.metric, one.unit])
    assert.deepEqual(units, [
      ['temperature', '°C'],
      ['other', undefined],
    ])
    await post('/api/v1/telemetry', { device_id: 'free', data: { temperature: 1 } })
    assert.equal('units' in (await get('/api/v1/telemetry/free')).json, false)
  }))

test('a refused value is an error that names it, and a flagged one is counted in the answer', () =>
  withHost(async ({ post }) => {
    await post(URL, DECLARED)
    await post('/api/v1/devices', { id: 'b1', product: 'boiler' })
    const message = (data: object): object => ({ device_id: 'b1', data })
    const refused = await post('/api/v1/telemetry', message({ temperature: 86 }))
    assert.equal(refused.status, 400)
    assert.deepEqual(refused.json.errors, [
      {
        ...{ index: 0, field: 'data.temperature' },
        detail: 'must not be above 85 °C, says product "boiler"',
      },
    ])
    const { json } = await post('/api/v1/telemetry', message({ temperature: -41, running: 7 }))
    assert.deepEqual(
      { ...json, rejected: json.rejected.length },
      { accepted: 1, flagged: 1, rejected: 1 },
    )
  }))
