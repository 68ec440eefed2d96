import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import type { TestOptions } from '../../../test/fixtures/http-services.ts'
import { encodeFrame } from '../../model/frame.ts'
import { WeirError } from '../../ports/errors.ts'

const URL = '/api/v1/telemetry'
const NDJSON = { 'content-type': 'application/x-ndjson' }
const BINARY = { 'content-type': 'application/octet-stream' }

async function withHost(run: (host: TestHost) => Promise<void>, options?: TestOptions) {
  const host = await testHost(options)
  await run(host)
  await host.app.close()
}

const message = (device_id: string, value: unknown = 1): object => ({
  device_id,
  data: { x: value },
})

const frame = (value = 1): Buffer =>
  Buffer.from(
    encodeFrame({
      ...{ tenant: 'x', devices: ['gw'], metrics: ['t'] },
      seriesDevice: Uint32Array.of(0),
      seriesMetric: Uint32Array.of(0),
      seriesIndex: Uint32Array.of(0, 0),
      timestamps: Float64Array.of(1e15, 2e15 - 1e15),
      values: Float64Array.of(value, 2),
    }),
  )

test('an object, an array, lines, rows, columns and a frame are accepted', () =>
  withHost(async ({ post, log }) => {
    const ok = (accepted: number) => ({ accepted, rejected: [] })
    assert.deepEqual((await post(URL, message('a'))).json, ok(1))
    assert.deepEqual((await post(URL, [message('a'), message('b')])).json, ok(2))
    const text = [message('a'), message('b'), message('c')].map(m => JSON.stringify(m)).join('\n')
    assert.deepEqual((await post(URL, text, NDJSON)).json, ok(3))
    const jsonl = { 'content-type': 'application/jsonl; charset=utf-8' }
    assert.deepEqual((await post(URL, text, jsonl)).json, ok(3))
    const rows = { device_id: 'd', data: [{ timestamp: 1, x: 1, y: 2 }] }
    assert.deepEqual((await post(`${URL}/batch`, rows)).json, ok(2))
    const columns = { device_id: 'd', timestamps: [1, 2], metrics: { x: [1, 2] } }
    assert.deepEqual((await post(`${URL}/batch`, columns)).json, ok(2))
    assert.deepEqual((await post(`${URL}/binary`, frame(), BINARY)).json, ok(2))
    assert.equal(log.status().pointsAppended, 15)
  }))

test('content types that devices send by mistake are taken for JSON, others are refused', () =>
  withHost(async ({ post }) => {
    const body = JSON.stringify(message('a'))
    for (const type of [
      'application/json;charset=UTF-8',
      'text/plain',
      'Application/JSON',
      'text/plain; charset=utf-8',
    ]) {
      assert.equal((await post(URL, body, { 'content-type': type })).status, 200, type)
    }
    assert.equal((await post(URL, Buffer.from(body))).status, 200)
    for (const type of ['application/xml', 'multipart/form-data; boundary=x', 'image/png']) {
      const { status, json } = await post(URL, body, { 'content-type': type })
      assert.equal(status, 415, type)
      assert.match(json.detail, /send application\/json or application\/x-ndjson/)
    }
    assert.equal((await post(URL, body, { 'content-type': 'nonsense' })).status, 415)
    assert.equal(
      (await post(`${URL}/binary`, frame(), { 'content-type': 'text/plain' })).status,
      415,
    )
    assert.equal((await post(`${URL}/batch`, body, NDJSON)).status, 415)
  }))

test('the good items of a batch are kept, and each bad one is named', () =>
  withHost(async ({ post, log }) => {
    const items = Array.from({ length: 1000 }, (_, i) => message('a', i === 321 ? null : i))
    const { status, json } = await post(URL, items)
    assert.equal(status, 200)
    assert.equal(json.accepted, 999)
    assert.deepEqual(json.rejected, [
      {
        index: 321,
        field: 'data.x',
        detail: 'must be a number, boolean, string or object, not null',
      },
    ])
    assert.equal(log.status().pointsAppended, 999)
  }))

test('a body with nothing good is a problem that names each item', () =>
  withHost(async ({ post, log, services }) => {
    const { status, json, headers } = await post(URL, [message('a/b'), message('b', '\ud800'), 3])
    assert.equal(status, 400)
    assert.match(headers['content-type'], /^application\/problem\+json/)
    assert.deepEqual(
      json.errors.map((one: { index: number; field: string }) => [one.index, one.field]),
      [
        [0, 'device_id'],
        [1, 'data.x'],
        [2, ''],
      ],
    )
    assert.equal(log.appends, 0)
    const { received, rejected, imbalance } = await services.ledger(undefined)
    assert.deepEqual([received, rejected, imbalance], [3, 3, 0])
  }))

test('bodies that hold no points are 400', () =>
  withHost(async ({ post }) => {
    const cases: [string, string, Record<string, string>][] = [
      [URL, '', {}],
      [URL, '[]', {}],
      [URL, '{}', {}],
      [URL, '\n\n', NDJSON],
      [URL, '', NDJSON],
      [`${URL}/batch`, '{"device_id":"a","data":[]}', {}],
      [`${URL}/batch`, '{"device_id":"a","timestamps":[],"metrics":{}}', {}],
      [`${URL}/binary`, '', BINARY],
      [`${URL}/binary`, 'no frame', BINARY],
    ]
    for (const [url, body, headers] of cases) {
      const { status, json } = await post(url, body, headers)
      assert.equal(status, 400, `${url} ${body}`)
      assert.ok(json.detail.length > 10)
    }
    assert.match((await post(URL)).json.detail, /the body is empty/)
  }))

test('malformed JSON is refused with the place of the mistake', () =>
  withHost(async ({ post }) => {
    const cases: [string, string][] = [
      ['{"device_id":"a","data":{"x":NaN}}', 'unexpected N at position 29 (line 1, column 30)'],
      [
        '{"device_id":"a","data":{"x":Infinity}}',
        'unexpected I at position 29 (line 1, column 30)',
      ],
      ['{"device_id":"a",\n"data":{"x":1,}}', 'unexpected } at position 32 (line 2, column 15)'],
      ['{"device_id":"a","data":{"x":1}', 'unexpected end at position 31 (line 1, column 32)'],
      ['{"device_id":"a"} x', 'unexpected x at position 18 (line 1, column 19)'],
      ["{'device_id':1}", "unexpected ' at position 1 (line 1, column 2)"],
      ['\ufeff{}', 'unexpected \ufeff at position 0 (line 1, column 1)'],
    ]
    for (const [body, where] of cases) {
      for (const url of [URL, `${URL}/batch`]) {
        const { status, json } = await post(url, body)
        assert.equal(status, 400, body)
        assert.equal(json.detail, `the body is not JSON: ${where}`)
        assert.deepEqual(json.errors, [{ index: 0, field: '', detail: where }])
      }
    }
  }))

test('bytes that are no UTF-8 are refused, not replaced', () =>
  withHost(async ({ post, log }) => {
    const body = Buffer.from('{"device_id":"a","data":{"x":"\xff"}}', 'latin1')
    const { status, json } = await post(URL, body)
    assert.equal(status, 400)
    assert.match(json.detail, /not UTF-8/)
    assert.equal(log.appends, 0)
  }))

test('hostile values are refused by name or stored exactly', () =>
  withHost(async ({ post, get }) => {
    const body =
      '{"device_id":"h","data":{"inf":1e309,"neg":-1e309,"odd":9007199254740993,"ok":9007199254740992,' +
      '"__proto__":1,"constructor":{"prototype":2},"nul":"a\\u0000b","half":"\\udc00","min":5e-324}}'
    const { status, json } = await post(URL, body)
    assert.equal(status, 200)
    assert.equal(json.accepted, 5)
    assert.deepEqual(
      json.rejected.map((one: { field: string }) => one.field),
      ['data.inf', 'data.neg', 'data.odd', 'data.half'],
    )
    const latest = await get('/api/v1/telemetry/latest?device_id=h')
    const values = latest.json.data.map((one: { metric: string; value: unknown }) => [
      one.metric,
      one.value,
    ])
    assert.deepEqual(values, [
      ['ok', 9007199254740992],
      ['__proto__', 1],
      ['constructor.prototype', 2],
      ['nul', 'a\0b'],
      ['min', 5e-324],
    ])
  }))

test('times that cannot be are refused, and hide nothing', () =>
  withHost(async ({ post, get }) => {
    await post(URL, message('t', 1))
    for (const timestamp of [
      -1,
      1e300,
      '9999-01-01',
      '2026-11-22',
      'NaN',
      '',
      [],
      9007199254740993000000,
    ]) {
      const { status, json } = await post(URL, { device_id: 't', timestamp, data: { x: 2 } })
      assert.equal(status, 400, String(timestamp))
      assert.equal(json.errors[0].field, 'timestamp')
    }
    assert.equal((await get('/api/v1/telemetry/latest?device_id=t')).json.data[0].value, 1)
  }))

test('JSON nested without end is refused, and the next request is served', () =>
  withHost(async ({ post }) => {
    for (const number of ['1', '9007199254740994']) {
      const deep = `{"device_id":"a","data":{"n":{"n":${'{"n":'.repeat(2e5)}${number}${'}'.repeat(2e5)}}}}`
      assert.equal((await post(URL, deep)).status, 400)
      assert.equal((await post(URL, '['.repeat(1e6))).status, 400)
    }
    assert.equal((await post(URL, message('a'))).status, 200)
  }))

test('ten megabytes in one body are fine, and beyond the limit are 413 that names it', async () => {
  const items = Array.from({ length: 100_000 }, (_, i) => ({
    device_id: `device-${i % 100}`,
    timestamp: 1_763_000_000 + i,
    data: { temperature: i / 7, humidity: i / 3 },
  }))
  const body = JSON.stringify(items)
  assert.ok(body.length > 10e6)
  await withHost(async ({ post }) => {
    assert.equal((await post(URL, body)).json.accepted, 200_000)
    const packed = gzipSync(body)
    assert.equal((await post(URL, packed, { 'content-encoding': 'gzip' })).json.accepted, 200_000)
  })
  await withHost(
    async ({ post }) => {
      const { status, json } = await post(URL, body)
      assert.equal(status, 413)
      assert.equal(json.limit, 'ingest.maxBodyBytes')
      assert.match(json.detail, /1000000 bytes/)
    },
    { limits: { maxBodyBytes: 1_000_000 } },
  )
})

test('what the log says reaches the client as a status that it can act on', () =>
  withHost(async ({ post, log, observed, services }) => {
    const cases: [WeirError, number, string | undefined][] = [
      [new WeirError('retryable', 'not now'), 503, '1'],
      [new WeirError('retryable', 'the disk is full', { code: 'disk_full' }), 507, '1'],
      [new WeirError('closed', 'the log has failed', { retryAfterMs: 30_000 }), 503, '30'],
      [
        new WeirError('overloaded', 'full', { limit: 'log.maxBytes', retryAfterMs: 1500 }),
        503,
        '2',
      ],
    ]
    for (const [error, expected, retryAfter] of cases) {
      log.before = () => Promise.reject(error)
      for (const [url, body, headers] of [
        [URL, JSON.stringify(message('a')), {}],
        [`${URL}/binary`, frame(), BINARY],
        ['/api/telemetry/a', '{"x":1}', {}],
      ] as const) {
        const { status, headers: got, json } = await post(url, body, headers)
        assert.equal(status, expected, url)
        assert.equal(got['retry-after'], retryAfter)
        assert.equal(json.limit, error.limit)
      }
    }
    assert.ok(observed.includes('POST /api/v1/telemetry 507'))
    assert.equal((await services.ledger(undefined)).imbalance, 0)
  }))

test('past the bound of pending bytes the answer names it and says when to come back', () =>
  withHost(
    async ({ post, log }) => {
      let open = (): void => {}
      const held = new Promise<void>(resolve => (open = resolve))
      log.before = () => held
      const waiting = post(URL, [message('a'), message('b'), message('c')])
      await new Promise(resolve => setImmediate(resolve))
      const { status, json, headers } = await post(URL, message('d'))
      assert.equal(status, 503)
      assert.equal(json.limit, 'ingest.maxPendingBytes')
      assert.equal(headers['retry-after'], '1')
      open()
      assert.equal((await waiting).status, 200)
    },
    { ingest: { maxPendingBytes: 20 } },
  ))

test('a mistake of ours is a 500 without its inside, and is logged', () =>
  withHost(
    async ({ post, errors }) => {
      const { status, json } = await post(URL, message('a'))
      assert.equal(status, 500)
      assert.doesNotMatch(json.detail, /secret/)
      assert.equal(errors.length, 1)
      assert.match(JSON.stringify(errors), new RegExp(json.request_id))
    },
    {
      overrides: {
        gate: {
          ingest: () => Promise.reject(new TypeError('secret')),
          ingestFrame: () => Promise.reject(new TypeError('secret')),
        },
      },
    },
  ))
