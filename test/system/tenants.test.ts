import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { connectAsync } from 'mqtt'
import { runWeir, startWeir, type WeirProcess } from '../fixtures/weir-process.ts'
import { until } from '../fixtures/until.ts'
import { openApiCheck } from '../fixtures/openapi-check.ts'

interface Operation {
  readonly 'x-weir-scope'?: string
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
}

interface Tenant {
  readonly key: string
  ask(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }>
}

interface Closed {
  readonly weir: WeirProcess
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  tenant(name: string, options?: readonly string[]): Promise<Tenant>
}

const SECRET = 'secretpump'
const METRIC = 'secretmetric'
const VALUE = 424_242.125
/** Nobody has anything of this name; as long as the other, so that even lengths can be compared. */
const GHOST = 'ghosts-pum'

async function startClosed(t: TestContext): Promise<Closed> {
  const weir = await startWeir(t, { args: ['--auth.mode=keys'] })
  const document = (await (await fetch(`${weir.url}/openapi.json`)).json()) as Closed
  const check = openApiCheck(document as unknown as object)
  return {
    weir,
    paths: document.paths,
    async tenant(name, options = ['--scopes', 'ingest,read,admin']) {
      const args = ['keys', 'create', '--data', weir.data, '--tenant', name, ...options]
      const { code, stdout, stderr } = await runWeir(args)
      assert.equal(code, 0, stderr)
      const key = stdout.trim()
      const ask: Tenant['ask'] = async (method, path, body) => {
        const isText = typeof body === 'string'
        const response = await fetch(weir.url + path, {
          method,
          headers: {
            authorization: `Bearer ${key}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
        })
        const text = await response.text()
        const contentType = response.headers.get('content-type') ?? undefined
        check({ method, path, status: response.status, contentType, body: text })
        return { status: response.status, text }
      }
      await until('the node knows the key', async () => {
        return (await ask('GET', '/api/v1/ledger')).status !== 401
      })
      return { key, ask }
    },
  }
}

/** What a request to a route is made of, with the name of a device that it is about. */
type Bodies = Readonly<Record<string, (name: string, metric: string) => unknown>>

/** Every route that takes a body; a new one is to be added here. */
const BODIES: Bodies = {
  'post /api/v1/telemetry': device_id => ({ device_id: `${device_id}/no`, data: { x: 1 } }),
  'post /api/v1/telemetry/batch': device_id => ({ device_id: `${device_id}/no`, data: [] }),
  'post /api/v1/telemetry/binary': () => 'no frame',
  'post /api/telemetry/{device_id}': () => ({}),
  'post /api/v1/query': (name, metric) => ({ devices: [name], metrics: [metric] }),
  'post /api/v1/capacity': () => ({ devices: 0 }),
  'post /api/v1/devices': name => ({ id: `${name}/no` }),
  'patch /api/v1/devices/{id}': () => ({ name: 'stolen' }),
  'post /api/v1/keys': () => ({ scopes: [] }),
  'post /api/v1/devices/{id}/credentials': () => ({}),
  'post /api/v2/write': device => `m,device_id=${device} v=`,
  'post /write': device => `m,device_id=${device} v=`,
  'post /api/v1/{token}/telemetry': (_device, metric) => ({ [metric]: 1 }),
  'post /api/v1/{token}/attributes': () => ({ a: 1 }),
  'post /ingest': (device_id, metric) => ({ device_id: `${device_id}/no`, metric, value: 1 }),
  'post /api/data': device_id => ({ device_id: `${device_id}/no`, sensor_type: 'x', value: 1 }),
  'post /api/v1/import': () => 'device_id,x',
  'post /products': name => ({ productId: `${name}/no`, name: '', price: 1 }),
  'put /products/{id}': () => ({ name: '', price: 1 }),
  'patch /products/{id}': () => ({ name: 'stolen' }),
}

/** Answers that never end, or are the same for everybody. */
const ELSEWHERE = new Set(['get /api/v1/live'])

/** Without what differs from answer to answer. */
function steady(text: string, name: string): string {
  return (
    text
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replaceAll(/"request_id":"[^"]*"/g, '"request_id":""')
      // Its own answer of just before.
      .replaceAll(/"source":"\w+"/g, '"source":""')
      .replaceAll(name, 'NAME')
  )
}

test('through no route does a tenant learn or change anything of another', async t => {
  const closed = await startClosed(t)
  const [a, b] = [await closed.tenant('a'), await closed.tenant('b')]
  const own = { device_id: 'pump', timestamp: '2026-11-01T00:00:00Z', data: { flow: 1 } }
  assert.equal((await b.ask('POST', '/api/v1/telemetry', own)).status, 200)
  const secret = { device_id: SECRET, timestamp: '2026-11-02T00:00:00Z', data: { [METRIC]: VALUE } }
  assert.equal((await a.ask('POST', '/api/v1/telemetry', secret)).status, 200)
  assert.equal(
    (await a.ask('POST', '/api/v1/telemetry', { ...own, data: { flow: 7 } })).status,
    200,
  )
  const keyOfA = a.key.split('_')[1]
  const before = await snapshot(a)
  const asked: string[] = []
  for (const [path, operations] of Object.entries(closed.paths)) {
    for (const [verb, operation] of Object.entries(operations)) {
      const route = `${verb} ${path}`
      if (operation['x-weir-scope'] === 'none' || ELSEWHERE.has(route)) continue
      if (verb !== 'get' && verb !== 'delete' && !path.endsWith('/rotate')) {
        assert.ok(Object.hasOwn(BODIES, route), `${route}: say in BODIES what it is asked`)
      }
      const about = async (device: string, key: string) => {
        const url = path.replaceAll(/\{(\w+)\}/g, path.includes('/keys/') ? key : device)
        const names = (operation.parameters ?? []).filter(one => one.in === 'query')
        const query = names.some(({ name }) => name === 'device_id') ? `?device_id=${device}` : ''
        const body = BODIES[route]?.(device, device === SECRET ? METRIC : `${GHOST}me`)
        const { status, text } = await b.ask(verb.toUpperCase(), url + query, body)
        assert.doesNotMatch(text, /secretmetric|424242/, `${route}: ${text}`)
        return `${status} ${steady(text, device).replaceAll(key, 'KEY')}`
      }
      const ghost = await about(GHOST, 'ghosts-key')
      assert.equal(await about(SECRET, keyOfA), ghost, route)
      asked.push(route)
    }
  }
  assert.ok(asked.length >= 20, asked.join('\n'))
  assert.equal(await snapshot(a), before)
  assert.deepEqual(JSON.parse((await b.ask('GET', '/api/telemetry/count')).text), { count: 1 })
  const { received, imbalance } = JSON.parse((await b.ask('GET', '/api/v1/ledger')).text) as {
    received: number
    imbalance: number
  }
  assert.ok(received >= 1 && received < 20, String(received))
  assert.equal(imbalance, 0)

  // A device of the same name is another device.
  const wrote = await b.ask('POST', `/api/telemetry/${SECRET}`, { [METRIC]: 1 })
  assert.equal(wrote.status, 201)
  const patched = await b.ask('PATCH', `/api/v1/devices/${SECRET}`, { name: 'of b' })
  assert.equal(patched.status, 200)
  assert.equal((await b.ask('DELETE', `/api/v1/devices/${SECRET}`)).status, 204)
  const product = { productId: 'p-1', name: 'of b', price: 1 }
  assert.equal((await b.ask('POST', '/products', product)).status, 201)
  assert.equal((await a.ask('POST', '/products', { ...product, name: 'of a' })).status, 201)
  assert.doesNotMatch((await b.ask('GET', '/products')).text, /of a/)
  assert.equal(await snapshot(a), before)
})

/** All that a tenant can read of its own. */
async function snapshot({ ask }: Tenant): Promise<string> {
  const texts: string[] = []
  for (const path of [
    ...['/api/v1/devices', '/api/v1/telemetry/latest', `/api/v1/telemetry/${SECRET}`],
    ...[
      '/api/v1/telemetry/pump',
      '/api/v1/ledger',
      '/api/telemetry/count',
      '/api/telemetry/latest',
    ],
  ]) {
    const { status, text } = await ask('GET', path)
    assert.equal(status, 200, text)
    texts.push(text)
  }
  return texts.join('\n')
}

test('the live stream of a tenant has its own points, and counts nobody else', async t => {
  const closed = await startClosed(t)
  const [a, b] = [await closed.tenant('a'), await closed.tenant('b')]
  const abort = new AbortController()
  t.after(() => abort.abort())
  const response = await fetch(`${closed.weir.url}/api/v1/live`, {
    headers: { authorization: `Bearer ${b.key}` },
    signal: abort.signal,
  })
  let got = ''
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body!) got += decoder.decode(chunk as Uint8Array)
  })().catch(() => {})
  for (const value of [1, 2]) {
    for (let i = 0; i < 5; i++) {
      await a.ask('POST', '/api/v1/telemetry', { device_id: SECRET, data: { [METRIC]: i } })
    }
    await b.ask('POST', '/api/v1/telemetry', { device_id: 'pump', data: { flow: value } })
  }
  await until('both points', () => Promise.resolve(got.includes('"value":2')))
  assert.doesNotMatch(got, /secret/)
  const ids = [...got.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)
  assert.equal(ids.length, 2)
  // As long for any place in the log, and nothing of one is in the other.
  for (const id of ids) assert.match(id, /^[\w-]{38}$/)
  await closed.weir.stop()
  await reading
})

test('keys are made, rotated and revoked on the command line while the node runs', async t => {
  const closed = await startClosed(t)
  const { weir } = closed
  const tenant = await closed.tenant('a', ['--scopes', 'ingest,read', '--expires', '90d'])
  const id = tenant.key.split('_')[1]
  const mqtt = await connectAsync(weir.mqttUrl, { username: tenant.key, reconnectPeriod: 0 })
  t.after(() => mqtt.endAsync(true))
  await mqtt.publishAsync('devices/pump/flow', '5', { qos: 1 })
  assert.match((await tenant.ask('GET', '/api/telemetry/latest/pump')).text, /"flow":5/)

  const onCatalog = (...args: string[]) => runWeir(['keys', ...args, '--data', weir.data])
  const rotated = await onCatalog('rotate', id, '--overlap', '1h')
  assert.equal(rotated.code, 0, rotated.stderr)
  const fresh = rotated.stdout.trim()
  await until('the new key works', async () => (await status(weir, fresh)) === 200)
  assert.equal(await status(weir, tenant.key), 200, 'within the overlap')

  const started = performance.now()
  assert.equal((await onCatalog('revoke', id)).code, 0)
  const revoked = performance.now()
  await until('the old key ends', async () => (await status(weir, tenant.key)) === 401)
  await until('its connection is closed', () => Promise.resolve(!mqtt.connected))
  t.diagnostic(`ended ${Math.round(performance.now() - revoked)} ms after the command`)
  assert.ok(performance.now() - started < 60_000)
  assert.equal(await status(weir, fresh), 200)

  const list = await onCatalog('list', '--tenant', 'a')
  assert.match(list.stdout, new RegExp(`${id} +a +revoked +ingest,read`))
  assert.equal((await onCatalog('revoke', 'nobody')).code, 7)
  assert.equal((await onCatalog('rotate', id)).code, 7)
  const shown = `${list.stdout}${list.stderr}`
  for (const key of [tenant.key, fresh]) {
    assert.ok(!shown.includes(key.slice(-32)), 'no list shows a key')
    assert.ok(!weir.output().includes(key.slice(-32)), 'no log line has a key')
  }
  const metrics = await fetch(`${weir.url}/metrics`)
  assert.equal(metrics.status, 401)
})

async function status({ url }: WeirProcess, key: string): Promise<number> {
  const response = await fetch(`${url}/api/v1/devices`, { headers: { 'x-api-key': key } })
  await response.arrayBuffer()
  return response.status
}

test('no key is ever in the log or the metrics, however it is sent and whatever fails', async t => {
  const weir = await startWeir(t, { args: ['--auth.mode=keys', '--logging.level=trace'] })
  const made = await runWeir([
    'keys',
    'create',
    '--data',
    weir.data,
    '--scopes',
    'ingest,read,admin',
  ])
  const key = made.stdout.trim()
  await until('the node knows the key', async () => (await status(weir, key)) === 200)
  const wrong = `${key.slice(0, -4)}aaaa`
  for (const one of [key, wrong]) {
    const headers: Record<string, string>[] = [
      { authorization: `Bearer ${one}` },
      { authorization: `Token ${one}` },
      { authorization: `Basic ${Buffer.from(`u:${one}`).toString('base64')}` },
      { 'x-api-key': one },
    ]
    const urls = [
      ...['/api/v1/devices', `/api/v1/devices?key=${one}`, `/write?u=x&p=${one}`],
      ...[`/api/v1/${one}/telemetry`, `/api/v1/devices/${one}`, `/nowhere/${one}`],
    ]
    for (const url of urls) {
      for (const header of headers) await fetch(weir.url + url, { headers: header })
      await fetch(weir.url + url, { method: 'POST', body: '{', headers: headers[0] })
    }
    for (const options of [{ username: one }, { username: 'u', password: one }]) {
      const client = await connectAsync(weir.mqttUrl, { ...options, reconnectPeriod: 0 }).catch(
        () => undefined,
      )
      await client?.publishAsync('$SYS/no', '1')
      await client?.endAsync(true)
    }
  }
  const metrics = await fetch(`${weir.url}/metrics`, { headers: { 'x-api-key': key } })
  const text = await metrics.text()
  assert.equal(metrics.status, 200)
  await weir.stop()
  assert.match(weir.output(), /"url":"\/api\/v1\/devices/, 'requests are logged')
  const secret = key.slice(-32, -4)
  for (const place of [weir.output(), text]) assert.ok(!place.includes(secret))
})

test('a simulated fleet sends with a key, over HTTP and MQTT', async t => {
  const { weir, tenant } = await startClosed(t)
  const fleet = await tenant('fleet')
  for (const target of [weir.url, weir.mqttUrl]) {
    const args = ['simulate', '--devices', '5', '--duration', '1s', '--target', target]
    const { code, stdout, stderr } = await runWeir([...args, '--key', fleet.key])
    assert.equal(code, 0, stdout + stderr)
    assert.match(stdout, /([1-9]\d*) of \1 points acknowledged/)
  }
  const { text } = await fleet.ask('GET', '/api/v1/devices')
  assert.equal(text.match(/"id":/g)?.length, 5, text)
  const refused = await runWeir([
    'simulate',
    '--devices',
    '2',
    '--duration',
    '1s',
    '--target',
    weir.url,
  ])
  assert.notEqual(refused.code, 0)
  assert.match(refused.stdout, /401/)
})
