import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { ownPostgres, postgresServer } from '../../../test/fixtures/servers.ts'
import type { OwnServer } from '../../../test/fixtures/servers.ts'
import { until } from '../../../test/fixtures/until.ts'
import { PostgresPool } from '../../postgres/postgres-pool.ts'
import type { PostgresOptions } from '../../postgres/postgres-pool.ts'
import { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'
import { batchOf, TestLog } from '../test-log.ts'
import type { TestPoint } from '../test-log.ts'
import { PostgresStore } from './postgres-store.ts'

const TENANT = 'plant'
const KILLS = 2
const POINTS = 40

const isRetryable = (error: unknown): boolean =>
  error instanceof WeirError && error.kind === 'retryable'

let schemas = 0

function optionsAt(url: string): PostgresOptions {
  return {
    ...{
      url,
      schema: `weir_${++schemas}`,
      poolSize: 6,
      connectTimeoutMs: 5000,
      idleTimeoutMs: 5000,
    },
    statementTimeoutMs: 30_000,
  }
}

/** Points that no other entry has: what is stored can be counted. */
function pointsOf(device: string, entry: number): TestPoint[] {
  return Array.from({ length: POINTS }, (_, i) => ({
    ...{ device, metric: `m${i % 4}`, time: (entry * POINTS + i) * 1000, value: entry },
  }))
}

describe('a store whose PostgreSQL is killed', { skip: postgresServer().skip }, () => {
  let server: OwnServer
  const cleanups: (() => Promise<void> | void)[] = []
  before(async () => {
    server = await ownPostgres({ after: cleanup => void cleanups.push(cleanup) })
  })
  after(async () => {
    for (const cleanup of cleanups) await cleanup()
  })

  for (const writes of ['merged', 'single'] as const) {
    test(`keeps what it has answered, and counts right without a log (${writes})`, async t => {
      const postgres = optionsAt(server.address)
      const store = await PostgresStore.open({ postgres, writes })
      t.after(() => store.close())
      let ending = false
      let answered = 0
      let failures = 0
      // Each writes one entry after the other, and the same one again until it is answered.
      const client = async (name: string): Promise<number> => {
        for (let i = 0; ; i++) {
          if (ending) return i
          const { batch, frame } = new TestLog().append(batchOf(TENANT, pointsOf(name, i)))
          for (let done = false; !done;) {
            try {
              await store.write([{ batch, frame }])
              done = true
            } catch (error) {
              assert.ok(isRetryable(error), String(error))
              failures++
              await delay(20)
            }
          }
          answered++
        }
      }
      const clients = Array.from({ length: 8 }, (_, i) => client(`d${i}`))
      for (let kill = 0; kill < KILLS; kill++) {
        const last = answered
        await until('some writes', () => answered > last + 20)
        const failed = failures
        await server.kill()
        await until('a write that failed', () => failures > failed)
        await server.start()
      }
      const last = answered
      await until('some more writes', () => answered > last + 20)
      ending = true
      const entries = (await Promise.all(clients)).reduce((a, b) => a + b)
      const { stored, duplicate, series } = await store.stats()
      assert.equal(series, 8 * 4)
      assert.equal(stored, entries * POINTS)
      // What was committed without an answer came again.
      assert.equal(duplicate % POINTS, 0)
      assert.equal(await rowsIn(postgres), stored)
    })
  }

  test('takes a log again from where the tables are, and nothing counts twice', async t => {
    const postgres = optionsAt(server.address)
    const store = await PostgresStore.open({ postgres })
    t.after(() => store.close())
    const log = new TestLog()
    let ending = false
    let written = 0
    const feed = async (): Promise<void> => {
      while (!ending) {
        const missing: StoreEntry[] = await store.positions().then(
          positions => log.from(positions),
          (error: unknown) => {
            assert.ok(isRetryable(error), String(error))
            return []
          },
        )
        while (missing.length < 50) {
          const i = log.entries.length
          missing.push(log.append(batchOf(TENANT, pointsOf(`d${i % 5}`, i)), i % 2))
        }
        // All at once, as a log delivers them: some fail, and what follows them may not be taken.
        const results = await Promise.allSettled(missing.map(entry => store.write([entry])))
        for (const result of results) {
          if (result.status === 'fulfilled') written++
          else assert.ok(isRetryable(result.reason), String(result.reason))
        }
        if (results.some(({ status }) => status === 'rejected')) await delay(20)
      }
    }
    const feeding = feed()
    for (let kill = 0; kill < KILLS; kill++) {
      const last = written
      await until('some writes', () => written > last + 150)
      await server.kill()
      await server.start()
    }
    const last = written
    await until('some more writes', () => written > last + 150)
    ending = true
    await feeding
    for (const entry of log.from(await store.positions())) await store.write([entry])
    const { stored, duplicate } = await store.stats()
    assert.deepEqual([stored, duplicate], [log.entries.length * POINTS, 0])
    assert.equal(await rowsIn(postgres), stored)
  })

  test('gives up a server that does not answer, and goes on when it does again', async t => {
    const postgres = { ...optionsAt(server.address), statementTimeoutMs: 300 }
    const store = await PostgresStore.open({ postgres })
    t.after(() => store.close())
    const { batch, frame } = new TestLog().append(batchOf(TENANT, pointsOf('d', 0)))
    const write = () => store.write([{ batch, frame }])
    await write()
    server.pause()
    await assert.rejects(write(), isRetryable)
    const select = { tenant: TENANT, devices: ['d'], metrics: [] }
    const range = { start: 0, end: 2 ** 53 }
    await assert.rejects(store.read({ select, range, limit: 9, order: 'asc' }), isRetryable)
    server.resume()
    await until('a write', () =>
      write().then(
        () => true,
        () => false,
      ),
    )
    const { stored, memoryBytes } = await store.stats()
    assert.deepEqual([stored, memoryBytes], [POINTS, 0])
  })

  test('refuses at once while it is away, keeps no memory, and goes on when it is back', async t => {
    const store = await PostgresStore.open({ postgres: optionsAt(server.address) })
    t.after(() => store.close())
    const entryOf = (i: number): StoreEntry => {
      const { batch, frame } = new TestLog().append(batchOf(TENANT, pointsOf('d', i)))
      return { batch, frame }
    }
    await store.write([entryOf(0)])
    await server.stop()
    for (let i = 1; i < 200; i++) await assert.rejects(store.write([entryOf(i)]), isRetryable)
    assert.equal((await store.stats().catch(() => undefined))?.memoryBytes, undefined)
    await server.start()
    await until('a write', () =>
      store.write([entryOf(200)]).then(
        () => true,
        () => false,
      ),
    )
    const { stored, memoryBytes } = await store.stats()
    assert.deepEqual([stored, memoryBytes], [2 * POINTS, 0])
  })
})

async function rowsIn(postgres: PostgresOptions): Promise<number> {
  const pool = await PostgresPool.open(postgres)
  const { rows } = await pool.query<{ n: number }>({ text: 'SELECT count(*) AS n FROM points' })
  await pool.close()
  return rows[0].n
}
