import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { NO_POSTGRES, poolOptions, testSchema } from '../../../test/fixtures/postgres.ts'
import { fakeClock } from '../../../test/fixtures/fake-clock.ts'
import { until } from '../../../test/fixtures/until.ts'
import { PostgresPool } from '../../postgres/postgres-pool.ts'
import type { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'
import { batchOf, TestLog } from '../test-log.ts'
import type { TestPoint } from '../test-log.ts'
import { PostgresStore } from './postgres-store.ts'
import type { PostgresStoreOptions } from './postgres-store.ts'

const TENANT = 'plant'
const DAY_US = 86_400_000_000
const EVERYTHING = { start: 0, end: 2 ** 53 }

async function open(
  t: TestContext,
  schema: string,
  options: Partial<PostgresStoreOptions> = {},
): Promise<PostgresStore> {
  const store = await PostgresStore.open({ postgres: poolOptions(schema), ...options })
  t.after(() => store.close())
  return store
}

/** As without a log: no position. */
function entry(points: readonly TestPoint[], tenant = TENANT): StoreEntry {
  const { batch, frame } = new TestLog().append(batchOf(tenant, points))
  return { batch, frame }
}

const series = (device: string, count: number, value = 1): TestPoint[] =>
  Array.from({ length: count }, (_, i) => ({ device, metric: 'm', time: i * 1000, value }))

async function rows(store: PostgresStore, device: string): Promise<[number, number][]> {
  const select = { tenant: TENANT, devices: [device], metrics: [] }
  const found = await store.read({ select, range: EVERYTHING, limit: 1e6, order: 'asc' })
  return found.flatMap(({ timestamps, values }) =>
    [...timestamps].map((time, i): [number, number] => [time, values[i]]),
  )
}

async function countsOf(store: PostgresStore): Promise<number[]> {
  const { stored, duplicate, deadLettered } = await store.stats()
  return [stored, duplicate, deadLettered ?? NaN]
}

describe('several stores on one PostgreSQL', { skip: NO_POSTGRES }, () => {
  for (const writes of ['merged', 'single'] as const) {
    test(`two that write the same entries of a log count each once (${writes})`, async t => {
      const schema = testSchema(t)
      const stores = await Promise.all([open(t, schema, { writes }), open(t, schema, { writes })])
      const log = new TestLog()
      for (let i = 0; i < 60; i++) {
        log.append(batchOf(TENANT, series(`d${i % 7}`, 30, i)), i % 3)
      }
      const writing = stores.map(async store => {
        for (const one of log.entries) await store.write([one])
      })
      await Promise.all(writing)
      const [stored, duplicate] = await countsOf(stores[0])
      assert.deepEqual([stored, duplicate], [7 * 30, 60 * 30 - 7 * 30])
      assert.deepEqual(
        (await stores[1].positions()).map(({ offset }) => offset),
        [20, 20, 20],
      )
      for (let d = 0; d < 7; d++) assert.equal((await rows(stores[1], `d${d}`)).length, 30)
    })

    test(`two that write the same points without a log count them once (${writes})`, async t => {
      const schema = testSchema(t)
      const stores = await Promise.all([open(t, schema, { writes }), open(t, schema, { writes })])
      // Few are written as one statement, many are copied.
      for (const size of [7, 900]) {
        const before = await countsOf(stores[0])
        const names = Array.from({ length: 12 }, (_, i) => `d${size}-${i}`)
        const writing = stores.flatMap(store =>
          names.map(name => store.write([entry(series(name, size))])),
        )
        await Promise.all(writing)
        const [stored, duplicate] = await countsOf(stores[0])
        const more = [stored - before[0], duplicate - before[1]]
        assert.deepEqual(more, [12 * size, 12 * size])
      }
    })
  }

  test('what another store has written is no surprise to one that did not know', async t => {
    const schema = testSchema(t)
    const [one, other] = await Promise.all([open(t, schema), open(t, schema)])
    for (const size of [20, 800]) {
      const device = `d${size}`
      // Both believe from now on to know the newest point of the series.
      await one.write([entry([{ device, metric: 'm', time: 0, value: 0 }])])
      await other.write([entry([{ device, metric: 'm', time: 1000, value: 0 }])])
      await one.write([entry(series(device, size, 1))])
      await other.write([entry(series(device, size, 2))])
      assert.deepEqual(
        await rows(one, device),
        series(device, size).map(({ time }) => [time, 2]),
      )
      const select = { tenant: TENANT, devices: [device], metrics: [] }
      const range = EVERYTHING
      const [newest] = await one.read({ select, range, limit: 1, order: 'desc' })
      assert.deepEqual([newest.timestamps[0], newest.values[0]], [(size - 1) * 1000, 2])
    }
    const [stored, duplicate] = await countsOf(one)
    assert.deepEqual([stored, duplicate], [820, 820 + 4 - 0])
  })

  test('of two that make a point at once, the newest point is the one that is stored', async t => {
    const schema = testSchema(t)
    const [one, other] = await Promise.all([open(t, schema), open(t, schema)])
    const point = (device: string, time: number, value: number): TestPoint => ({
      ...{ device, metric: 'm', time, value },
    })
    await one.write([entry([point('a', 1, 0), point('b', 1, 0)])])
    await other.write([entry([point('a', 2, 0)])])
    const pool = await PostgresPool.open(poolOptions(schema))
    t.after(() => pool.close())
    let writing: Promise<void> | undefined
    await pool.transaction(async client => {
      // A third one makes a point of b.
      await client.query(`INSERT INTO points SELECT series_id, time + INTERVAL '1 us', 7
        FROM points JOIN series ON id = series_id AND device = 'b'`)
      // The point of a is there, which the first one does not know: all of it is merged.
      writing = one.write([entry([point('a', 2, 5), point('b', 2, 5)])])
      const waiting = `SELECT FROM pg_locks WHERE NOT granted AND pid IN (
        SELECT pid FROM pg_stat_activity WHERE query LIKE '%unnest%')`
      await until('it to wait', async () => (await pool.query({ text: waiting })).rowCount > 0)
      await client.query(`UPDATE latest l SET time = p.time, value = p.value FROM points p
        WHERE p.series_id = l.series_id AND p.value = 7`)
    })
    await writing
    assert.deepEqual((await rows(one, 'b')).at(-1), [2, 5])
    const select = { tenant: TENANT, devices: ['b'], metrics: [] }
    const [newest] = await one.read({ select, range: EVERYTHING, limit: 1, order: 'desc' })
    assert.deepEqual([newest.timestamps[0], newest.values[0]], [2, 5])
    // The third one counts nothing.
    assert.deepEqual(await countsOf(one), [3, 2, 0])
  })

  test('partitions are made once, far in the past too, and where the span was another', async t => {
    const schema = testSchema(t)
    const stores = await Promise.all([
      open(t, schema, { partitionMs: 86_400_000 }),
      open(t, schema, { partitionMs: 7 * 86_400_000 }),
      open(t, schema, { partitionMs: 3_600_000 }),
    ])
    const times = Array.from({ length: 40 }, (_, i) => i * DAY_US * 0.4)
    const writing = times.map((time, i) =>
      stores[i % 3].write([entry([{ device: 'd', metric: 'm', time, value: i }])]),
    )
    await Promise.all(writing)
    assert.deepEqual(
      await rows(stores[0], 'd'),
      times.map((time, i) => [time, i]),
    )
    const select = { tenant: TENANT, devices: ['d'], metrics: [] }
    const [first] = await stores[1].read({ select, range: EVERYTHING, limit: 7, order: 'desc' })
    assert.deepEqual([...first.timestamps], times.toReversed().slice(0, 7))
    const intervalUs = 3 * DAY_US
    const range = { start: DAY_US, end: 11 * DAY_US }
    const [buckets] = await stores[2].buckets({ select, range, intervalUs, aggregates: ['count'] })
    const inRange = times.filter(time => time >= range.start && time < range.end).length
    assert.equal(
      buckets.columns[0].reduce((a, b) => a + b),
      inRange,
    )
  })

  test('a partition that is gone is made again by the write that needs it', async t => {
    const schema = testSchema(t)
    const store = await open(t, schema)
    await store.write([entry(series('d', 10))])
    const pool = await PostgresPool.open(poolOptions(schema))
    t.after(() => pool.close())
    await pool.query({ text: 'DROP TABLE points_19700101' })
    await pool.query({ text: 'DELETE FROM partitions' })
    await store.write([entry(series('d', 20, 5))])
    assert.equal((await rows(store, 'd')).length, 20)
  })

  test('partitions that are older than is kept are dropped, and the others stay', async t => {
    const schema = testSchema(t)
    const first = await open(t, schema)
    const days = [0, 1, 2, 3, 4].map(day => ({
      device: 'd',
      metric: 'm',
      time: day * DAY_US,
      value: day,
    }))
    await first.write([entry(days)])
    await first.close()
    const clock = fakeClock(4.5 * (DAY_US / 1000))
    const store = await open(t, schema, { retentionMs: 2 * (DAY_US / 1000), clock })
    await until('old partitions to go', async () => (await rows(store, 'd')).length === 3)
    // Closing waits for what is being dropped.
    await store.close()
    const again = await open(t, schema)
    assert.deepEqual(
      (await rows(again, 'd')).map(([, value]) => value),
      [2, 3, 4],
    )
    // What comes late for a day that is gone makes it again.
    await again.write([entry(days.slice(0, 1))])
    assert.equal((await rows(again, 'd')).length, 4)
  })

  test('its connections and slowest statements are told for the metrics', async t => {
    const store = await open(t, testSchema(t))
    await store.write([entry(series('d', 3))])
    const { connections, statements } = await store.figures()
    assert.equal(connections.size, poolOptions('').poolSize)
    assert.ok(connections.idle > 0)
    for (const { statement, calls } of statements) {
      assert.ok(statement.length <= 120)
      assert.ok(calls > 0)
    }
  })

  test('newest points are found after single writes, which keep no table of them', async t => {
    const schema = testSchema(t)
    const first = await open(t, schema)
    await first.write([entry(series('d', 10))])
    await first.close()
    const single = await open(t, schema, { writes: 'single' })
    await single.write([entry(series('d', 20, 7)), entry(series('e', 2))])
    await single.close()
    const stores = await Promise.all([open(t, schema), open(t, schema)])
    for (const store of stores) {
      const found: unknown[] = []
      for await (const { devices, timestamps, values } of store.latest()) {
        devices.forEach((device, i) => found.push([device, timestamps[i], values[i]]))
      }
      assert.deepEqual(found, [
        ['d', 19_000, 7],
        ['e', 1000, 1],
      ])
    }
  })

  test('what the server refuses is buried alone, and counted', async t => {
    const schema = testSchema(t)
    const store = await open(t, schema)
    const log = new TestLog()
    const good = (device: string) => log.append(batchOf(TENANT, series(device, 3)))
    const bad = (device: string) => log.append(batchOf(TENANT, series(device, 2)))
    const isRejected = (error: WeirError): boolean => error.kind === 'rejected'
    // No time; NUL, which no text of PostgreSQL holds; longer than a row of an index.
    const noTime = () =>
      log.append(batchOf(TENANT, [{ device: 'd', metric: 'm', time: NaN, value: 1 }]))
    const random = Array.from({ length: 790 }, (_, i) =>
      String.fromCharCode(0x4e00 + ((i * 7919) % 20_000)),
    )
    const name = random.join('')
    const long = () =>
      log.append(
        batchOf(
          TENANT,
          [1, 2].map(time => ({ device: name, metric: name, time, value: 1 })),
        ),
      )
    const writes = [good('a'), bad('nul\0'), good('b'), noTime(), long(), good('c')]
    const results = await Promise.allSettled(writes.map(one => store.write([one])))
    assert.deepEqual(
      results.map(result => result.status === 'rejected' && isRejected(result.reason as WeirError)),
      [false, true, false, true, true, false],
    )
    assert.deepEqual(await countsOf(store), [9, 0, 5])
    assert.deepEqual(await store.positions(), [{ partition: 0, offset: 6 }])
    for (const device of ['a', 'b', 'c']) assert.equal((await rows(store, device)).length, 3)
    assert.equal((await rows(store, 'nul\0')).length, 0)
  })

  test('sums beyond a float64 are infinite, and no error', async t => {
    const store = await open(t, testSchema(t))
    const huge = Number.MAX_VALUE
    await store.write([entry(series('d', 3, huge))])
    const select = { tenant: TENANT, devices: ['d'], metrics: [] }
    const aggregates = ['sum', 'max', 'count', 'first', 'p50'] as const
    const request = { select, range: EVERYTHING, intervalUs: DAY_US, aggregates }
    const [found] = await store.buckets(request)
    const columns = found.columns.map(([value]) => value)
    assert.deepEqual(columns, [Infinity, huge, 3, huge, huge])
  })

  test('more bytes than are allowed to wait are refused, by the name of the bound', async t => {
    const store = await open(t, testSchema(t), { maxPendingBytes: 1 })
    const writing = store.write([entry(series('d', 1))])
    await assert.rejects(
      store.write([entry(series('e', 1))]),
      (error: WeirError) => error.kind === 'overloaded' && error.limit === 'store.maxPendingBytes',
    )
    await writing
    await store.write([entry(series('e', 1))])
    assert.deepEqual(await countsOf(store), [2, 0, 0])
  })
})
