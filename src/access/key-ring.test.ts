import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { fakeClock, type FakeClock } from '../../test/fixtures/fake-clock.ts'
import { KeyRing } from './key-ring.ts'
import { idOfKey, newKeyText } from './key-text.ts'
import { Keys, type NewKey } from './keys.ts'
import { MemoryKeys } from './memory-keys.fixture.ts'

interface Process {
  readonly ring: KeyRing
  readonly keys: Keys
  readonly errors: unknown[]
}

/** Another process on the same catalog. */
async function startProcess(
  t: TestContext,
  { catalog, clock }: { catalog: MemoryKeys; clock: FakeClock },
): Promise<Process> {
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  const ring = await KeyRing.open({ catalog, clock, operatorTenant: 'default', onError })
  t.after(() => ring.close())
  return { ring, keys: new Keys({ catalog, clock, ring, maxKeys: 100 }), errors }
}

async function setUp(t: TestContext) {
  const clock = fakeClock(Date.parse('2026-11-20T10:00:00Z'))
  const catalog = new MemoryKeys()
  return { clock, catalog, ...(await startProcess(t, { catalog, clock })) }
}

const wanted = (fields: Partial<NewKey> = {}): NewKey => ({
  ...{ tenant: 'acme', scopes: ['ingest', 'read'] },
  ...fields,
})

/** Lets promises that are settled by now run on. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('a key allows what it was made for, and only its hash is kept', async t => {
  const { ring, keys, catalog } = await setUp(t)
  const { key, text } = await keys.create(wanted({ device: 'pump-1', name: 'gateway' }))
  assert.match(text, /^weir_[a-z2-9]{10}_[a-z2-9]{32}$/)
  assert.equal(idOfKey(text), key.id)
  const access = ring.verify(text)
  assert.deepEqual(access?.scopes, ['ingest', 'read'])
  assert.deepEqual([access.tenant, access.device], ['acme', 'pump-1'])
  assert.deepEqual([access.keyId, access.isOperator], [key.id, false])
  const stored = JSON.stringify(await catalog.keysSince(0))
  assert.ok(!stored.includes(text.slice(-32)), stored)
})

test('whatever is not exactly a key is none', async t => {
  const { ring, keys } = await setUp(t)
  const { text } = await keys.create(wanted())
  const { text: other } = await keys.create(wanted())
  const mixed = text.slice(0, 16) + other.slice(16)
  const last = text.endsWith('a') ? 'b' : 'a'
  const wrong = [
    ...[text.slice(0, -1), `${text}a`, text.slice(0, -1) + last, mixed, text.toUpperCase()],
    ...['', 'weir_', ` ${text}`, newKeyText().text, 'x'.repeat(5000), '__proto__'],
  ]
  for (const one of wrong) assert.equal(ring.verify(one), undefined, one)
  assert.ok(ring.verify(text) !== undefined)
  for (const one of wrong) assert.equal(ring.verify(one), undefined, one)
})

test('a key expires at its time, also for who holds its access', async t => {
  const { ring, keys, clock } = await setUp(t)
  const { text } = await keys.create(wanted({ expiresInMs: 1000 }))
  const access = ring.verify(text)
  clock.advance(999)
  assert.ok(ring.verify(text) !== undefined)
  clock.advance(1)
  assert.equal(ring.verify(text), undefined)
  assert.equal(access?.endsAtMs, clock.nowMs())
})

test('a revoked key ends at once here and within a second in other processes', async t => {
  const { ring, keys, clock, catalog } = await setUp(t)
  const { key, text } = await keys.create(wanted())
  const other = await startProcess(t, { catalog, clock })
  const held = other.ring.verify(text)
  assert.ok(ring.verify(text) !== undefined && held !== undefined)
  await keys.revoke('acme', key.id)
  assert.equal(ring.verify(text), undefined)
  assert.ok(other.ring.verify(text) !== undefined)
  clock.advance(1000)
  await turn()
  assert.equal(other.ring.verify(text), undefined)
  assert.equal(held.endsAtMs, 0)
})

test('a key made by another process works within a second', async t => {
  const { clock, catalog, ring } = await setUp(t)
  const other = await startProcess(t, { catalog, clock })
  const { text } = await other.keys.create(wanted())
  assert.equal(ring.verify(text), undefined)
  clock.advance(1000)
  await turn()
  assert.ok(ring.verify(text) !== undefined)
})

test('while the catalog fails, known keys work, and its changes come when it is back', async t => {
  const { ring, keys, clock, catalog, errors } = await setUp(t)
  const { key, text } = await keys.create(wanted())
  const other = await startProcess(t, { catalog, clock })
  await other.keys.revoke('acme', key.id)
  catalog.failing = true
  clock.advance(1000)
  await turn()
  assert.ok(ring.verify(text) !== undefined)
  assert.equal((errors[0] as Error).message, 'the catalog fails on demand')
  catalog.failing = false
  clock.advance(1000)
  await turn()
  assert.equal(ring.verify(text), undefined)
})

test('after a rotation both keys work for the overlap, then only the new one', async t => {
  const { ring, keys, clock } = await setUp(t)
  const old = await keys.create(wanted({ device: 'pump-1', name: 'n', expiresInMs: 100_000 }))
  clock.advance(50_000)
  const fresh = await keys.rotate(old.key, 5000)
  const { tenant, scopes, device, name, expiresAtMs } = fresh.key
  assert.deepEqual([tenant, scopes, device, name], ['acme', ['ingest', 'read'], 'pump-1', 'n'])
  assert.equal(expiresAtMs, clock.nowMs() + 100_000)
  clock.advance(4999)
  assert.ok(ring.verify(old.text) !== undefined && ring.verify(fresh.text) !== undefined)
  clock.advance(1)
  assert.equal(ring.verify(old.text), undefined)
  assert.ok(ring.verify(fresh.text) !== undefined)
  const ended = ring.find('acme', old.key.id)
  assert.ok(ended !== undefined)
  await assert.rejects(keys.rotate(ended, 0), { kind: 'conflict', message: /is expired/ })
})

test('a key that is rotated again during the overlap gives the life that it was given', async t => {
  const { ring, keys, clock } = await setUp(t)
  for (const expiresInMs of [undefined, 100_000]) {
    const { key } = await keys.create(wanted({ expiresInMs }))
    clock.advance(20_000)
    await keys.rotate(key, 5000)
    clock.advance(1000)
    const again = await keys.rotate(ring.find('acme', key.id)!, 5000)
    const { expiresAtMs } = again.key
    assert.equal(expiresAtMs, expiresInMs && clock.nowMs() + expiresInMs)
    assert.equal(ring.find('acme', key.id)?.expiresAtMs, clock.nowMs() + 4000)
  }
})

test('a rotation without overlap ends the old key at once', async t => {
  const { ring, keys } = await setUp(t)
  const old = await keys.create(wanted())
  const fresh = await keys.rotate(old.key, 0)
  assert.equal(ring.verify(old.text), undefined)
  assert.ok(ring.verify(fresh.text) !== undefined)
})

test('keys are found, listed and revoked by their own tenant only', async t => {
  const { ring, keys } = await setUp(t)
  const { key, text } = await keys.create(wanted())
  assert.equal(await keys.revoke('other', key.id), undefined)
  assert.equal(ring.find('other', key.id), undefined)
  assert.deepEqual(ring.list('other'), [])
  assert.deepEqual(ring.list('acme'), [key])
  assert.ok(ring.verify(text) !== undefined)
})

test('a client may bring its own key, once, if it is long enough', async t => {
  const { ring, keys } = await setUp(t)
  const { key, text } = await keys.create(wanted({ chosen: 'A1_TEST_TOKEN_OF_A_DEVICE' }))
  assert.equal(text, 'A1_TEST_TOKEN_OF_A_DEVICE')
  assert.equal(ring.verify(text)?.keyId, key.id)
  assert.equal(ring.verify('A1_TEST_TOKEN_OF_A_DEVICF'), undefined)
  const again = keys.create(wanted({ tenant: 'other', chosen: text }))
  await assert.rejects(again, { kind: 'conflict' })
  for (const chosen of ['short', 'with space and more', newKeyText().text]) {
    await assert.rejects(keys.create(wanted({ chosen })), { kind: 'rejected', message: /^token / })
  }
})

test('a key that makes no sense is refused by the field', async t => {
  const { keys } = await setUp(t)
  const bad: [Partial<NewKey>, RegExp][] = [
    [{ tenant: 'a/b' }, /^tenant /],
    [{ scopes: [] }, /^scopes must not be empty/],
    [{ scopes: ['write'] }, /^scopes must be of ingest, read, admin/],
    [{ scopes: ['admin'], device: 'd' }, /^scopes must not have admin/],
    [{ device: '#' }, /^device /],
    [{ name: '' }, /^name /],
    [{ expiresInMs: 0 }, /^expires /],
    [{ limits: { pointsPerSecond: -1 } }, /^pointsPerSecond /],
  ]
  for (const [fields, message] of bad) {
    await assert.rejects(keys.create(wanted(fields)), { kind: 'rejected', message })
  }
})

test('the last use is noted a minute coarse, and once more at the end', async t => {
  const { ring, keys, clock, catalog } = await setUp(t)
  const { text } = await keys.create(wanted())
  const noted = async () => (await catalog.keysSince(0)).keys[0].lastUsedMs
  ring.verify(text)
  const firstMs = clock.nowMs()
  clock.advance(59_000)
  ring.verify(text)
  clock.advance(1000)
  await turn()
  assert.equal(await noted(), firstMs)
  ring.verify(text)
  await ring.close()
  assert.equal(await noted(), firstMs + 60_000)
})

test('more keys than allowed are refused', async t => {
  const { clock, catalog, ring } = await setUp(t)
  const keys = new Keys({ catalog, clock, ring, maxKeys: 1 })
  await keys.create(wanted())
  await assert.rejects(keys.create(wanted()), { kind: 'overloaded', limit: 'auth.maxKeys' })
})
