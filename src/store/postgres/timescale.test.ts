import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { after, describe, test } from 'node:test'
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
import { PostgresStore } from './postgres-store.ts'
import { MIGRATIONS } from './schema.ts'
import { hypertableStatements, useTimescale } from './timescale.ts'

const url = process.env.WEIR_TEST_TIMESCALE_URL ?? ''
const NO_TIMESCALE =
  url === '' ? 'optional: WEIR_TEST_TIMESCALE_URL names no server with TimescaleDB' : false
const DAY_MS = 86_400_000
const DAY_US = DAY_MS * 1000

test('a hypertable is divided by time and series, and compressed by series in order of time', () => {
  const all = hypertableStatements({ partitionMs: DAY_MS, compressAfterMs: 7 * DAY_MS }).join('\n')
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

  test('compressed chunks are read and written, and old ones are dropped', async t => {
    const schema = testSchema(t, url)
    const store = await PostgresStore.open({ postgres: at(schema), compressAfterMs: DAY_MS })
    t.after(() => store.close())
    const pool = await PostgresPool.open(at(schema))
    t.after(() => pool.close())
    const write = (value: number) => {
      const points = Array.from({ length: 10 }, (_, day) => ({
        ...{ device: 'd', metric: 'm', time: day * DAY_US, value },
      }))
      const { batch, frame } = new TestLog().append(batchOf('plant', points))
      return store.write([{ batch, frame }])
    }
    await write(1)
    await pool.query({ text: `SELECT compress_chunk(c) FROM show_chunks('points') c` })
    await write(2)
    const select = { tenant: 'plant', devices: ['d'], metrics: [] }
    const range = { start: 0, end: 2 ** 53 }
    const [found] = await store.read({ select, range, limit: 100, order: 'asc' })
    assert.deepEqual([...found.values], new Array<number>(10).fill(2))
    const { stored, duplicate } = await store.stats()
    assert.deepEqual([stored, duplicate], [10, 10])
    const kept = await PostgresStore.open({ postgres: at(schema), retentionMs: DAY_MS })
    await kept.close()
    assert.deepEqual(await store.read({ select, range, limit: 100, order: 'asc' }), [])
  })
})
