import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { keyedHost, keysInMemory } from '../../../test/fixtures/keyed-host.ts'

async function setUp(t: TestContext) {
  const host = await keyedHost(t)
  const admin = await host.issue()
  const askAs = (key: string) => (method: string, url: string, body?: object) =>
    host.send(method, url, {
      headers: { authorization: `Bearer ${key}` },
      ...(body === undefined ? {} : { body }),
    })
  return { ...host, host, admin, ask: askAs(admin), askAs }
}

test('a key is issued, shown once, listed without itself, and revoked', async t => {
  const { ask, host } = await setUp(t)
  const made = await ask('POST', '/api/v1/keys', {
    ...{ scopes: ['read', 'ingest'], name: 'gateway', device_id: 'pump' },
    ...{ expires_at: '2026-11-21T10:00:00Z', points_per_second: 50 },
  })
  assert.equal(made.status, 201)
  assert.equal(made.headers['cache-control'], 'no-store')
  const { key, ...shown } = made.json as { key: string; id: string }
  assert.deepEqual(shown, {
    ...{ id: key.split('_')[1], name: 'gateway', scopes: ['ingest', 'read'], device_id: 'pump' },
    ...{ requests_per_second: null, points_per_second: 50, state: 'active' },
    ...{ created_at: '2026-11-20T10:00:00.000Z', expires_at: '2026-11-21T10:00:00.000Z' },
    ...{ revoked_at: null, last_used: null },
  })
  assert.ok(host.works(key))
  const list = await ask('GET', '/api/v1/keys')
  assert.ok(list.text.includes(shown.id) && !list.text.includes(key))
  assert.equal((await ask('DELETE', `/api/v1/keys/${shown.id}`)).status, 204)
  assert.equal((await ask('DELETE', `/api/v1/keys/${shown.id}`)).status, 204)
  assert.ok(!host.works(key))
  assert.equal((await ask('POST', `/api/v1/keys/${shown.id}/rotate`)).status, 409)
})

test('a rotation leaves the old key the overlap that was asked for', async t => {
  const { ask, host } = await setUp(t)
  const old = (await ask('POST', '/api/v1/keys', { scopes: ['read'] })).json.key as string
  const url = `/api/v1/keys/${old.split('_')[1]}/rotate?overlap_seconds=60`
  const fresh = await ask('POST', url)
  assert.equal(fresh.status, 201)
  assert.ok(host.works(old) && host.works(fresh.json.key as string))
  host.clock.advance(60_000)
  assert.ok(!host.works(old) && host.works(fresh.json.key as string))
})

test('a tenant sees and ends its own keys only', async t => {
  const { ask, askAs, host, admin } = await setUp(t)
  const other = await host.issue({ tenant: 'other' })
  const id = admin.split('_')[1]
  assert.equal((await askAs(other)('DELETE', `/api/v1/keys/${id}`)).status, 404)
  assert.equal((await askAs(other)('POST', `/api/v1/keys/${id}/rotate`)).status, 404)
  const { json } = await askAs(other)('GET', '/api/v1/keys')
  assert.deepEqual(
    json.data.map((key: { id: string }) => key.id),
    [other.split('_')[1]],
  )
  assert.ok(host.works(admin))
  const made = await askAs(other)('POST', '/api/v1/keys', { scopes: ['read'] })
  const seen = await ask('GET', '/api/v1/keys')
  assert.ok(!seen.text.includes(made.json.id as string))
})

test('the credentials of a device are keys of that device', async t => {
  const { ask, host } = await setUp(t)
  assert.equal((await ask('GET', '/api/v1/devices/pump/credentials')).status, 404)
  assert.equal((await ask('POST', '/api/v1/devices/pump/credentials', {})).status, 404)
  await ask('POST', '/api/v1/devices', { id: 'pump' })
  const token = 'A1_TEST_TOKEN_OF_A_PUMP'
  const made = await ask('POST', '/api/v1/devices/pump/credentials', { token })
  assert.equal(made.status, 201)
  assert.deepEqual(
    [made.json.key, made.json.device_id, made.json.scopes],
    [token, 'pump', ['ingest']],
  )
  assert.ok(host.works(token))
  const list = await ask('GET', '/api/v1/devices/pump/credentials')
  assert.equal(list.json.data.length, 1)
  assert.ok(!list.text.includes(token))
  const again = await ask('POST', '/api/v1/devices/pump/credentials', { token })
  assert.equal(again.status, 409)
})

test('what makes no sense is refused with the field', async t => {
  const { ask } = await setUp(t)
  const bad: [object, RegExp][] = [
    [{ scopes: ['all'] }, /scopes/],
    [{ scopes: [] }, /scopes/],
    [{ scopes: ['read'], expires_at: 'soon' }, /expires_at/],
    [{ scopes: ['read'], expires_at: '2020-01-01T00:00:00Z' }, /expires_at/],
    [{ scopes: ['read'], points_per_second: -1 }, /points_per_second/],
    [{ scopes: ['read'], tenant: 'other' }, /tenant/],
    [{ scopes: ['read'], token: 'short' }, /token/],
    [{ scopes: ['admin'], device_id: 'pump' }, /scopes/],
  ]
  for (const [body, detail] of bad) {
    const { status, json } = await ask('POST', '/api/v1/keys', body)
    assert.equal(status, 400, JSON.stringify(body))
    assert.match((json as { detail: string }).detail, detail)
  }
})

test('a route may take the key where its clients put it', async t => {
  const host = await keyedHost(t)
  const key = await host.issue()
  const { createHttpHost } = await import('../host.ts')
  const app = createHttpHost(host.services)
  t.after(() => app.close())
  const ok = () => 'ok'
  const config = { scope: 'read', anyQuery: true } as const
  app.get('/write', { config: { ...config, keyIn: { query: 'p' } } }, ok)
  app.get('/of/:token/telemetry', { config: { ...config, keyIn: { path: 'token' } } }, ok)
  const status = async (url: string) => (await app.inject(url)).statusCode
  assert.equal(await status(`/write?u=anybody&p=${key}`), 200)
  assert.equal(await status(`/write?p=${key}x`), 401)
  assert.equal(await status(`/write?u=${key}`), 401)
  assert.equal(await status(`/of/${key}/telemetry`), 200)
  assert.equal(await status(`/of/telemetry/telemetry`), 401)
})

test('a key that another process issued works at once, where processes share the catalog', async t => {
  const shared = keysInMemory({ isShared: true })
  const [a, b] = await Promise.all([keyedHost(t, shared), keyedHost(t, shared)])
  const key = await a.issue()
  const as = (text: string) => ({ headers: { authorization: `Bearer ${text}` } })
  const asked = await Promise.all(
    Array.from({ length: 9 }, () => b.send('GET', '/api/v1/keys', as(key))),
  )
  assert.deepEqual(new Set(asked.map(({ status }) => status)), new Set([200]))
  const wrong = `weir_${'a'.repeat(10)}_${'b'.repeat(32)}`
  assert.equal((await b.send('GET', '/api/v1/keys', as(wrong))).status, 401)
  assert.equal((await b.send('GET', '/api/v1/keys', as('no key'))).status, 401)
  const issued = await a.issue({ name: 'rotated' })
  const rotate = `/api/v1/keys/${issued.split('_')[1]}/rotate`
  assert.equal((await b.send('POST', rotate, as(key))).status, 201)

  const alone = keysInMemory({ isShared: false })
  const [c, d] = await Promise.all([keyedHost(t, alone), keyedHost(t, alone)])
  const before = alone.polls
  assert.equal((await d.send('GET', '/api/v1/keys', as(await c.issue()))).status, 401)
  assert.equal(alone.polls, before)
})
