import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import { NOW } from '../../../test/fixtures/http-services.ts'

const URL = '/api/v1/devices'

async function withHost(run: (host: TestHost) => Promise<void>): Promise<void> {
  const host = await testHost()
  await run(host)
  await host.app.close()
}

test('a device is registered, read, changed and removed', () =>
  withHost(async ({ post, get, send }) => {
    const input = {
      ...{ id: 'pump 1', name: 'Pump', type: 'pump', product: 'P100', site: 'north' },
      attributes: { floor: 2, tags: ['a'] },
      expected_interval_ms: 5000,
    }
    const created = await post(URL, input)
    assert.equal(created.status, 201)
    assert.equal(created.headers.location, '/api/v1/devices/pump%201')
    const device = { ...created.json }
    assert.deepEqual(device, {
      ...input,
      ...{ uuid: device.uuid, status: 'unknown', created_at: NOW, last_seen: null },
      violations: { flagged: 0, refused: 0 },
    })
    assert.deepEqual((await get(`${URL}/pump%201`)).json, { ...device, metrics: {} })
    const body = { name: null, site: 'south', expected_interval_ms: null }
    const changed = await send('PATCH', `${URL}/pump%201`, { body })
    assert.deepEqual(changed.json, { ...device, ...body })
    const removed = await send('DELETE', `${URL}/pump%201`)
    assert.deepEqual([removed.status, removed.text], [204, ''])
    assert.equal((await get(`${URL}/pump%201`)).status, 404)
    assert.equal((await send('DELETE', `${URL}/pump%201`)).status, 404)
    assert.equal((await send('PATCH', `${URL}/pump%201`, { body })).status, 404)
  }))

test('the list is filtered, and paged so that each device comes once', () =>
  withHost(async ({ post, get }) => {
    for (let i = 0; i < 25; i++) {
      const site = i % 2 === 0 ? 'north' : 'south'
      await post(URL, { id: `d${String(i).padStart(2, '0')}`, site, type: 't', product: 'p' })
    }
    const ids: string[] = []
    let query = '?limit=10'
    for (;;) {
      const { json } = await get(URL + query)
      ids.push(...json.data.map((device: { id: string }) => device.id))
      if (json.next_cursor === null) break
      query = `?limit=10&cursor=${encodeURIComponent(json.next_cursor)}`
    }
    assert.equal(ids.length, 25)
    assert.equal(new Set(ids).size, 25)
    const count = async (filter: string): Promise<number> =>
      (await get(URL + filter)).json.data.length
    assert.equal(await count('?site=north'), 13)
    assert.equal(await count('?site=north&search=d1'), 5)
    assert.equal(await count('?status=unknown&type=t&product=p'), 25)
    assert.equal(await count('?status=online'), 0)
  }))

test('a device that exists already is 409', () =>
  withHost(async ({ post }) => {
    await post(URL, { id: 'a' })
    const { status, json } = await post(URL, { id: 'a' })
    assert.deepEqual([status, json.title], [409, 'Conflict'])
  }))

test('input that is wrong is refused with every field that is', () =>
  withHost(async ({ post, get }) => {
    const fields = async (body: string | object): Promise<string[]> => {
      const { status, json } = await post(URL, body)
      assert.equal(status, 400, JSON.stringify(body))
      return (json.errors ?? []).map((one: { field: string }) => one.field)
    }
    assert.deepEqual(await fields({}), ['id'])
    assert.deepEqual((await fields({ id: 5, colour: 'red', name: [] })).sort(), [
      'colour',
      'id',
      'name',
    ])
    assert.deepEqual(await fields({ id: 'a', attributes: 'x' }), ['attributes'])
    assert.deepEqual(await fields({ id: 'a/b' }), [])
    assert.deepEqual(await fields('[]'), [''])
    assert.deepEqual(await fields('{"id":"a",}'), [''])
    assert.deepEqual(await fields(''), [])
    assert.match((await post(URL)).json.detail, /body is empty/)
    assert.equal((await get(`${URL}?colour=red`)).json.errors[0].field, 'colour')
    assert.equal((await get(`${URL}?status=broken`)).json.errors[0].field, 'status')
    assert.equal((await get(`${URL}/x?a=1`)).status, 400)
  }))

test('a packed body is registered as well', () =>
  withHost(async ({ post }) => {
    const headers = { 'content-encoding': 'gzip' }
    assert.equal((await post(URL, gzipSync('{"id":"a"}'), headers)).status, 201)
  }))
