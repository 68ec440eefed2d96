import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../model/batch.ts'
import { deviceScope, tenantScope } from '../model/data-scope.ts'
import type { Store } from '../ports/store.ts'
import { invalidatingStore } from './invalidating-store.ts'

/** Points of `devices[1]` and, when it is there, of `devices[2]`; none of `devices[0]`. */
function batchOf(tenant: string, devices: string[]): { batch: Batch; frame: Uint8Array } {
  const series = devices.map((_, i) => i)
  const batch: Batch = {
    ...{ tenant, devices, metrics: ['m'] },
    seriesDevice: Uint32Array.from(series),
    seriesMetric: new Uint32Array(devices.length),
    seriesIndex: Uint32Array.from(series.slice(1)),
    timestamps: new Float64Array(devices.length - 1),
    values: new Float64Array(devices.length - 1),
  }
  return { batch, frame: new Uint8Array(0) }
}

function setUp(readsFollowWrites: boolean) {
  const happened: string[] = []
  const commits: { resolve: () => void; reject: (error: Error) => void }[] = []
  const bare = {
    capabilities: { readsFollowWrites, commitsOnWrite: true, isShared: true },
    write: () =>
      new Promise<void>((resolve, reject) => void commits.push({ resolve, reject })).finally(() =>
        happened.push('committed'),
      ),
  } as Partial<Store> as Store
  const invalidated: string[] = []
  const store = invalidatingStore(bare, {
    async invalidate(scopes) {
      happened.push('invalidated')
      invalidated.push(...scopes)
    },
  })
  return { store, happened, commits, invalidated }
}

const entries = [batchOf('t', ['a', 'b', 'c']), batchOf('u', ['a', 'b']), batchOf('t', ['c', 'b'])]

test('a write makes forgotten what is made of its devices, and no others', async () => {
  const { store, commits, invalidated } = setUp(false)
  const written = store.write(entries)
  commits[0].resolve()
  await written
  assert.deepEqual(invalidated.sort(), [
    ...[deviceScope('t', 'b'), deviceScope('t', 'c'), deviceScope('u', 'b')],
    ...[tenantScope('t'), tenantScope('u')],
  ])
})

test('after the commit and before the acknowledgement', async () => {
  const { store, commits, happened } = setUp(false)
  const written = store.write(entries).then(() => happened.push('acknowledged'))
  await new Promise(setImmediate)
  assert.deepEqual(happened, [])
  commits[0].resolve()
  await written
  assert.deepEqual(happened, ['committed', 'invalidated', 'acknowledged'])
})

test('at once where reads see what is being written', async () => {
  const { store, commits, happened } = setUp(true)
  const written = store.write(entries)
  assert.deepEqual(happened, ['invalidated'])
  commits[0].resolve()
  await written
})

test('of a write that failed, too: it may have been committed', async () => {
  for (const readsFollowWrites of [true, false]) {
    const { store, commits, invalidated } = setUp(readsFollowWrites)
    const written = store.write(entries)
    commits[0].reject(new Error('the connection is lost'))
    await assert.rejects(written, /the connection is lost/)
    assert.ok(invalidated.includes(deviceScope('t', 'b')))
  }
})

test('what the store tells of its database is told, where it has one', async () => {
  const figures = { connections: { size: 8, inUse: 1, idle: 2, waiting: 0 }, statements: [] }
  const cache = { invalidate: () => Promise.resolve() }
  const bare = { figures: () => Promise.resolve(figures) } as Partial<Store> as Store
  assert.deepEqual(await invalidatingStore(bare, cache).figures?.(), figures)
  assert.equal(invalidatingStore({} as Store, cache).figures, undefined)
})
