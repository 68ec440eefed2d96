import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import { keyedHost } from '../../../test/fixtures/keyed-host.ts'
import type { TestOptions } from '../../../test/fixtures/http-services.ts'
import { WeirError } from '../../ports/errors.ts'

const URL = '/api/v1/k3y/telemetry'
const ATTRIBUTES = '/api/v1/k3y/attributes'
/** Where nobody has keys, the token is the name of the device. */
const DEVICE = 'k3y'

async function withHost(run: (host: TestHost) => Promise<void>, options?: TestOptions) {
  const host = await testHost(options)
  await run(host)
  await host.app.close()
}

test("a token's telemetry is its device's, and read through the native API", () =>
  withHost(async ({ post, get }) => {
    const ts = Date.parse('2026-11-20T09:00:00Z')
    const ok = { accepted: 1, rejected: [] }
    assert.deepEqual((await post(URL, { temperature: 21 })).json, ok)
    assert.deepEqual((await post(URL, [{ ts, values: { temperature: 20 } }])).json, ok)
    const gzip = { 'content-encoding': 'gzip', 'content-type': 'application/json' }
    assert.equal((await post(URL, gzipSync('{"a":1}'), gzip)).status, 200)
    const url = `/api/v1/telemetry/${encodeURIComponent(DEVICE)}?metric=temperature`
    assert.deepEqual(
      (await get(url)).json.data.map((row: { temperature: number }) => row.temperature),
      [20, 21],
    )
    const latest = (await get('/api/v1/telemetry/latest?metric=temperature')).json.data
    assert.deepEqual([latest[0].device_id, latest[0].value], [DEVICE, 21])
  }))

test('what is wrong is named, and the rest is kept', () =>
  withHost(async ({ post }) => {
    const some = await post(URL, [{ t: 1 }, { t: null }])
    assert.equal(some.status, 200)
    assert.deepEqual([some.json.accepted, some.json.rejected[0].index], [1, 1])
    const none = await post(URL, { t: null })
    assert.deepEqual([none.status, none.json.errors[0].field], [400, 't'])
    for (const body of ['{"t":', '', Buffer.from([0xff])]) {
      assert.equal((await post(URL, body)).status, 400)
    }
    assert.equal((await post(URL, '{}', { 'content-encoding': 'br' })).status, 415)
  }))

test('where keys are asked for, the token is the key of a device', async t => {
  const { post, get, issue, observed, errors, log } = await keyedHost(t)
  const key = await issue({ scopes: ['ingest'], device: 'pump' })
  const whole = await issue({ scopes: ['ingest'] })
  assert.equal((await post(`/api/v1/${key}/telemetry`, { t: 1 })).status, 200)
  assert.equal((await post(`/api/v1/${key}/attributes`, { color: 'red' })).status, 200)
  assert.deepEqual((await get(`/api/v1/${key}/attributes`)).json.client, { color: 'red' })
  assert.deepEqual(log.entries[0].batch.devices, ['pump'])
  assert.equal((await post(`/api/v1/${whole}/telemetry`, { t: 1 })).status, 403)
  for (const answer of [
    await post('/api/v1/unknown/telemetry', { t: 1 }),
    await post('/api/v1/unknown/attributes', { t: 1 }),
    await get('/api/v1/unknown/attributes'),
    await post('/api/v1/pump/telemetry', { t: 1 }),
  ]) {
    assert.equal(answer.status, 401)
    assert.ok(!answer.text.includes('unknown'))
  }
  assert.equal(log.appends, 1)
  assert.ok(![...observed, JSON.stringify(errors)].some(line => /unknown|weir_/.test(line)))
  assert.ok(observed.includes('POST /api/v1/:token/telemetry 401'))
})

test('telemetry right after /api/v1 is the native route, whatever tokens there are', () =>
  withHost(async ({ post, get }) => {
    assert.equal((await post('/api/v1/telemetry/telemetry', { t: 1 })).status, 404)
    assert.equal((await post('/api/v1/telemetry/attributes', { t: 1 })).status, 404)
    await post('/api/v1/telemetry', { device_id: 'telemetry', data: { t: 1 } })
    await post('/api/v1/telemetry', { device_id: 'attributes', data: { t: 1 } })
    for (const id of ['telemetry', 'attributes']) {
      assert.equal((await get(`/api/v1/telemetry/${id}`)).json.data[0].t, 1)
    }
    await post('/api/v1/devices', { id: 'attributes-device' })
    assert.equal((await get('/api/v1/devices/attributes-device')).status, 200)
  }))

test('attributes are set before and after the first point, and read back', () =>
  withHost(async ({ post, get }) => {
    assert.deepEqual((await get(ATTRIBUTES)).json, { client: {}, shared: {} })
    assert.equal((await post(ATTRIBUTES, { firmware: '1.2', 'max rate': 5 })).status, 200)
    const device = (await get(`/api/v1/devices/${encodeURIComponent(DEVICE)}`)).json
    assert.deepEqual(device.attributes, { firmware: '1.2', 'max rate': 5 })
    const kept = { firmware: '1.2', 'max rate': 5 }
    assert.deepEqual((await get(ATTRIBUTES)).json, { client: kept, shared: kept })
    const some = `${ATTRIBUTES}?clientKeys=firmware,nothing`
    assert.deepEqual((await get(some)).json, { client: { firmware: '1.2' } })
    const both = `${some}&sharedKeys=max%20rate`
    assert.deepEqual((await get(both)).json, {
      client: { firmware: '1.2' },
      shared: { 'max rate': 5 },
    })
  }))

test('attributes that are none are refused, and so are unknown parameters', () =>
  withHost(async ({ post, get }) => {
    for (const body of ['[]', '5', 'null', '{"a":', '']) {
      assert.equal((await post(ATTRIBUTES, body)).status, 400, body)
    }
    assert.equal((await get(`${ATTRIBUTES}?keys=a`)).status, 400)
    assert.equal((await post(`${URL}?colour=red`, { t: 1 })).status, 400)
  }))

test('a body that is too large and a log that is full are refused', async () => {
  await withHost(async ({ post }) => assert.equal((await post(URL, { t: 1 })).status, 413), {
    limits: { maxBodyBytes: 2 },
  })
  await withHost(async ({ post, log }) => {
    log.before = () =>
      Promise.reject(new WeirError('overloaded', 'full', { limit: 'log.maxBytes' }))
    const { status, headers } = await post(URL, { t: 1 })
    assert.deepEqual([status, headers['retry-after']], [503, '1'])
  })
})
