import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import { NOW, type TestOptions } from '../../../test/fixtures/http-services.ts'
import { WeirError } from '../../ports/errors.ts'
import { openAccess } from '../../model/access.ts'
import { createHttpHost } from '../host.ts'

async function withHost(run: (host: TestHost) => Promise<void>, options?: TestOptions) {
  const host = await testHost(options)
  await run(host)
  await host.app.close()
}

/** Messages of one device, a second apart. */
async function ingest({ post }: TestHost, values: readonly unknown[], fields: object = {}) {
  const ids: string[] = []
  for (const [i, value] of values.entries()) {
    const message = { device_id: 'd', metric: 't', value, timestamp: i + 1, ...fields }
    const { status, json } = await post('/ingest', message)
    assert.equal(status, 200, JSON.stringify(json))
    assert.equal(json.status, 'ok')
    ids.push(json.message_id as string)
  }
  return ids
}

const at = (second: number): string => new Date(1000 * second).toISOString()

test('a message is a reading, with its id and what the values before it say', () =>
  withHost(async host => {
    const ids = await ingest(host, [10, 20, 30, 40, 50], { location: 'hall 1' })
    const { json } = await host.get('/readings')
    assert.equal(json.count, 5)
    const [newest, , , second, first] = json.readings
    assert.deepEqual(newest, {
      ...{ id: ids[4], device_id: 'd', metric: 't', value: 50, timestamp: at(5) },
      ...{ location: 'hall 1', anomaly_detected: false, rolling_avg: 30 },
      ...{ deviation_pct: (20 / 30) * 100, processed_at: NOW },
    })
    // The window of these tests is three values.
    assert.equal(second.rolling_avg, 10)
    assert.equal(second.processed_at, null)
    assert.deepEqual([first.rolling_avg, first.deviation_pct], [null, null])
  }))

test('a message that comes again has the id it had, another point has another', () =>
  withHost(async host => {
    const [one] = await ingest(host, [1])
    assert.deepEqual(await ingest(host, [2]), [one])
    const [otherMetric] = await ingest(host, [1], { metric: 'u' })
    const [otherDevice] = await ingest(host, [1], { device_id: 'e' })
    assert.equal(new Set([one, otherMetric, otherDevice]).size, 3)
  }))

test('an anomaly that was found marks its reading', () =>
  withHost(async host => {
    const ids = await ingest(host, [10, 20, 30])
    await host.anomalies.save([
      {
        ...{ tenant: 'default', device: 'd', metric: 't', timeUs: 2e6, detector: 'x' },
        ...{ severity: 'medium', value: 20, average: 10, deviationPct: 100, score: 7 },
      },
      {
        ...{ tenant: 'other', device: 'd', metric: 't', timeUs: 1e6, detector: 'x' },
        ...{ severity: 'medium', value: 20, average: 10, deviationPct: 100, score: 7 },
      },
    ])
    const { json } = await host.get('/devices/d/readings')
    const marked = json.readings.map((each: { anomaly_detected: boolean }) => each.anomaly_detected)
    assert.deepEqual(marked, [false, true, false])
    const expected = {
      ...{ id: ids[1], device_id: 'd', metric: 't', value: 20, timestamp: at(2), location: null },
      ...{ anomaly_detected: true, rolling_avg: 10, deviation_pct: 100, processed_at: null },
      ...{ severity: 'medium', detector: 'x' },
    }
    assert.deepEqual((await host.get('/anomalies')).json, { anomalies: [expected], count: 1 })
    assert.deepEqual((await host.get('/devices/d/anomalies')).json.anomalies, [expected])
    assert.deepEqual((await host.get('/anomalies?metric=u')).json.anomalies, [])
    assert.deepEqual((await host.get('/anomalies?offset=1')).json.anomalies, [])
    assert.deepEqual((await host.get('/devices/d/anomalies?start=2.5')).json.anomalies, [])
  }))

test('readings are those of all doors, newest first, a page at a time', () =>
  withHost(async host => {
    await ingest(host, [1, 'on', 3])
    await host.post('/api/v1/telemetry', {
      ...{ device_id: 'e', timestamp: at(2) },
      data: { t: 20, on: true },
    })
    const values = async (path: string): Promise<unknown[]> => {
      const { json } = await host.get(path)
      return (json.readings as { value: unknown }[]).map(({ value }) => value)
    }
    assert.deepEqual(await values('/readings'), [3, 'on', 1, 20, 1])
    assert.deepEqual(await values('/readings?limit=2&offset=1'), ['on', 1])
    assert.deepEqual(await values('/readings?metric=t'), [3, 'on', 20, 1])
    assert.deepEqual(await values('/readings?device_id=e'), [1, 20])
    assert.deepEqual(await values('/readings?device_id=nobody'), [])
    assert.deepEqual(await values('/readings/latest'), [3, 1, 20])
    assert.deepEqual(await values('/readings/latest?device_id=e&limit=1'), [1])
    assert.deepEqual(await values('/devices/d/readings?start=2&end=3'), ['on'])
    assert.deepEqual(await values('/devices/d/readings?metric=u'), [])
  }))

test('analytics and device stats are kept for 30 s, and say where they are from', () =>
  withHost(async host => {
    await ingest(host, [10, 20])
    const first = (await host.get('/analytics')).json
    assert.equal(first.source, 'database')
    assert.equal(first.messages.length, 2)
    const stats = (await host.get('/device-stats')).json
    const expected = {
      ...{ message_count: 2, avg_value: 15, avg_rolling_avg: 10, last_seen: NOW },
      anomaly_count: 0,
    }
    assert.deepEqual(stats, { device_stats: { d: expected }, source: 'database' })
    assert.equal((await host.get('/system/stats')).json.source, 'database')

    await ingest(host, [30, 40, 50])
    assert.deepEqual((await host.get('/analytics')).json, { ...first, source: 'cache' })
    assert.deepEqual((await host.get('/device-stats')).json, { ...stats, source: 'cache' })
    // Another question has an answer of its own.
    assert.equal((await host.get('/analytics?limit=1')).json.source, 'database')

    host.clock.advance(30_001)
    const later = (await host.get('/analytics')).json
    assert.deepEqual([later.source, later.messages.length], ['database', 3])
    assert.deepEqual((await host.get('/device-stats')).json.device_stats.d.avg_value, 40)
  }))

test('an answer that could not be read is not kept', () =>
  withHost(async host => {
    await ingest(host, [1])
    host.anomalies.failure = new WeirError('retryable', 'the catalog is busy')
    const failed = await host.get('/analytics')
    assert.deepEqual(failed.json, { error: 'the catalog is busy', status: 503 })
    assert.equal(failed.headers['retry-after'], '1')
    host.anomalies.failure = undefined
    assert.equal((await host.get('/analytics')).json.source, 'database')
  }))

test('devices are listed and shown with their metrics and location', () =>
  withHost(async host => {
    await ingest(host, [1], { location: 'north' })
    await host.post('/api/v1/devices', { id: 'a', name: 'A', site: 'south' })
    const { json } = await host.get('/devices')
    const [a, d] = json.devices
    assert.deepEqual(
      { ...a, created_at: NOW },
      {
        ...{ device_id: 'a', name: 'A', type: null, status: 'unknown', location: 'south' },
        ...{ metrics: [], created_at: NOW, last_seen: null },
      },
    )
    assert.deepEqual([d.device_id, d.location, d.metrics, d.last_seen], ['d', 'north', ['t'], NOW])
    assert.deepEqual((await host.get('/devices/d')).json, d)
    assert.deepEqual((await host.get('/devices?offset=1')).json.devices, [d])
    assert.deepEqual((await host.get('/devices?limit=1')).json.devices, [a])
  }))

test('the platform says how it is', () =>
  withHost(async host => {
    await ingest(host, [1, 2, 3])
    assert.deepEqual((await host.get('/system/stats')).json, {
      ...{ total_readings: 3, unique_devices: 1, total_anomalies: 0, devices_online: 1 },
      ...{ latest_reading: at(3), source: 'database' },
    })
    const healthy = { status: 'healthy', version: '1.2.3', reasons: [] }
    assert.deepEqual((await host.get('/system/health?from=probe')).json, healthy)
    host.readiness = { ready: false, reasons: ['the log takes no writes'] }
    const answer = await host.app.inject({ method: 'GET', url: '/system/health' })
    assert.equal(answer.statusCode, 503)
    assert.equal(answer.json().status, 'degraded')
  }))

test('errors of these routes are an error and a status, those of the others are not', () =>
  withHost(async ({ get, post, send }) => {
    const message = { device_id: 'd', metric: 't', value: 1 }
    for (const [answer, error] of [
      [await post('/ingest', { ...message, device_id: undefined }), 'device_id is missing'],
      [await post('/ingest', { ...message, metric: 7 }), 'metric must be a string'],
      [await post('/ingest', { ...message, value: undefined }), 'value is missing'],
      [
        await post('/ingest', { ...message, value: [1] }),
        'value must be a number, a boolean or a string',
      ],
      [
        await post('/ingest', { ...message, location: '' }),
        'location must be text of 1 to 256 characters',
      ],
      [
        await post('/ingest', { ...message, timestamp: 'x' }),
        'timestamp is not an ISO 8601 time or a number of s, ms, µs or ns',
      ],
      [await post('/ingest', '[1]'), 'must be an object {device_id, metric, value}'],
      [await post('/ingest'), 'the body is empty'],
      [await get('/readings?limit=0'), 'query parameter limit must not be below 1'],
      [await get('/devices/d/readings?end=x'), /^query|end is not/],
      [await get('/devices/nobody'), 'there is no device "nobody"'],
      [await get('/devices/nobody/readings'), 'there is no device "nobody"'],
      [await get('/devices/nobody/anomalies'), 'there is no device "nobody"'],
    ] as const) {
      const { json, status, headers } = answer
      assert.deepEqual(Object.keys(json as object), ['error', 'status'])
      assert.match(headers['content-type'], /^application\/json/)
      assert.equal(json.status, status)
      assert.equal(status, String(error).startsWith('there is no') ? 404 : 400)
      if (typeof error === 'string') assert.equal(json.error, error)
    }
    const other = await get('/api/v1/devices/nobody')
    assert.equal(other.json.title, 'Not Found')
    assert.equal((await send('HEAD', '/readings')).status, 200)
  }))

test('a tenant sees nothing of another, in no answer and in nothing that is kept', () =>
  withHost(async host => {
    await ingest(host, [1, 2, 3])
    await host.anomalies.save([
      {
        ...{ tenant: 'default', device: 'd', metric: 't', timeUs: 2e6, detector: 'x' },
        ...{ severity: 'medium', value: 20, average: 10, deviationPct: 100, score: 7 },
      },
    ])
    const paths = ['/analytics', '/readings', '/readings/latest', '/anomalies', '/api/data']
    paths.push('/analytics?device_id=d', '/readings?device_id=d', '/api/data?device_id=d')
    paths.push('/api/v1/analytics/anomalies', '/api/v1/analytics/anomalies?device_id=d')
    const other = createHttpHost({
      ...host.services,
      access: { ...host.services.access, open: openAccess('other') },
    })
    for (const path of paths) {
      assert.match((await host.get(path)).text, /"device_id":"d"/, path)
      const answer = await other.inject({ method: 'GET', url: path })
      assert.equal(answer.statusCode, 200, path)
      assert.doesNotMatch(answer.body, /"device_id"|"cache"/, path)
    }
    await other.close()
  }))
