import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import { NOW } from '../../../test/fixtures/http-services.ts'

const URL = '/api/v1/telemetry/latest'

async function withFleet(run: (host: TestHost) => Promise<void>): Promise<void> {
  const host = await testHost()
  for (const [id, site] of [
    ['a', 'north'],
    ['b', 'south'],
    ['c', 'north'],
  ]) {
    await host.post('/api/v1/devices', { id, site, product: 'P' })
    const messages = [
      { device_id: id, data: { t: 1.5, h: 'dry "ish"' } },
      { device_id: id, timestamp: '2026-11-20T09:00:00Z', data: { t: -1, old: 0.1 } },
    ]
    await host.post('/api/v1/telemetry', messages)
  }
  await run(host)
  await host.app.close()
}

const seen = async ({ get }: TestHost, query: string): Promise<string[]> => {
  const { json } = await get(URL + query)
  return json.data.map(
    (one: { device_id: string; metric: string }) => `${one.device_id} ${one.metric}`,
  )
}

test('the newest value of every metric of every device', () =>
  withFleet(async host => {
    const { json } = await host.get(URL)
    assert.equal(json.next_cursor, null)
    assert.deepEqual(json.data.slice(0, 3), [
      { device_id: 'a', metric: 't', timestamp: NOW, value: 1.5 },
      { device_id: 'a', metric: 'h', timestamp: NOW, value: 'dry "ish"' },
      { device_id: 'a', metric: 'old', timestamp: '2026-11-20T09:00:00.000Z', value: 0.1 },
    ])
    assert.equal(json.data.length, 9)
  }))

test('devices, metrics, site and product narrow it, alone and together', () =>
  withFleet(async host => {
    assert.deepEqual(await seen(host, '?metric=t'), ['a t', 'b t', 'c t'])
    assert.deepEqual(await seen(host, '?metric=t&metric=old&device_id=b'), ['b t', 'b old'])
    assert.deepEqual(await seen(host, '?device_id=c&device_id=a&device_id=c&metric=t'), [
      'c t',
      'a t',
    ])
    assert.deepEqual(await seen(host, '?site=north&metric=t'), ['a t', 'c t'])
    assert.deepEqual(await seen(host, '?site=north&device_id=a&device_id=b&metric=t'), ['a t'])
    assert.deepEqual(await seen(host, '?product=P&site=south&metric=t'), ['b t'])
    assert.deepEqual(await seen(host, '?product=Q'), [])
    assert.deepEqual(await seen(host, '?device_id=unknown&metric=t'), [])
  }))

test('large fleets are read by pages of devices', () =>
  withFleet(async host => {
    const first = await host.get(`${URL}?metric=t&limit=2`)
    assert.equal(first.json.data.length, 2)
    const rest = await host.get(`${URL}?metric=t&limit=2&cursor=${first.json.next_cursor}`)
    assert.equal(rest.json.data.length, 1)
    assert.equal(rest.json.next_cursor, null)
  }))

test('parameters that are not known or not good are refused', () =>
  withFleet(async ({ get }) => {
    assert.equal((await get(`${URL}?device=a`)).json.errors[0].field, 'device')
    assert.equal((await get(`${URL}?limit=0`)).json.errors[0].field, 'limit')
    assert.equal((await get(`${URL}?site=`)).json.errors[0].field, 'site')
    const many = Array.from({ length: 1001 }, (_, i) => `device_id=${i}`).join('&')
    assert.match((await get(`${URL}?${many}`)).json.errors[0].detail, /more than 1000 times/)
  }))
