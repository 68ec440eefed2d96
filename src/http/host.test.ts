import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Script } from 'node:vm'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { testHost, type TestHost } from '../../test/fixtures/http-client.ts'
import { testServices, type TestOptions } from '../../test/fixtures/http-services.ts'
import { foreignPages } from '../kit/foreign-pages.ts'
import { createHttpHost } from './host.ts'

async function withHost(run: (host: TestHost) => Promise<void>, options?: TestOptions) {
  const host = await testHost(options)
  await run(host)
  await host.app.close()
}

test('probes, metrics and the ledger answer', () =>
  withHost(async host => {
    const { get, post } = host
    const { status, version } = (await get('/health')).json
    assert.deepEqual([status, version], ['ok', '1.2.3'])
    assert.deepEqual((await get('/ready?from=balancer')).json, { status: 'ready', reasons: [] })
    host.readiness = { ready: false, reasons: ['the log has failed'] }
    const red = await get('/ready')
    assert.equal(red.status, 503)
    assert.deepEqual(red.json, { status: 'unready', reasons: ['the log has failed'] })
    const metrics = await get('/metrics?name[]=up')
    assert.match(metrics.headers['content-type'], /^text\/plain; version=0\.0\.4/)
    assert.match(metrics.text, /^up 1$/m)
    await post('/api/v1/telemetry', [{ device_id: 'a', data: { x: 1 } }, { device_id: 'a' }])
    const { received, stored, rejected, imbalance } = (await get('/api/v1/ledger')).json
    assert.deepEqual([received, stored, rejected, imbalance], [2, 1, 1, 0])
  }))

test('where it is open the pages of other sites may ask for probes only', async () => {
  const { access } = testServices().services
  const overrides = { access: { ...access, isForeign: foreignPages([]) } }
  const { app, send } = await testHost({ overrides })
  const foreign = [{ origin: 'https://evil.example' }, { origin: 'null' }, { host: 'evil.example' }]
  for (const headers of foreign) {
    const body = { device_id: 'a', data: { x: 1 } }
    const refused = await send('POST', '/api/v1/telemetry', { body, headers })
    assert.equal(refused.status, 403)
    assert.match(refused.json.detail, /auth\.mode: keys/)
    assert.equal((await send('GET', '/api/v1/devices', { headers })).status, 403)
    assert.equal((await send('GET', '/health', { headers })).status, 200)
    assert.equal((await send('GET', '/nothing', { headers })).status, 404)
  }
  const own = { host: 'localhost:8080', origin: 'http://localhost:8080' }
  assert.equal((await send('GET', '/api/v1/devices', { headers: own })).status, 200)
  assert.equal((await send('GET', '/api/v1/devices')).status, 200)
  await app.close()
})

test('an address that is not there is 404, another method 405 with what is allowed', () =>
  withHost(async ({ send, observed }) => {
    const missing = await send('GET', '/api/v2/nothing?x=1')
    assert.equal(missing.status, 404)
    assert.match(missing.headers['content-type'], /^application\/problem\+json/)
    const cases: [string, string, string][] = [
      ['DELETE', '/api/v1/telemetry', 'POST'],
      ['GET', '/api/v1/telemetry', 'POST'],
      ['PUT', '/api/v1/devices/a', 'DELETE, GET, HEAD, PATCH'],
      ['POST', '/api/v1/telemetry/latest?x=1', 'GET, HEAD'],
      ['PUT', '/api/telemetry/a', 'GET, HEAD, POST'],
    ]
    for (const [method, url, allow] of cases) {
      const { status, headers } = await send(method, url)
      assert.deepEqual([status, headers.allow], [405, allow], `${method} ${url}`)
    }
    assert.deepEqual([...new Set(observed)].sort(), [
      'DELETE unmatched 405',
      'GET unmatched 404',
      'GET unmatched 405',
      'POST unmatched 405',
      'PUT unmatched 405',
    ])
  }))

test('requests have ids: those of the client where they are harmless, else our own', () =>
  withHost(async ({ send }) => {
    const given = await send('GET', '/nothing', { headers: { 'x-request-id': 'trace-1.2:3' } })
    assert.equal(given.json.request_id, 'trace-1.2:3')
    for (const id of ['a b', 'x'.repeat(65), '"']) {
      const { json } = await send('GET', '/nothing', { headers: { 'x-request-id': id } })
      assert.notEqual(json.request_id, id)
    }
    const [a, b] = [await send('GET', '/nothing'), await send('GET', '/nothing')]
    assert.notEqual(a.json.request_id, b.json.request_id)
  }))

test('the pages bring everything along and let nothing else in', () =>
  withHost(async ({ get }) => {
    for (const url of ['/', '/docs']) {
      const { status, headers, text } = await get(url)
      assert.equal(status, 200)
      assert.match(headers['content-type'], /^text\/html/)
      assert.match(headers['content-security-policy'], /default-src 'none'/)
      assert.doesNotMatch(text, /https?:\/\/(?!www\.w3\.org)/)
    }
    const { text } = await get('/docs')
    const script = /<script>([\s\S]*)<\/script>/.exec(text)?.[1] ?? ''
    assert.doesNotThrow(() => new Script(script), 'its script is one that parses')
  }))

interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly tags?: string[]
  readonly parameters?: { name: string; in: string; required: boolean; schema: object }[]
  readonly requestBody?: { content: Record<string, { schema?: object }> }
  readonly responses: Record<string, { description: string; content?: Record<string, object> }>
}

test('the OpenAPI document is a valid one of version 3.1', () =>
  withHost(async ({ get }) => {
    const document = (await get('/openapi.json')).json
    assert.match(document.openapi, /^3\.1\.\d+$/)
    assert.deepEqual(Object.keys(document.info).sort(), [
      'description',
      'license',
      'title',
      'version',
    ])
    const tags = new Set(document.tags.map((tag: { name: string }) => tag.name))
    const ids = new Set<string>()
    const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>)
    assert.ok(operations.length > 15)
    for (const [path, item] of operations) {
      assert.match(path, /^\/[\w/{}.-]*$/)
      for (const [method, operation] of Object.entries(item)) {
        const what = `${method} ${path}`
        assert.match(method, /^(get|post|put|patch|delete)$/, what)
        assert.ok(!ids.has(operation.operationId), `${operation.operationId} occurs twice`)
        ids.add(operation.operationId)
        assert.ok(operation.summary !== undefined, `${what} has a summary`)
        for (const tag of operation.tags ?? []) assert.ok(tags.has(tag), `${what}: tag ${tag}`)
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1])
        const parameters = operation.parameters ?? []
        const named = parameters.filter(one => one.in === 'path').map(one => one.name)
        assert.deepEqual(named, inPath, what)
        assert.equal(
          new Set(parameters.map(one => `${one.in} ${one.name}`)).size,
          parameters.length,
        )
        assert.ok(
          Object.keys(operation.responses).some(status => /^2\d\d$/.test(status)),
          what,
        )
        for (const [status, response] of Object.entries(operation.responses)) {
          assert.match(status, /^[2-5]\d\d$/)
          assert.equal(typeof response.description, 'string', what)
          if (status >= '400' && status !== '503') {
            // Clients of these dialects read errors of their own, as JSON under no other name.
            const dialects = ['influxdb', 'streaming platform']
            const own = operation.tags?.some(tag => dialects.includes(tag)) === true
            const type = own ? 'application/json' : 'application/problem+json'
            assert.deepEqual(Object.keys(response.content ?? {}), [type], what)
          }
        }
      }
    }
  }))

test('every schema of the OpenAPI document is one of JSON Schema 2020-12, and every reference leads somewhere', () =>
  withHost(async ({ get }) => {
    const document = (await get('/openapi.json')).json
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    ajv.addSchema(document, 'openapi')
    let schemas = 0
    const visit = (node: unknown, pointer: string): void => {
      if (typeof node !== 'object' || node === null) return
      for (const [key, value] of Object.entries(node)) {
        const step = encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))
        const at = `${pointer}/${step}`
        if (key === 'schema') {
          assert.ok(ajv.validateSchema(value as object), `${at}: ${ajv.errorsText()}`)
          assert.doesNotThrow(() => ajv.compile({ $ref: `openapi#${at}` }), at)
          schemas++
        } else visit(value, at)
      }
    }
    visit(document, '')
    assert.ok(schemas > 50, `${schemas}`)
  }))

test('a stop ends live streams, and requests under way are answered', async () => {
  const { services, log } = testServices()
  const app = createHttpHost(services)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const base = `http://127.0.0.1:${port}`
  const live = await fetch(`${base}/api/v1/live`)
  const events = live.text()
  let open = (): void => {}
  const held = new Promise<void>(resolve => (open = resolve))
  log.before = () => held
  const body = '{"device_id":"a","data":{"x":1}}'
  const waiting = fetch(`${base}/api/v1/telemetry`, { method: 'POST', body })
  while (log.appends === 0) await new Promise(resolve => setImmediate(resolve))
  const closed = app.close()
  open()
  assert.equal((await waiting).status, 200)
  assert.match(await events, /^: weir/)
  await closed
})

test('live events arrive as points become durable, and a page of a browser may resume', async () => {
  const { services } = testServices()
  const app = createHttpHost(services)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const base = `http://127.0.0.1:${port}`
  const live = await fetch(`${base}/api/v1/live?device_id=a`)
  assert.match(live.headers.get('content-type') ?? '', /^text\/event-stream/)
  for (const id of ['b', 'a']) {
    await fetch(`${base}/api/telemetry/${id}`, { method: 'POST', body: '{"x":1}' })
  }
  let text = ''
  const reader = (live.body as ReadableStream<Uint8Array>).getReader()
  while (!text.includes('"device_id":"a"'))
    text += Buffer.from((await reader.read()).value ?? []).toString()
  assert.doesNotMatch(text, /"device_id":"b"/)
  await reader.cancel()
  await app.close()
})

test('an upgrade that the host does not know is left to others', async () => {
  const { services } = testServices()
  const app = createHttpHost(services)
  app.server.on('upgrade', (request, socket) => {
    socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\nfor ${request.url}`)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text))
  socket.write('GET /mqtt HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  await once(socket, 'close')
  assert.match(answer, /for \/mqtt$/)
  await app.close()
})
