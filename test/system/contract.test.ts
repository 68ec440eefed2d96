import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { connectAsync } from 'mqtt'
import { frameOf } from '../fixtures/fleet-doors.ts'
import { liveStream } from '../fixtures/live-stream.ts'
import { until } from '../fixtures/until.ts'
import { SYSTEM_TOPOLOGIES, type SystemTopology } from '../fixtures/system-topology.ts'
import { ledgerOf, weirClient, type WeirClient } from '../fixtures/weir-client.ts'
import { runWeir, startWeir } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 120_000 }
const TIME = '2023-11-14T22:13:20.000Z'

test('the OpenAPI document is valid OpenAPI 3.1', LIMIT, async t => {
  const weir = await startWeir(t)
  const { document } = await weirClient(weir.url)
  mustBeOpenApi(document as unknown as Document)
})

interface Schema {
  readonly $ref?: string
}

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema: Schema
  }[]
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema?: Schema }>>
  }
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string
        readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>
      }
    >
  >
}

interface Document {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

/** The rules of the OpenAPI Specification 3.1 for what the document uses. */
function mustBeOpenApi(document: Document): void {
  assert.match(document.openapi, /^3\.1\.\d+$/)
  assert.equal(document.info.title, 'Weir')
  assert.match(document.info.version, /^\d+\.\d+\.\d+/)
  const allowed = ['openapi', 'info', 'servers', 'tags', 'paths', 'components', 'security']
  for (const key of Object.keys(document)) assert.ok(allowed.includes(key), key)
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema(document, 'document')
  // Against the meta-schema of JSON Schema 2020-12, with every reference resolved.
  const mustBeSchema = (schema: Schema | undefined, what: string): void => {
    assert.ok(schema !== undefined, `${what} has a schema`)
    assert.ok(ajv.validateSchema(schema) === true, `${what}: ${ajv.errorsText()}`)
    const ref = (text: string): string => text.replaceAll('"$ref":"#/', '"$ref":"document#/')
    ajv.compile(JSON.parse(ref(JSON.stringify(schema))) as object)
  }
  const tags = document.tags.map(({ name }) => name)
  const ids = new Set<string>()
  const shapes = new Set<string>()
  for (const [path, item] of Object.entries(document.paths)) {
    assert.match(path, /^\//)
    const shape = path.replaceAll(/\{[^}]+\}/g, '{}')
    assert.ok(!shapes.has(shape), `${path} is there twice, by other names`)
    shapes.add(shape)
    const named = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name)
    for (const [method, operation] of Object.entries(item)) {
      const what = `${method} ${path}`
      assert.ok(METHODS.includes(method), what)
      assert.ok(!ids.has(operation.operationId), `${what}: ${operation.operationId} is there twice`)
      ids.add(operation.operationId)
      assert.ok(operation.summary.length > 0, what)
      for (const tag of operation.tags) assert.ok(tags.includes(tag), `${what}: tag ${tag}`)
      const parameters = operation.parameters ?? []
      const keys = parameters.map(parameter => `${parameter.in} ${parameter.name}`)
      assert.equal(new Set(keys).size, keys.length, `${what}: a parameter is there twice`)
      const inPath = parameters.filter(parameter => parameter.in === 'path')
      assert.deepEqual(inPath.map(({ name }) => name).toSorted(), named.toSorted(), what)
      for (const parameter of parameters) {
        assert.ok(['path', 'query', 'header', 'cookie'].includes(parameter.in), what)
        if (parameter.in === 'path') assert.equal(parameter.required, true, what)
        mustBeSchema(parameter.schema, `${what} ${parameter.name}`)
      }
      for (const [type, { schema }] of Object.entries(operation.requestBody?.content ?? {})) {
        assert.match(type, /^[\w.+-]+\/[\w.+-]+$/)
        if (schema !== undefined) mustBeSchema(schema, `${what} body ${type}`)
      }
      assert.ok(Object.keys(operation.responses).length > 0, what)
      for (const [status, response] of Object.entries(operation.responses)) {
        assert.match(status, /^[1-5]\d\d$/, what)
        assert.ok(response.description.length > 0, `${what} ${status}`)
        for (const [type, { schema }] of Object.entries(response.content ?? {})) {
          mustBeSchema(schema, `${what} ${status} ${type}`)
        }
      }
    }
  }
}

for (const topology of SYSTEM_TOPOLOGIES) {
  const { name, skip } = topology
  test(
    `${name}: every route answers as its document says, and is in this test`,
    { ...LIMIT, skip },
    t => walkAll(t, topology),
  )
}

/** Clients of nodes whose reads see what was acknowledged a moment later. */
const readsLater = new WeakSet<WeirClient>()

async function walkAll(t: TestContext, topology: SystemTopology): Promise<void> {
  const weir = await topology.start(t)
  const client = await weirClient(weir.url)
  if (!topology.readsItsWrites) readsLater.add(client)
  await walkRoutes(client)
  const stream = await liveStream(t, weir.url, { query: '?device_id=a' })
  stream.close()
  const seen = new Set([...client.seen, 'GET /api/v1/live'])
  const documented = Object.entries(client.document.paths).flatMap(([path, item]) =>
    Object.keys(item).map(method => `${method.toUpperCase()} ${path}`),
  )
  assert.deepEqual(
    documented.filter(route => !seen.has(route)),
    [],
    'routes of the document that this test does not call',
  )
  await ledgerOf(client)
}

async function walkStreaming(client: WeirClient): Promise<void> {
  const message = { device_id: 'a', metric: 't', value: 20.5, location: 'hall' }
  await expect(client, 'POST /ingest', 200, message)
  await expect(client, 'POST /ingest', 400, { ...message, value: null })
  const lists = ['/readings', '/anomalies', '/devices/a/readings', '/devices/a/anomalies']
  for (const path of lists) {
    await expect(client, `GET ${path}?limit=5`, 200)
    await expect(client, `GET ${path}?limit=0`, 400)
  }
  const plain = ['/readings/latest', '/analytics', '/device-stats', '/devices', '/devices/a']
  for (const path of [...plain, '/system/health', '/system/stats']) {
    await expect(client, `GET ${path}`, 200)
  }
  await expect(client, 'GET /devices/nobody', 404)
}

async function walkKeys(client: WeirClient): Promise<void> {
  const made = await client.post('/api/v1/keys', { scopes: ['read'] })
  assert.equal(made.status, 201)
  const { id, key } = made.json as { id: string; key: string }
  await expect(client, 'POST /api/v1/keys', 400, { scopes: ['everything'] })
  await expect(client, `POST /api/v1/keys/${id}/rotate?overlap_seconds=60`, 201)
  await expect(client, 'POST /api/v1/keys/nobody/rotate', 404)
  await expect(client, 'POST /api/v1/devices/a/credentials', 201, { token: 'a-token-of-its-own' })
  await expect(client, 'POST /api/v1/devices/a/credentials', 409, { token: 'a-token-of-its-own' })
  await expect(client, 'GET /api/v1/devices/a/credentials', 200)
  await expect(client, 'GET /api/v1/devices/nobody/credentials', 404)
  await expect(client, `DELETE /api/v1/keys/${id}`, 204)
  await expect(client, 'DELETE /api/v1/keys/nobody', 404)
  assert.ok(!(await client.get('/api/v1/keys')).text.includes(key))
}

/** Asks every route for a success and, where it has one, for a typical problem. */
async function walkRoutes(client: WeirClient): Promise<void> {
  // Nothing is there yet.
  await expect(client, 'GET /api/telemetry/latest', 404)
  await expect(client, 'GET /api/telemetry/latest/a', 404)
  await expect(client, 'GET /api/telemetry/a', 404)
  await expect(client, 'GET /api/v1/telemetry/latest', 200)
  await expect(client, 'GET /api/telemetry/count', 200)

  const message = { device_id: 'a', timestamp: TIME, data: { t: 1.5, on: true, state: 'x' } }
  await expect(client, 'POST /api/v1/telemetry', 200, message)
  await expect(client, 'POST /api/v1/telemetry', 200, [message, { device_id: 'b' }])
  await expect(client, 'POST /api/v1/telemetry', 400, [])
  await expect(client, 'POST /api/v1/telemetry', 400, '{')
  const rows = { device_id: 'a', data: [{ timestamp: TIME, u: 2 }, {}] }
  await expect(client, 'POST /api/v1/telemetry/batch', 200, rows)
  const columns = { device_id: 'a', timestamps: [TIME], metrics: { v: [3] } }
  await expect(client, 'POST /api/v1/telemetry/batch', 200, columns)
  await expect(client, 'POST /api/v1/telemetry/batch', 400, { device_id: 'a' })
  const binary = (body: Uint8Array): ReturnType<WeirClient['post']> =>
    client.post('/api/v1/telemetry/binary', body, { 'content-type': 'application/octet-stream' })
  const frame = frameOf([{ device: 'a', metric: 'w', timeUs: 1_700_000_000e6, value: 4 }])
  assert.equal((await binary(frame)).status, 200)
  assert.equal((await binary(frame.subarray(1))).status, 400)
  const type = { 'content-type': 'application/xml' }
  assert.equal((await client.post('/api/v1/telemetry', '<a/>', type)).status, 415)

  const query = '/api/v1/telemetry/a'
  await expect(client, `GET ${query}?start=${TIME}&order=desc&limit=2&metric=t&metric=u`, 200)
  await expect(client, `GET ${query}?interval=5m&agg=avg,p95,count`, 200)
  await expect(client, `GET ${query}?max_points=10`, 200)
  await expect(client, `GET ${query}?interval=often`, 400)
  await expect(client, 'GET /api/v1/telemetry/nobody', 200)
  await expect(client, 'GET /api/v1/telemetry/latest?device_id=a&metric=t', 200)
  await expect(client, 'POST /api/v1/query', 200, { devices: ['a'], interval: '1h' })
  await expect(client, 'POST /api/v1/query', 200, { devices: ['a'], max_points: 5 })
  await expect(client, 'POST /api/v1/query', 200, { devices: ['a'], limit: 5, order: 'desc' })
  await expect(client, 'POST /api/v1/query', 400, { devices: [] })
  await expect(client, 'POST /api/v1/query', 400, { devices: ['a'], sum: true })

  await expect(client, 'POST /api/telemetry/fleet-1', 201, { x_coord: 1.2, device_time: TIME })
  await expect(client, 'POST /api/telemetry/fleet-1', 201, { x_coord: 1.2, y: null })
  await expect(client, 'POST /api/telemetry/fleet-1', 400, {})
  await expect(client, 'GET /api/telemetry/fleet-1?limit=5&latest_seconds=60', 200)
  await expect(client, 'GET /api/telemetry/latest/fleet-1', 200)
  await expect(client, 'GET /api/telemetry/latest', 200)
  await expect(client, 'GET /api/telemetry/count', 200)
  await expect(client, 'GET /api/devices', 200)
  await expect(client, 'GET /api/health', 200)

  const device = { id: 'made', name: 'Made', site: 'north', attributes: { floor: 1 } }
  await expect(client, 'POST /api/v1/devices', 201, device)
  await expect(client, 'POST /api/v1/devices', 409, device)
  await expect(client, 'POST /api/v1/devices', 400, { id: 'x', colour: 'red' })
  await expect(client, 'GET /api/v1/devices?site=north&limit=1', 200)
  await expect(client, 'GET /api/v1/devices/made', 200)
  await expect(client, 'GET /api/v1/devices/nobody', 404)
  await expect(client, 'PATCH /api/v1/devices/made', 200, { name: null })
  await expect(client, 'PATCH /api/v1/devices/nobody', 404, { name: 'x' })
  await expect(client, 'DELETE /api/v1/devices/made', 204)
  await expect(client, 'DELETE /api/v1/devices/made', 404)

  for (const url of ['/write?db=plant&precision=s', '/api/v2/write?bucket=plant&precision=s']) {
    await expect(client, `POST ${url}`, 204, 'm,host=h v=1 1700000000')
    const answer = await client.post(url, 'nonsense')
    assert.equal(answer.status, 400)
    assert.equal(answer.json.line, 1)
  }
  await expect(client, 'GET /ping', 204)

  await expect(client, 'POST /api/v1/k3y/telemetry', 200, {
    ts: 1_700_000_000_000,
    values: { t: 1 },
  })
  await expect(client, 'POST /api/v1/k3y/telemetry', 400, [{ t: null }])
  await expect(client, 'POST /api/v1/telemetry/telemetry', 404, { t: 1 })
  await expect(client, 'POST /api/v1/k3y/attributes', 200, { firmware: '1.2' })
  await expect(client, 'POST /api/v1/k3y/attributes', 400, '[]')
  await expect(client, 'GET /api/v1/k3y/attributes?clientKeys=firmware', 200)
  await expect(client, 'GET /api/v1/k3y/attributes?keys=firmware', 400)
  const metrics = { t: { unit: '°C', type: 'number', min: -40, max: 85 } }
  const product = { productId: 'p-1', name: 'P', price: 1.5, metrics, onViolation: 'refuse' }
  await expect(client, 'POST /products', 201, product)
  await expect(client, 'POST /products', 409, product)
  await expect(client, 'POST /products', 400, { productId: 'p-2', name: 'P', price: -1 })
  await expect(client, 'GET /products', 200)
  await expect(client, 'GET /products/p-1', 200)
  await expect(client, 'GET /products/nobody', 404)
  await expect(client, 'PATCH /products/p-1', 200, { metrics: { t: { max: null } } })
  await expect(client, 'PATCH /products/nobody', 404, { price: 1 })
  await expect(client, 'PUT /products/p-1', 200, { name: 'Q', price: 2 })
  await expect(client, 'PUT /products/nobody', 404, { name: 'Q', price: 2 })
  await expect(client, 'DELETE /products/p-1', 204)
  await expect(client, 'DELETE /products/p-1', 404)

  await walkKeys(client)
  await walkStreaming(client)
  const record = { device_id: 'a', sensor_type: 'pressure', value: 2.5, unit: 'bar' }
  await expect(client, 'POST /api/data', 201, record)
  await expect(client, 'POST /api/data', 400, { ...record, value: null })
  await expect(client, 'GET /api/data?device_id=a&limit=5', 200)
  await expect(client, 'GET /api/data?limit=0', 400)
  await expect(client, 'GET /api/v1/analytics/anomalies?device_id=a', 200)
  await expect(client, 'GET /api/v1/analytics/anomalies?severity=huge', 400)

  for (const path of ['/health', '/ready', '/metrics', '/openapi.json', '/docs', '/']) {
    await expect(client, `GET ${path}`, 200)
  }
  await expect(client, 'GET /api/v1/ledger', 200)
  await expect(client, 'GET /api/v1/export?device_id=a', 200)
  await expect(client, 'GET /api/v1/export?device_id=nobody', 404)
  await expect(client, 'GET /api/v1/export?format=xls', 400)
  const row = 'time,device_id,metric,value,text\n2020-01-01,a,imported,1,\n'
  await expect(client, 'POST /api/v1/import?format=csv', 200, row)
  await expect(client, 'POST /api/v1/import', 415, row)
  await expect(client, 'POST /api/v1/import?format=csv&device=x', 400, row)
  await expect(client, 'POST /api/v1/capacity', 200, { devices: 5000, retention_days: 90 })
  await expect(client, 'POST /api/v1/capacity', 400, { devices: 0 })
  await expect(client, 'GET /api/v1/live?colour=red', 400)
  await expect(client, 'GET /nowhere', 404)
  await expect(client, 'DELETE /health', 405)
}

async function expect(
  client: WeirClient,
  request: string,
  ...[status, body]: [status: number, body?: string | object]
): Promise<void> {
  const [method, path] = request.split(' ')
  const ask = () => client.send(method, path, body === undefined ? {} : { body })
  const isRead = method === 'GET' || path === '/api/v1/query'
  const answer =
    isRead && readsLater.has(client)
      ? await until(`${request} answers ${status}`, async () => {
          const one = await ask()
          return one.status === status && one
        })
      : await ask()
  assert.equal(answer.status, status, `${request}: ${answer.text}`)
  if (status < 400) return
  // The streaming platform's clients know this shape; which route has which is in the document.
  if (answer.json.error !== undefined) {
    assert.deepEqual({ ...answer.json, error: '' }, { error: '', status })
    return
  }
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json(;|$)/)
  const problem = answer.json as { detail: string; request_id: string; status: number }
  assert.equal(problem.status, status)
  assert.ok(problem.detail.length > 5, answer.text)
  assert.equal(answer.headers.get('x-request-id'), problem.request_id)
}

test('a query parameter that a route does not know is an error that names it', LIMIT, async t => {
  const weir = await startWeir(t)
  const client = await weirClient(weir.url)
  await client.post('/api/v1/telemetry', { device_id: 'a', data: { t: 1 } })
  // Probes and scrapers add parameters of their own.
  const free = [
    '/ping',
    '/health',
    '/ready',
    '/metrics',
    '/openapi.json',
    '/docs',
    '/',
    '/api/health',
    '/system/health',
  ]
  for (const [path, item] of Object.entries(client.document.paths)) {
    for (const method of Object.keys(item)) {
      const url = `${path.replaceAll(/\{\w+\}/g, 'a')}?colour=red`
      const answer = await client.send(method.toUpperCase(), url, bodyOf(method, path))
      if (free.includes(path)) assert.equal(answer.status, path === '/ping' ? 204 : 200, url)
      else {
        assert.equal(answer.status, 400, `${method} ${url}: ${answer.text}`)
        const { error, errors } = answer.json
        // The streaming platform's clients know one text.
        if (errors === undefined) assert.match(error, /colour/, `${method} ${url}`)
        else assert.equal(errors[0].field, 'colour', `${method} ${url}`)
      }
    }
  }
})

/** One that fits: it is looked at before the query. */
function bodyOf(method: string, path: string): { body?: object } {
  const product = { productId: 'a', name: 'A', price: 1 }
  if (method === 'put') return { body: product }
  if (method === 'patch') return { body: {} }
  if (method !== 'post') return {}
  if (path === '/api/v1/capacity') return { body: { devices: 1 } }
  if (path === '/products') return { body: product }
  if (path === '/api/v1/keys') return { body: { scopes: ['read'] } }
  if (path.endsWith('/credentials')) return { body: {} }
  if (path.endsWith('/rotate')) return {}
  return { body: path === '/api/v1/query' ? { devices: ['a'] } : { id: 'a' } }
}

test('/metrics has the names that dashboards use, and counts what came', LIMIT, async t => {
  const weir = await startWeir(t)
  const client = await weirClient(weir.url)
  const mqtt = await connectAsync(weir.mqttUrl)
  t.after(() => mqtt.endAsync(true))
  await mqtt.publishAsync('devices/secret-device/telemetry', '{"a":1,"b":null}', { qos: 1 })
  const items = [{ device_id: 'secret-device', data: { a: 1, b: 2 } }, {}]
  await client.post('/api/v1/telemetry', items)
  await client.read('/api/v1/telemetry/secret-device')
  const { text } = await client.get('/metrics')
  const types = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]),
  )
  const expected = {
    telemetry_points_total: 'counter',
    http_request_duration_seconds: 'histogram',
    http_requests_total: 'counter',
    cache_hits_total: 'counter',
    cache_requests_total: 'counter',
    mqtt_messages_total: 'counter',
    mqtt_connected_clients: 'gauge',
    log_append_duration_seconds: 'histogram',
    log_lag_points: 'gauge',
    store_write_duration_seconds: 'histogram',
    store_query_duration_seconds: 'histogram',
    freshness_seconds: 'histogram',
    process_cpu_seconds_total: 'counter',
    nodejs_eventloop_lag_seconds: 'gauge',
  }
  for (const [name, type] of Object.entries(expected)) {
    assert.equal(types.get(name), type, name)
  }
  const value = (line: string): number => {
    const found = text.split('\n').find(other => other.startsWith(`${line} `))
    assert.ok(found !== undefined, `${line} is not in\n${text}`)
    return Number(found.split(' ').at(-1))
  }
  assert.equal(value('telemetry_points_total{door="http",outcome="accepted"}'), 2)
  assert.equal(value('telemetry_points_total{door="http",outcome="rejected"}'), 1)
  assert.equal(value('telemetry_points_total{door="mqtt",outcome="accepted"}'), 1)
  assert.equal(value('telemetry_points_total{door="mqtt",outcome="rejected"}'), 1)
  assert.equal(value('mqtt_connected_clients'), 1)
  assert.equal(
    value('http_requests_total{method="POST",route="/api/v1/telemetry",status="200"}'),
    1,
  )
  assert.equal(value('log_lag_points{group="writer"}'), 0)
  assert.ok(!text.includes('secret-device'), 'device ids are no labels')
})

test('weir check prints the plan and changes nothing', LIMIT, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-check-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const data = join(folder, 'data')
  const { code, stdout, stderr } = await runWeir(
    ['check', '--data', data, '--http', '127.0.0.1:4321'],
    {
      env: { WEIR_STORE_HEAD_BYTES: '32MB' },
    },
  )
  assert.equal(code, 0, stderr)
  for (const part of [/roles +all/, /log embedded/, /store blocks/, /catalog sqlite/]) {
    assert.match(stdout, part)
  }
  assert.match(stdout, /http 127\.0\.0\.1:4321/)
  assert.match(stdout, /store\.headBytes is set by .*WEIR_STORE_HEAD_BYTES/)
  assert.ok(stdout.includes(data))
  assert.ok(!existsSync(data))

  const bad = await runWeir([
    'check',
    '--store.headBytes=lots',
    '--http',
    'nowhere',
    '--log.engien=x',
  ])
  assert.equal(bad.code, 2)
  for (const part of [/store\.headBytes/, /http\.address/, /log\.engien/]) {
    assert.match(bad.stderr, part, 'all problems at once')
  }
})

test('nothing listens beyond this machine without keys, unless told --insecure', LIMIT, async t => {
  for (const [door, other] of [
    ['--http', '--mqtt'],
    ['--mqtt', '--http'],
  ]) {
    const args = [door, '0.0.0.0:0', other, '127.0.0.1:0']
    const data = join(tmpdir(), `weir-never-${process.pid}`)
    const up = await runWeir(['up', '--data', data, ...args])
    assert.equal(up.code, 2, up.stderr)
    assert.match(up.stderr, /can be reached from other machines/)
    assert.match(up.stderr, /--insecure/)
    assert.ok(!existsSync(data), 'it changed nothing')
    assert.equal((await runWeir(['check', ...args])).code, 2)
    assert.equal((await runWeir(['check', '--insecure', ...args])).code, 0)
  }
  const weir = await startWeir(t, { args: ['--insecure'] })
  assert.equal((await fetch(`${weir.url}/health`)).status, 200)
})
