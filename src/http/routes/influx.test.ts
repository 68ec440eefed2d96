import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import type { TestOptions } from '../../../test/fixtures/http-services.ts'
import { WeirError } from '../../ports/errors.ts'

const V1 = '/write?db=plant'
const V2 = '/api/v2/write?org=acme&bucket=plant'
const LINE = 'weather,device_id=roof temperature=21.5,open=t 1700000000000000000'

async function withHost(run: (host: TestHost) => Promise<void>, options?: TestOptions) {
  const host = await testHost(options)
  await run(host)
  await host.app.close()
}

test('lines sent either way are answered with 204 and read through the native API', () =>
  withHost(async ({ post, get }) => {
    for (const [url, value] of [
      [V1, 21.5],
      [V2, 22.5],
    ] as const) {
      const { status, text } = await post(url, LINE.replace('21.5', String(value)))
      assert.deepEqual([status, text], [204, ''])
      const { json } = await get('/api/v1/telemetry/roof?metric=weather.temperature')
      assert.equal(json.data[0]['weather.temperature'], value)
      assert.equal(json.data[0].timestamp, '2023-11-14T22:13:20.000Z')
      const latest = (await get('/api/v1/telemetry/latest?device_id=roof')).json
      assert.match(JSON.stringify(latest), /"weather.open"/)
    }
  }))

test('the precision of the times is what the request says', () =>
  withHost(async ({ post, log }) => {
    const times: [string, string][] = [
      ['', '1700000000000000000'],
      ['&precision=', '1700000000000000000'],
      ['&precision=ns', '1700000000000000000'],
      ['&precision=n', '1700000000000000000'],
      ['&precision=us', '1700000000000000'],
      ['&precision=u', '1700000000000000'],
      ['&precision=ms', '1700000000000'],
      ['&precision=s', '1700000000'],
    ]
    for (const [query, time] of times) {
      for (const url of [V1, V2]) {
        assert.equal((await post(url + query, `m,host=h v=1 ${time}`)).status, 204, query)
        assert.equal(log.entries.at(-1)?.batch.timestamps[0], 17e14, query)
      }
    }
    assert.equal((await post(`${V1}&precision=m`, 'm,host=h v=1 28333333')).status, 204)
    assert.equal(log.entries.at(-1)?.batch.timestamps[0], 28333333 * 60e6)
  }))

test('bad lines are named one by one, in words that both kinds of clients show, good ones kept', () =>
  withHost(async ({ post, log, services }) => {
    for (const url of [V1, V2]) {
      const before = log.status().pointsAppended
      const { status, json, headers } = await post(url, `m,host=a v=1\nnonsense\n${LINE}\nm v=1`)
      assert.equal(status, 400)
      assert.equal(headers['content-type'], 'application/json; charset=utf-8')
      assert.equal(log.status().pointsAppended, before + 3)
      assert.equal(json.code, 'invalid')
      assert.equal(json.line, 2)
      const message =
        'partial write: 3 points were stored; unable to parse line 2: has no fields ' +
        '(and 1 more lines, see errors)'
      assert.deepEqual([json.message, json.error, json.detail], [message, message, message])
      assert.equal(headers['x-influxdb-error'], message)
      assert.deepEqual(json.errors, [
        { index: 1, line: 2, field: '', detail: 'has no fields' },
        {
          ...{ index: 3, line: 4, field: '' },
          detail: 'has no tag that names the device (device_id, device, host)',
        },
      ])
    }
    const { received, rejected, imbalance } = await services.ledger(undefined)
    assert.deepEqual([received, rejected, imbalance], [10, 4, 0])
  }))

test('when nothing was good, the answer does not speak of a partial write', () =>
  withHost(async ({ post, log }) => {
    const { status, json } = await post(V2, 'm,host=h v=é')
    assert.equal(status, 400)
    assert.equal(json.message.slice(0, 26), 'unable to parse line 1: v ')
    assert.equal(log.appends, 0)
  }))

test('any content type is taken, and gzip', () =>
  withHost(async ({ post }) => {
    for (const type of [
      'text/plain; charset=utf-8',
      'application/x-www-form-urlencoded',
      'a/b',
      'a',
      '',
    ]) {
      assert.equal((await post(V2, LINE, { 'content-type': type })).status, 204, type)
    }
    const gzip = { 'content-encoding': 'gzip' }
    assert.equal((await post(V1, gzipSync(LINE), gzip)).status, 204)
    const cut = await post(V1, gzipSync(LINE).subarray(0, 30), gzip)
    assert.deepEqual([cut.status, cut.json.error], [400, 'the gzip body is truncated'])
    const zstd = await post(V1, LINE, { 'content-encoding': 'zstd' })
    assert.deepEqual([zstd.status, zstd.json.code], [415, 'invalid'])
  }))

test('nothing to write is nothing wrong, but to clients of version 2 an empty body is', () =>
  withHost(async ({ post, log }) => {
    for (const url of [V1, V2]) {
      for (const body of ['\n\n', '# nothing\n']) assert.equal((await post(url, body)).status, 204)
    }
    assert.equal((await post(V1, '')).status, 204)
    const { status, json } = await post(V2, '')
    assert.deepEqual([status, json.message], [400, 'writing requires points'])
    assert.equal(log.appends, 0)
  }))

test('a wrong precision and unknown parameters are refused before anything is stored', () =>
  withHost(async ({ post, log }) => {
    for (const [query, field] of [
      ['&precision=days', 'precision'],
      ['&precision=s&precision=ms', 'precision'],
      ['&precison=s', 'precison'],
    ]) {
      for (const url of [V1, V2]) {
        const { status, json } = await post(url + query, LINE)
        assert.equal(status, 400)
        assert.equal(json.errors[0].field, field)
        assert.equal(json.line, undefined)
      }
    }
    const empty = '/write?db=x&p=&u=&rp=&precision=ns&consistency=one'
    assert.equal((await post(empty, LINE)).status, 204)
    assert.equal(log.appends, 1)
  }))

test('a body that is too large is 413, in the words of the clients', () =>
  withHost(
    async ({ post }) => {
      const { status, json } = await post(V2, LINE)
      assert.deepEqual([status, json.code], [413, 'request too large'])
      assert.equal(json.limit, 'ingest.maxBodyBytes')
    },
    { limits: { maxBodyBytes: 10 } },
  ))

test('overload and a full disk say when to come back', () =>
  withHost(async ({ post, log }) => {
    const failures: [WeirError, number][] = [
      [new WeirError('overloaded', 'too much', { limit: 'log.maxBytes', retryAfterMs: 3000 }), 503],
      [new WeirError('retryable', 'the disk is full', { code: 'disk_full' }), 507],
    ]
    for (const [failure, status] of failures) {
      log.before = () => Promise.reject(failure)
      const answer = await post(V2, LINE)
      assert.deepEqual([answer.status, answer.json.code], [status, 'unavailable'])
      assert.match(answer.headers['retry-after'], /^[13]$/)
      assert.equal(answer.json.error, failure.message)
    }
  }))

test('ping and health answer as InfluxDB clients expect', () =>
  withHost(async ({ get, send }) => {
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, text } = await send(method, '/ping?verbose=true')
      assert.deepEqual([status, text], [204, ''])
      assert.match(headers['x-influxdb-version'], /^1\.8\./)
    }
    const health = await send('GET', '/health', {
      headers: { 'user-agent': 'influxdb-client-python/1.40.0' },
    })
    assert.equal(health.json.status, 'pass')
    assert.equal((await get('/health')).json.status, 'ok')
    assert.equal((await get('/health')).json.message, 'ready for queries and writes')
  }))
