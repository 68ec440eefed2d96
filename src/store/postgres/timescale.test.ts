import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { after, describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import {
  dropSchema,
  NO_POSTGRES,
  poolOptions,
  testPool,
  testSchema,
} from '../../../test/fixtures/postgres.ts'
import { migrate } from '../../postgres/migrate.ts'
import { PostgresPool } from '../../postgres/postgres-pool.ts'
import { storeContract } from '../store.contract.ts'
import { batchOf, TestLog } from '../test-log.ts'
import type { TestPoint } from '../test-log.ts'
import { PostgresStore } from './postgres-store.ts'
import type { PostgresStoreOptions } from './postgres-store.ts'
import { MIGRATIONS } from './schema.ts'
import { hypertableStatements, useTimescale } from './timescale.ts'

const url = process.env.WEIR_TEST_TIMESCALE_URL ?? ''
const NO_TIMESCALE =
  url === '' ? 'optional: WEIR_TEST_TIMESCALE_URL names no server with TimescaleDB' : false
const DAY_MS = 86_400_000
const DAY_US = DAY_MS * 1000

test('a hypertable is divided by time and series, and compressed by series in order of time', () => {
  const all = hypertableStatements(
    { partitionMs: DAY_MS, compressAfterMs: 7 * DAY_MS },
    'public',
  ).join('\n')
  for (const said of [
    /create_hypertable\('points', 'time', 'series_id', 4,\s+chunk_time_interval => INTERVAL '86400000 milliseconds'/,
    /compress_segmentby = 'series_id', timescaledb.compress_orderby = 'time'/,
    /add_compression_policy\('points', compress_after => INTERVAL '604800000 milliseconds'\)/,
    /WITH \(timescaledb.continuous/,
    /add_continuous_aggregate_policy\('points_hourly'/,
  ]) {
    assert.match(all, said)
  }
})

test('without TimescaleDB the partitions are native', { skip: NO_POSTGRES }, async t => {
  const pool = await testPool(t)
  await migrate(pool, { part: 'store', migrations: MIGRATIONS })
  const options = { partitionMs: DAY_MS, compressAfterMs: DAY_MS }
  const { rows } = await pool.query({
    text: `SELECT FROM pg_available_extensions WHERE name = 'timescaledb'`,
  })
  if (rows.length === 0) assert.equal(await useTimescale(pool, options), 'partitions')
})

describe('the store in TimescaleDB', { skip: NO_TIMESCALE }, () => {
  const schemas = new Set<string>()
  const at = (schema: string) => ({ ...poolOptions(schema), url })
  after(async () => {
    for (const schema of schemas) await dropSchema(schema, url)
  })
  storeContract('a hypertable', directory => {
    const schema = basename(directory).toLowerCase().replaceAll(/\W/g, '_')
    schemas.add(schema)
    return PostgresStore.open({ postgres: at(schema) })
  })

  const openStore = async (t: TestContext, options: Partial<PostgresStoreOptions> = {}) => {
    const schema = testSchema(t, url)
    const store = await PostgresStore.open({ postgres: at(schema), ...options })
    t.after(() => store.close())
    const pool = await PostgresPool.open(at(schema))
    t.after(() => pool.close())
    return { store, pool, schema }
  }
  const write = (store: PostgresStore, points: readonly TestPoint[]) => {
    const { batch, frame } = new TestLog().append(batchOf('plant', points))
    return store.write([{ batch, frame }])
  }
  const everything = (devices: readonly string[]) => ({
    ...{ select: { tenant: 'plant', devices, metrics: [] }, range: { start: 0, end: 2 ** 53 } },
    ...{ limit: 10_000, order: 'asc' as const },
  })
  const compressAll = (pool: PostgresPool) =>
    pool.query({ text: `SELECT compress_chunk(c) FROM show_chunks('points') c` })
  /** Points that are in no compressed batch. */
  const looseRows = async (pool: PostgresPool): Promise<number> => {
    const { rows: chunks } = await pool.query<{ chunk: string }>({
      text: `SELECT c::text AS chunk FROM show_chunks('points') c`,
    })
    const counts = chunks.map(({ chunk }) => `(SELECT count(*) FROM ONLY ${chunk})`)
    const { rows } = await pool.query<{ n: number }>({ text: `SELECT ${counts.join('+')} AS n` })
    return rows[0].n
  }

  test('compressed chunks are read and written, and old ones are dropped', async t => {
    const { store, pool, schema } = await openStore(t, { compressAfterMs: DAY_MS })
    const daily = (value: number): TestPoint[] =>
      Array.from({ length: 10 }, (_, day) => ({
        ...{ device: 'd', metric: 'm', time: day * DAY_US, value },
      }))
    await write(store, daily(1))
    await compressAll(pool)
    await write(store, daily(2))
    const [found] = await store.read(everything(['d']))
    assert.deepEqual([...found.values], new Array<number>(10).fill(2))
    const { stored, duplicate } = await store.stats()
    assert.deepEqual([stored, duplicate], [10, 10])
    const kept = await PostgresStore.open({ postgres: at(schema), retentionMs: DAY_MS })
    await kept.close()
    assert.deepEqual(await store.read(everything(['d'])), [])
  })

  test('late points take no more out of compression than the batches that they change', async t => {
    const { store, pool } = await openStore(t, { compressAfterMs: 40_000 * DAY_MS })
    const SERIES = 110
    const PER_SERIES = 1000
    const points = (from: number, value: number): TestPoint[] =>
      Array.from({ length: SERIES * PER_SERIES }, (_, i) => ({
        ...{ device: `d${i % SERIES}`, metric: 'm', value },
        time: DAY_US + from + Math.floor(i / SERIES) * 10,
      }))
    await write(store, points(0, 1))
    const { diskBytes } = await store.stats()
    assert.ok(diskBytes > SERIES * PER_SERIES * 50, `${diskBytes} bytes`)
    await compressAll(pool)
    await write(store, points(0, 1))
    assert.equal(await looseRows(pool), 0)
    await write(store, points(5, 2).slice(0, SERIES))
    assert.equal(await looseRows(pool), SERIES)
    // One point of each series: more in all than a transaction may take out by default.
    await write(store, points(0, 3).slice(0, SERIES))
    const [first] = await store.read(everything(['d0']))
    assert.deepEqual([...first.values.subarray(0, 4)], [3, 2, 1, 1])
    const { stored, duplicate } = await store.stats()
    assert.deepEqual([stored, duplicate], [SERIES * 1001, SERIES * 1001])
  })

  test('the hourly aggregate has late points, however old, once it is refreshed', async t => {
    const { store, pool, schema } = await openStore(t)
    const hourly = async () => {
      const { rows: jobs } = await pool.query<{ id: number }>({
        text: `SELECT job_id AS id FROM timescaledb_information.jobs
          JOIN _timescaledb_catalog.continuous_agg ON mat_hypertable_id = (config->>'mat_hypertable_id')::int
          WHERE user_view_schema = $1`,
        values: [schema],
      })
      assert.equal(jobs.length, 1)
      await pool.query({ text: `CALL run_job(${jobs[0].id})` })
      const { rows } = await pool.query({
        text: `SELECT extract(epoch FROM hour)::int AS hour, count, sum, min, max, first, last
          FROM points_hourly ORDER BY hour`,
      })
      return rows
    }
    const point = (time: number, value: number) => ({ device: 'd', metric: 'm', time, value })
    await write(store, [point(1e6, 1), point(2e6, 3)])
    assert.deepEqual(await hourly(), [
      { hour: 0, count: 2, sum: 4, min: 1, max: 3, first: 1, last: 3 },
    ])
    await write(store, [point(5e5, 9)])
    assert.deepEqual(await hourly(), [
      { hour: 0, count: 3, sum: 13, min: 1, max: 9, first: 9, last: 3 },
    ])
  })

  /** A database, and the address of its owner, who may do nothing else. */
  const ownDatabase = async (t: TestContext): Promise<string> => {
    const name = `test_${randomBytes(6).toString('hex')}`
    const admin = await PostgresPool.open(at('public'))
    t.after(async () => {
      await admin.query({ text: `DROP DATABASE IF EXISTS ${name} WITH (FORCE)` })
      await admin.query({ text: `DROP ROLE ${name}` })
      await admin.close()
    })
    await admin.query({ text: `CREATE ROLE ${name} LOGIN PASSWORD 'few rights'` })
    await admin.query({ text: `CREATE DATABASE ${name} OWNER ${name}` })
    const address = new URL(url)
    Object.assign(address, { pathname: `/${name}`, username: name, password: 'few rights' })
    return address.href
  }

  test('a user without rights but on the database makes it, of several processes that start at once', async t => {
    const address = await ownDatabase(t)
    const open = (schema: string) =>
      PostgresStore.open({ postgres: { ...at(schema), url: address } })
    const stores = await Promise.all(['one', 'one', 'one', 'other'].map(open))
    t.after(() => Promise.all(stores.map(store => store.close())))
    const point = { device: 'd', metric: 'm', time: DAY_US, value: 1 }
    await Promise.all(stores.map(store => write(store, [point])))
    for (const store of stores) {
      assert.deepEqual(
        (await store.read(everything(['d']))).map(s => [...s.values]),
        [[1]],
      )
    }
    const pool = await PostgresPool.open({ ...at('one'), url: address })
    t.after(() => pool.close())
    const { rowCount } = await pool.query({ text: `SELECT FROM show_chunks('points')` })
    assert.equal(rowCount, 1)
  })
})
