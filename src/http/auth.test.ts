import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testHost, type Sent, type TestHost } from '../../test/fixtures/http-client.ts'
import { openAccess, type Access } from '../model/access.ts'
import type { HttpAccess } from './services.ts'

const granted = (fields: Partial<Access>): Access => ({
  ...openAccess('default'),
  ...{ keyId: 'k', isOperator: false },
  ...fields,
})

const KEYS: Readonly<Record<string, Access>> = {
  everything: granted({}),
  operator: granted({ isOperator: true }),
  reader: granted({ scopes: ['read'] }),
  writer: granted({ scopes: ['ingest'] }),
  pump: granted({ scopes: ['ingest', 'read'], device: 'pump' }),
  other: granted({ tenant: 'other', isOperator: false }),
}

/** Nobody has a limit, but who says so in `limits`. */
function closed(limits: HttpAccess['limits'] = unlimited): Promise<TestHost> {
  const verify = (key: string): Access => KEYS[key]
  return testHost({
    overrides: {
      access: { open: undefined, verify, learn: () => undefined, openMetrics: false, limits },
    },
  })
}

const unlimited: HttpAccess['limits'] = { take: () => undefined, states: () => [] }

const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` })

test('every route says what a key needs', async () => {
  const { get } = await closed()
  const { paths } = (await get('/openapi.json')).json as {
    paths: Record<string, Record<string, { 'x-weir-scope'?: string; security: unknown[] }>>
  }
  const silent: string[] = []
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { 'x-weir-scope': scope, security }] of Object.entries(operations)) {
      if (scope === undefined) silent.push(`${method} ${path}`)
      assert.equal(security.length > 0, scope !== 'none', path)
    }
  }
  assert.deepEqual(silent, [], 'config.scope is missing')
})

test('a key is taken from every place where clients put it', async () => {
  const { send, get } = await closed()
  const ok = async (headers: Record<string, string>) =>
    (await send('GET', '/api/v1/devices', { headers })).status
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  assert.equal(await ok(bearer('reader')), 200)
  assert.equal(await ok({ authorization: 'bearer  reader ' }), 200)
  assert.equal(await ok({ authorization: 'Token reader' }), 200)
  assert.equal(await ok({ 'x-api-key': 'reader' }), 200)
  assert.equal(await ok({ authorization: basic('anybody:reader') }), 200)
  assert.equal(await ok({ authorization: basic('reader:') }), 200)
  for (const query of ['?u=x&p=reader', '?key=reader', '?access_token=reader']) {
    assert.equal((await get(`/api/v1/devices${query}`)).status, 401)
  }
})

test('without a key that works every answer is the same 401, before the body is looked at', async () => {
  const { send } = await closed()
  const sent: Sent[] = [
    {},
    { headers: bearer('unknown') },
    { headers: { authorization: 'Digest reader' } },
    { headers: { authorization: 'Bearer' } },
    { headers: { 'x-api-key': '' } },
    { headers: { ...bearer('unknown'), 'x-api-key': 'reader' } },
  ]
  const texts = new Set<string>()
  for (const one of sent) {
    const { status, headers, json } = await send('POST', '/api/v1/query', { ...one, body: '{' })
    assert.equal(status, 401)
    assert.equal(headers['www-authenticate'], 'Bearer realm="Weir"')
    texts.add((json as { detail: string }).detail)
  }
  assert.equal(texts.size, 1)
})

test('a scope that is missing is named with 403', async () => {
  const { send } = await closed()
  const tries: [method: string, url: string, key: string, status: number][] = [
    ['POST', '/api/v1/telemetry', 'reader', 403],
    ['GET', '/api/v1/devices', 'writer', 403],
    ['GET', '/api/v1/ledger', 'writer', 403],
    ['GET', '/api/v1/keys', 'reader', 403],
    ['DELETE', '/api/v1/devices/x', 'reader', 403],
    ['GET', '/metrics', 'everything', 403],
    ['GET', '/metrics', 'operator', 200],
    ['GET', '/metrics', 'nobody', 401],
    ['GET', '/api/v1/ledger', 'other', 200],
  ]
  for (const [method, url, key, status] of tries) {
    const body = method === 'POST' ? { body: '{}' } : {}
    const answer = await send(method, url, { headers: bearer(key), ...body })
    assert.equal(answer.status, status, `${method} ${url} ${key}: ${answer.text}`)
  }
  const { json } = await send('GET', '/api/v1/devices', { headers: bearer('writer') })
  assert.equal((json as { detail: string }).detail, 'the key lacks the scope read')
})

test('probes, the documents and addresses that do not exist need no key', async () => {
  const { get } = await closed()
  for (const url of ['/health', '/ready', '/api/health', '/openapi.json', '/docs', '/']) {
    assert.equal((await get(url)).status, 200, url)
  }
  assert.equal((await get('/nowhere')).status, 404)
})

test('a key of one device sends points of that device; others are refused by name', async () => {
  const { post, log, ledger } = await closed()
  const message = (device_id: string) => ({ device_id, data: { x: 1 } })
  const mixed = await post(
    '/api/v1/telemetry',
    [message('pump'), message('valve'), message('pump')],
    bearer('pump'),
  )
  assert.equal(mixed.status, 200)
  assert.deepEqual(mixed.json, {
    accepted: 2,
    rejected: [{ index: 1, field: 'device_id', detail: 'this key may write "pump" only' }],
  })
  const lines = `${JSON.stringify(message('valve'))}\n${JSON.stringify(message('pump'))}\n`
  const type = { ...bearer('pump'), 'content-type': 'application/x-ndjson' }
  assert.equal((await post('/api/v1/telemetry', lines, type)).json.accepted, 1)
  const rows = { device_id: 'valve', data: [{ x: 1 }] }
  assert.equal((await post('/api/v1/telemetry', message('valve'), bearer('pump'))).status, 403)
  assert.equal((await post('/api/v1/telemetry/batch', rows, bearer('pump'))).status, 403)
  assert.equal((await post('/api/telemetry/valve', { x: 1 }, bearer('pump'))).status, 403)
  assert.equal((await post('/api/telemetry/pump', { x: 1 }, bearer('pump'))).status, 201)
  const devices = new Set(log.entries.flatMap(({ batch }) => batch.devices))
  assert.deepEqual([...devices], ['pump'])
  assert.equal(ledger.counts('default').rejected.get('forbidden'), 4)
})

test('known devices are refused too, where messages are not parsed again', async () => {
  const { post, log } = await closed()
  const messages = ['valve', 'pump'].map(device_id => ({ device_id, data: { x: 1 } }))
  for (let i = 0; i < 20; i++) {
    assert.equal((await post('/api/v1/telemetry', messages, bearer('everything'))).status, 200)
  }
  const before = log.entries.length
  const { json } = await post('/api/v1/telemetry', messages, bearer('pump'))
  assert.equal(json.accepted, 1)
  assert.deepEqual(log.entries[before].batch.devices, ['pump'])
})

test('a key of one device reads that device only', async () => {
  const { send, post } = await closed()
  for (const id of ['pump', 'valve']) {
    await post(`/api/telemetry/${id}`, { x: 1 }, bearer('everything'))
  }
  const get = async (url: string) => send('GET', url, { headers: bearer('pump') })
  for (const url of [
    ...['/api/v1/telemetry/valve', '/api/telemetry/valve', '/api/telemetry/latest/valve'],
    ...['/api/v1/devices/valve', '/api/v1/telemetry/latest?device_id=pump&device_id=valve'],
    ...['/api/v1/live?device_id=valve', '/api/telemetry/count', '/api/v1/ledger', '/api/v1/keys'],
  ]) {
    assert.equal((await get(url)).status, 403, url)
  }
  for (const url of ['/api/v1/telemetry/pump', '/api/telemetry/pump', '/api/v1/devices/pump']) {
    assert.equal((await get(url)).status, 200, url)
  }
  const ids = (json: { id?: string; device_id?: string }[]) =>
    json.map(({ id, device_id }) => id ?? device_id)
  assert.deepEqual(ids((await get('/api/v1/devices')).json.data), ['pump'])
  assert.deepEqual(ids((await get('/api/devices')).json), ['pump'])
  assert.deepEqual(ids((await get('/api/v1/telemetry/latest')).json.data), ['pump'])
  assert.equal((await get('/api/telemetry/latest')).json.device_id, 'pump')
  const ask = async (devices: string[]) => {
    const body = { devices }
    return (await send('POST', '/api/v1/query', { headers: bearer('pump'), body })).status
  }
  assert.equal(await ask(['pump']), 200)
  assert.equal(await ask(['pump', 'valve']), 403)
})

test('a key that has done enough gets 429 with the limit, what is left and when to come back', async () => {
  const state = {
    ...{ limit: 'limits.keyRequestsPerSecond', quota: 20, windowSeconds: 10 },
    ...{ left: 0, retryAfterMs: 1500 },
  }
  const asked: boolean[] = []
  let spent = false
  const { send } = await closed({
    take(_access, withPoints) {
      asked.push(withPoints)
      return spent ? state : undefined
    },
    states: () => [{ ...state, left: 7, retryAfterMs: 0 }],
  })
  const headers = bearer('everything')
  const good = await send('GET', '/api/v1/devices', { headers })
  assert.equal(good.status, 200)
  assert.equal(good.headers['ratelimit'], '"limits.keyRequestsPerSecond";r=7;t=0')
  spent = true
  const body = { device_id: 'pump', data: { x: 1 } }
  const {
    status,
    headers: fields,
    json,
  } = await send('POST', '/api/v1/telemetry', { headers, body })
  assert.equal(status, 429)
  assert.equal(json.limit, 'limits.keyRequestsPerSecond')
  assert.equal(fields['retry-after'], '2')
  assert.equal(fields['ratelimit'], '"limits.keyRequestsPerSecond";r=0;t=2')
  assert.equal(fields['ratelimit-policy'], '"limits.keyRequestsPerSecond";q=20;w=10')
  assert.deepEqual(asked, [false, true])
})

test('a device that has sent too much is refused by name, the others go on', async () => {
  const { post, clock, ledger } = await testHost({ devicePointsPerSecond: 10 })
  const message = (device_id: string, points: number) => ({
    device_id,
    data: Object.fromEntries(Array.from({ length: points }, (_, i) => [`m${i}`, i])),
  })
  assert.equal((await post('/api/v1/telemetry', message('loud', 30))).status, 200)
  const mixed = await post('/api/v1/telemetry', [message('loud', 1), message('calm', 1)])
  assert.equal(mixed.status, 200)
  assert.equal(mixed.json.accepted, 1)
  assert.match(mixed.json.rejected[0].detail, /"loud" may send 10 points a second/)
  const refused = await post('/api/telemetry/loud', { x: 1 })
  assert.equal(refused.status, 429)
  assert.equal(refused.json.limit, 'limits.devicePointsPerSecond')
  assert.equal(refused.headers['retry-after'], '3')
  assert.equal(ledger.counts().rejected.get('rate_limited'), 2)
  clock.advance(2100)
  assert.equal((await post('/api/telemetry/loud', { x: 1 })).status, 201)
})
