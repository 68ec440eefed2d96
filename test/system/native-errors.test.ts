import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { curl, curlStream, sending } from '../fixtures/curl.ts'
import { frameOf } from '../fixtures/fleet-doors.ts'
import { noProgram } from '../fixtures/no-program.ts'
import { until } from '../fixtures/until.ts'
import { ledgerOf, weirClient } from '../fixtures/weir-client.ts'
import { startWeir } from '../fixtures/weir-process.ts'

// What each route of the native API answers to what is wrong, asked with curl.

const skip = noProgram('curl')
const LIMIT = { timeout: 180_000 }
const ARGS = ['--ingest.maxBodyBytes=64KB', '--ingest.maxDecompressedBytes=128KB']
const XML = 'content-type: application/xml'
const BROTLI = 'content-encoding: br'
const BINARY = 'content-type: application/octet-stream'
const LINES = 'content-type: application/x-ndjson'
const LONG = 'x'.repeat(70_000)

interface Wrong {
  readonly request: string
  readonly status: number
  readonly body?: string | object
  /** A header; absent: that it is JSON. */
  readonly type?: string
  /** The first of `errors`, or of `rejected`: its field and item. */
  readonly field?: string
  readonly index?: number
  /** The configuration that set the bound. */
  readonly limit?: string
  readonly detail?: RegExp
}

const good = { device_id: 'a', data: { t: 1 } }
const TELEMETRY = 'POST /api/v1/telemetry'
const BATCH = 'POST /api/v1/telemetry/batch'
const FRAME = 'POST /api/v1/telemetry/binary'
const QUERY = 'POST /api/v1/query'
const CAPACITY = 'POST /api/v1/capacity'
const DEVICES = 'POST /api/v1/devices'
const PATCH = 'PATCH /api/v1/devices/kept'
const READ = 'GET /api/v1/telemetry/a'
const bodyLimit = { limit: 'ingest.maxBodyBytes' }

const wrongs: readonly Wrong[] = [
  { request: TELEMETRY, status: 400, body: '{"device_id":', field: '', detail: /JSON/ },
  { request: TELEMETRY, status: 400, body: { data: { t: 1 } }, field: 'device_id', index: 0 },
  { request: TELEMETRY, status: 400, body: { device_id: 'a' }, field: 'data' },
  { request: TELEMETRY, status: 400, body: { device_id: 'a', data: {} } },
  { request: TELEMETRY, status: 400, body: { ...good, data: { t: [1] } }, field: 'data.t' },
  { request: TELEMETRY, status: 400, body: { ...good, timestamp: 'soon' }, field: 'timestamp' },
  { request: TELEMETRY, status: 400, body: { ...good, timestamp: '2999-01-01T00:00:00Z' } },
  { request: TELEMETRY, status: 400, body: { ...good, device_id: 'a/b' } },
  { request: TELEMETRY, status: 400, body: [], detail: /./ },
  { request: TELEMETRY, status: 400, body: '{"device_id":1}\nno\n', type: LINES },
  { request: `${TELEMETRY}?colour=red`, status: 400, body: good, field: 'colour' },
  { request: TELEMETRY, status: 413, body: { ...good, data: { t: LONG } }, ...bodyLimit },
  { request: TELEMETRY, status: 415, body: '<t>1</t>', type: XML },
  { request: BATCH, status: 400, body: '[', detail: /JSON/ },
  { request: BATCH, status: 400, body: { data: [{ t: 1 }] }, field: 'device_id' },
  { request: BATCH, status: 400, body: { device_id: 'a' } },
  {
    ...{ request: BATCH, status: 400, field: 'metrics.t' },
    body: { device_id: 'a', timestamps: [1_700_000_000], metrics: { t: [1, 2] } },
  },
  {
    request: `${BATCH}?colour=red`,
    status: 400,
    body: { device_id: 'a', data: [] },
    field: 'colour',
  },
  { request: BATCH, status: 413, body: { device_id: LONG }, ...bodyLimit },
  { request: BATCH, status: 415, body: 'a,b', type: 'content-type: text/csv' },
  { request: FRAME, status: 400, body: 'no frame', type: BINARY },
  { request: FRAME, status: 413, body: LONG, type: BINARY, ...bodyLimit },
  { request: FRAME, status: 415, body: '{}', type: 'content-type: application/json' },
  { request: 'GET /api/v1/telemetry/latest?colour=red', status: 400, field: 'colour' },
  { request: 'GET /api/v1/telemetry/latest?limit=0', status: 400, field: 'limit' },
  { request: `${READ}?start=yesterday`, status: 400, field: 'start' },
  { request: `${READ}?start=1700000001&end=1700000000`, status: 400 },
  { request: `${READ}?limit=100001`, status: 400, field: 'limit' },
  { request: `${READ}?order=up`, status: 400, field: 'order' },
  { request: `${READ}?interval=often`, status: 400, field: 'interval' },
  { request: `${READ}?interval=5m&agg=mode`, status: 400, field: 'agg' },
  { request: `${READ}?max_points=none`, status: 400, field: 'max_points' },
  { request: `${READ}?cursor=stolen`, status: 400, field: 'cursor' },
  { request: QUERY, status: 400, body: '{', detail: /JSON/ },
  { request: QUERY, status: 400, body: { devices: [] }, field: 'devices' },
  { request: QUERY, status: 400, body: { devices: ['a'], interval: 'often' }, field: 'interval' },
  { request: QUERY, status: 400, body: { devices: ['a'], colour: 'red' }, field: 'colour' },
  { request: QUERY, status: 413, body: { devices: [LONG] }, ...bodyLimit },
  { request: QUERY, status: 415, body: {}, type: BROTLI },
  { request: CAPACITY, status: 400, body: {}, field: 'devices', detail: /missing/ },
  { request: CAPACITY, status: 400, body: { devices: 1, rate: 2 }, field: 'rate' },
  { request: `${CAPACITY}?colour=red`, status: 400, body: { devices: 1 }, field: 'colour' },
  { request: CAPACITY, status: 413, body: { devices: LONG }, ...bodyLimit },
  { request: CAPACITY, status: 415, body: {}, type: BROTLI },
  { request: 'GET /api/v1/live?colour=red', status: 400, field: 'colour' },
  { request: 'GET /api/v1/devices?status=lost', status: 400, field: 'status' },
  { request: 'GET /api/v1/devices?limit=many', status: 400, field: 'limit' },
  { request: DEVICES, status: 400, body: { name: 'no id' }, field: 'id' },
  { request: DEVICES, status: 400, body: { id: 'new', colour: 'red' }, field: 'colour' },
  { request: DEVICES, status: 409, body: { id: 'kept' } },
  { request: DEVICES, status: 413, body: { id: 'new', name: LONG }, ...bodyLimit },
  { request: DEVICES, status: 415, body: {}, type: BROTLI },
  { request: 'GET /api/v1/devices/kept?colour=red', status: 400, field: 'colour' },
  { request: 'GET /api/v1/devices/nobody', status: 404 },
  { request: PATCH, status: 400, body: { id: 'other' }, field: 'id' },
  { request: 'PATCH /api/v1/devices/nobody', status: 404, body: { name: 'x' } },
  { request: PATCH, status: 413, body: { name: LONG }, ...bodyLimit },
  { request: PATCH, status: 415, body: {}, type: BROTLI },
  { request: 'DELETE /api/v1/devices/kept?colour=red', status: 400, field: 'colour' },
  { request: 'DELETE /api/v1/devices/nobody', status: 404 },
  { request: 'GET /api/v1/ledger?colour=red', status: 400, field: 'colour' },
]

/** Brought about by faults or load, in other tests; 401 and 403 need keys. */
const ELSEWHERE = new Set(['401', '403', '429', '500', '503', '507'])
/** The routes of this test, by their first steps. */
const NATIVE =
  /^\/api\/v1\/(telemetry(\/(batch|binary|latest|\{device_id\}))?|query|capacity|live|ledger|devices(\/\{id\})?)$/

test(
  'each error that a native route documents is one that curl gets',
  { skip, ...LIMIT },
  async t => {
    const weir = await startWeir(t, { args: ARGS })
    const client = await weirClient(weir.url)
    await client.post('/api/v1/devices', { id: 'kept' })
    await client.post('/api/v1/telemetry', good)
    const before = await ledgerOf(client)
    const met = new Set<string>()
    for (const wrong of wrongs) {
      const what = `${wrong.request} ${JSON.stringify(wrong.body ?? '').slice(0, 100)}`
      const [method, path] = wrong.request.split(' ')
      const { body, type } = wrong
      const args = body === undefined ? ['-X', method] : sending(method, body, type)
      const answer = await curl(weir.url + path, args)
      assert.equal(answer.status, wrong.status, `${what}: ${answer.body}`)
      mustExplain(answer.json as Answer, wrong, what)
      if ((answer.json as Answer).status !== undefined) {
        assert.match(answer.contentType, /^application\/problem\+json/, what)
      }
      met.add(`${method} ${templateOf(path)} ${wrong.status}`)
    }
    const documented = Object.entries(client.document.paths).flatMap(([path, item]) =>
      Object.entries(item).flatMap(([method, operation]) =>
        Object.keys((operation as { responses: object }).responses)
          .filter(status => Number(status) >= 400 && !ELSEWHERE.has(status))
          .map(status => ({ path, what: `${method.toUpperCase()} ${path} ${status}` })),
      ),
    )
    const native = documented.filter(({ path }) => NATIVE.test(path)).map(({ what }) => what)
    assert.ok(native.length > 20, 'the document has them')
    assert.deepEqual(
      native.filter(what => !met.has(what)),
      [],
      'documented, and not met by this test',
    )
    const after = await ledgerOf(client)
    assert.equal(
      after.stored + after.in_flight,
      before.stored + before.in_flight,
      'nothing was kept',
    )
  },
)

interface Answer {
  readonly title?: string
  readonly detail?: string
  readonly status?: number
  readonly limit?: string
  readonly errors?: readonly { index: number; field: string; detail: string }[]
}

function mustExplain(answer: Answer, wrong: Wrong, what: string): void {
  const { status, field, index, limit, detail } = wrong
  const shown = `${what}: ${JSON.stringify(answer)}`
  assert.equal(answer.status, status, shown)
  assert.ok((answer.detail ?? '').length > 5, shown)
  if (limit !== undefined) assert.equal(answer.limit, limit, shown)
  const first = answer.errors?.[0]
  if (field !== undefined) assert.equal(first?.field, field, shown)
  if (index !== undefined) assert.equal(first?.index, index, shown)
  if (detail !== undefined) assert.match(`${answer.detail} ${first?.detail ?? ''}`, detail, shown)
}

function templateOf(path: string): string {
  return path
    .split('?')[0]
    .replace(/\/telemetry\/a$/, '/telemetry/{device_id}')
    .replace(/\/devices\/\w+$/, '/devices/{id}')
}

test('the good items of a request stay when others are refused', { skip, ...LIMIT }, async t => {
  const weir = await startWeir(t)
  const client = await weirClient(weir.url)
  const url = `${weir.url}/api/v1/telemetry`
  const items = [good, { data: { t: 1 } }, { ...good, data: { t: null, u: 2 } }, 7]
  const array = (await curl(url, sending('POST', items))).json
  assert.equal(array.accepted, 2)
  assert.deepEqual(
    array.rejected.map(({ index, field }: Rejected) => `${index} ${field}`),
    ['1 device_id', '2 data.t', '3 '],
  )
  const lines = `${JSON.stringify(good)}\n{"device_id":\n\n${JSON.stringify(good)}\n`
  const ndjson = (await curl(url, sending('POST', lines, LINES))).json
  assert.equal(ndjson.accepted, 2)
  assert.equal(ndjson.rejected.length, 1)
  const rows = { device_id: 'a', data: [{ t: 1, timestamp: 'never' }, { t: 2 }] }
  const batch = (await curl(`${url}/batch`, sending('POST', rows))).json
  assert.equal(batch.accepted, 1)
  assert.equal(batch.rejected[0].index, 0)
  await ledgerOf(client)
})

interface Rejected {
  readonly index: number
  readonly field: string
}

test(
  'packed bodies are read, and what is too large once unpacked is not',
  { skip, ...LIMIT },
  async t => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-curl-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const weir = await startWeir(t, { args: ARGS })
    const packed = async (body: string | Uint8Array, type = 'content-type: application/json') => {
      writeFileSync(join(folder, 'body'), body)
      const headers = ['-H', type, '-H', 'content-encoding: gzip']
      const data = ['--data-binary', `@${join(folder, 'body')}`]
      return curl(`${weir.url}/api/v1/telemetry`, [...headers, ...data])
    }
    assert.equal((await packed(gzipSync(JSON.stringify(good)))).status, 200)
    const bomb = await packed(gzipSync(JSON.stringify({ ...good, data: { t: 'x'.repeat(1e6) } })))
    assert.equal(bomb.status, 413)
    assert.equal(bomb.json.limit, 'ingest.maxDecompressedBytes')
    const cut = await packed(gzipSync(JSON.stringify(good)).subarray(0, 20))
    assert.deepEqual([cut.status, cut.json.detail], [400, 'the gzip body is truncated'])
    assert.equal((await packed('no gzip')).status, 400)
    const frame = frameOf([{ device: 'f', metric: 'm', timeUs: 1_700_000_000e6, value: 1 }])
    writeFileSync(join(folder, 'frame'), frame)
    const sent = ['-H', BINARY, '--data-binary', `@${join(folder, 'frame')}`]
    assert.equal((await curl(`${weir.url}/api/v1/telemetry/binary`, sent)).json.accepted, 1)
  },
)

test('beyond the bound of live streams the next is told so', { skip, ...LIMIT }, async t => {
  const weir = await startWeir(t, { args: ['--live.maxSubscribers=1'] })
  const stream = curlStream(t, `${weir.url}/api/v1/live`)
  // Not before, or this one would be the first.
  await until('the first is there', () => stream.text() !== '')
  const refused = await curl(`${weir.url}/api/v1/live`, ['--max-time', '60'])
  assert.equal(refused.status, 503)
  assert.equal(refused.json.limit, 'live.maxSubscribers')
  await stream.close()
})

test('an answer that would be too large is refused with its bound', { skip, ...LIMIT }, async t => {
  const weir = await startWeir(t, { args: ['--query.maxPoints=20', '--query.maxBuckets=10'] })
  const client = await weirClient(weir.url)
  const timestamps = Array.from({ length: 15 }, (_, i) => 1_700_000_000 + i)
  for (const device_id of ['a', 'b']) {
    await client.post('/api/v1/telemetry/batch', {
      device_id,
      timestamps,
      metrics: { m: timestamps },
    })
  }
  const ask = (body: object) => curl(`${weir.url}/api/v1/query`, sending('POST', body))
  const devices = ['a', 'b']
  assert.equal((await ask({ devices, limit: 10 })).status, 200)
  assert.equal((await ask({ devices, interval: '1m' })).status, 200)
  for (const [body, limit] of [
    [{ devices }, 'query.maxPoints'],
    [{ devices, max_points: 15 }, 'query.maxPoints'],
    [{ devices: ['a'], interval: '1us' }, 'query.maxBuckets'],
  ] as const) {
    const refused = await ask(body)
    assert.deepEqual([refused.status, refused.json.limit], [400, limit])
  }
})
