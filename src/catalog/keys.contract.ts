import assert from 'node:assert/strict'
import type { Key } from '../model/key.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Check } from './contract-place.ts'

export function aKey(fields: Partial<Key> = {}): Key {
  return {
    id: 'k7w2m9q4ab',
    tenant: 'default',
    hash: 'a'.repeat(64),
    name: undefined,
    scopes: ['ingest'],
    device: undefined,
    limits: {},
    createdAtMs: 1_767_225_600_000,
    expiresAtMs: undefined,
    revokedAtMs: undefined,
    lastUsedMs: undefined,
    lifetimeMs: undefined,
    ...fields,
  }
}

async function keysOf(catalog: Catalog): Promise<readonly Key[]> {
  return (await catalog.keysSince(0)).keys
}

/** What a catalog has to keep of keys. */
export function keyChecks(check: Check<Catalog>): void {
  check('has no keys at first', async catalog => {
    assert.deepEqual(await catalog.keysSince(0), { version: 0, keys: [] })
  })
  check(
    'returns a key exactly as created, after it was opened again too',
    async (first, reopen) => {
      const full = aKey({
        id: 'full',
        tenant: 'Werk "1" 🌡️',
        name: 'gateway; DROP TABLE key',
        scopes: ['ingest', 'read', 'admin'],
        device: 'pump-1',
        limits: { requestsPerSecond: 5, pointsPerSecond: 0 },
        expiresAtMs: 1_767_225_600_001,
        lastUsedMs: 1_767_225_600_000,
        lifetimeMs: 1,
      })
      await first.createKey(full)
      await first.createKey(aKey())
      for (const open of [() => Promise.resolve(first), reopen]) {
        const catalog = await open()
        assert.deepEqual(await keysOf(catalog), [full, aKey()])
      }
    },
  )
  check('an id that exists is a conflict in every tenant, and its key stays', async catalog => {
    await catalog.createKey(aKey())
    await assert.rejects(catalog.createKey(aKey({ tenant: 'other' })), { kind: 'conflict' })
    assert.deepEqual(await keysOf(catalog), [aKey()])
  })
  check('tells only what changed since a version', async catalog => {
    await catalog.createKey(aKey({ id: 'a' }))
    await catalog.createKey(aKey({ id: 'b' }))
    const { version } = await catalog.keysSince(0)
    assert.deepEqual(await catalog.keysSince(version), { version, keys: [] })
    await catalog.endKey('default', 'a', { how: 'revoke', atMs: 5 })
    const next = await catalog.keysSince(version)
    assert.ok(next.version > version)
    assert.deepEqual(
      next.keys.map(({ id, revokedAtMs }) => [id, revokedAtMs]),
      [['a', 5]],
    )
  })
  check('the end of a key only comes nearer, and is that of its tenant', async catalog => {
    await catalog.createKey(aKey({ id: 'a' }))
    const end = async (tenant: string, how: 'revoke' | 'expire', atMs: number) => {
      const key = await catalog.endKey(tenant, 'a', { how, atMs })
      return key && [key.expiresAtMs, key.revokedAtMs]
    }
    assert.equal(await end('other', 'revoke', 1), undefined)
    assert.deepEqual(await end('default', 'expire', 50), [50, undefined])
    assert.deepEqual(await end('default', 'expire', 60), [50, undefined])
    assert.deepEqual(await end('default', 'expire', 40), [40, undefined])
    assert.deepEqual(await end('default', 'revoke', 7), [40, 7])
    assert.deepEqual(await end('default', 'revoke', 6), [40, 7])
    const [{ revokedAtMs }] = await keysOf(catalog)
    assert.equal(revokedAtMs, 7)
  })
  check('using a key advances its last use, and is no change', async catalog => {
    await catalog.createKey(aKey({ id: 'a' }))
    const { version } = await catalog.keysSince(0)
    await catalog.touchKeys([
      { id: 'a', lastUsedMs: 9 },
      { id: 'nobody', lastUsedMs: 9 },
    ])
    await catalog.touchKeys([{ id: 'a', lastUsedMs: 8 }])
    assert.deepEqual(
      (await keysOf(catalog)).map(({ lastUsedMs }) => lastUsedMs),
      [9],
    )
    assert.deepEqual(await catalog.keysSince(version), { version, keys: [] })
  })
  check('forgets keys that ended long ago, and gives no version twice', async catalog => {
    await catalog.createKey(aKey({ id: 'works' }))
    await catalog.createKey(aKey({ id: 'expired', expiresAtMs: 5 }))
    await catalog.createKey(aKey({ id: 'later', expiresAtMs: 50 }))
    await catalog.createKey(aKey({ id: 'revoked', revokedAtMs: 5, expiresAtMs: 50 }))
    await catalog.createKey(aKey({ id: 'newest', revokedAtMs: 5 }))
    const { version } = await catalog.keysSince(0)
    await catalog.forgetKeys(10)
    const left = (await keysOf(catalog)).map(({ id }) => id)
    // Where the newest keeps the version, it stays.
    assert.deepEqual(
      left.filter(id => id !== 'newest'),
      ['works', 'later'],
    )
    await catalog.createKey(aKey({ id: 'next' }))
    assert.deepEqual(
      (await catalog.keysSince(version)).keys.map(({ id }) => id),
      ['next'],
    )
  })
}
