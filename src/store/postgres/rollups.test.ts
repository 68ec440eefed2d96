import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { fakeClock } from '../../../test/fixtures/fake-clock.ts'
import { NO_POSTGRES, poolOptions, testSchema } from '../../../test/fixtures/postgres.ts'
import { seededRandom } from '../../../test/fixtures/seeded-random.ts'
import type { SeededRandom } from '../../../test/fixtures/seeded-random.ts'
import { until } from '../../../test/fixtures/until.ts'
import { PostgresPool } from '../../postgres/postgres-pool.ts'
import type { Aggregate } from '../../ports/store.ts'
import { Oracle } from '../oracle.ts'
import { checkBuckets } from '../oracle-checks.ts'
import { batchOf, TestLog } from '../test-log.ts'
import type { TestPoint } from '../test-log.ts'
import { PostgresStore } from './postgres-store.ts'
import type { PostgresStoreOptions } from './postgres-store.ts'
import { fillGaps } from './rollup-table.ts'

const HOUR_US = 3_600_000_000
const DAY_US = 24 * HOUR_US
const DAY_MS = DAY_US / 1000
const MINUTE_US = 60_000_000
const RUN_MS = 10 * 60_000
const OF_HOURS: readonly Aggregate[] = ['avg', 'min', 'max', 'count', 'sum', 'first', 'last']
const SELECT = { tenant: 'plant', devices: ['a', 'b'], metrics: [] }
const FIRST_DAY = { name: 'points_19700101', start: 0, end: DAY_US }

/** A store on the tenth day, and a way into its tables past it. */
async function opened(t: TestContext, options: Partial<PostgresStoreOptions> = {}) {
  const schema = testSchema(t)
  const postgres = { ...poolOptions(schema), applicationName: schema }
  const clock = fakeClock(10 * DAY_MS)
  const warnings: string[] = []
  const pool = await PostgresPool.open(postgres)
  t.after(() => pool.close())
  const open = async (more: Partial<PostgresStoreOptions> = {}): Promise<PostgresStore> => {
    const onWarning = (message: string): void => void warnings.push(message)
    const store = await PostgresStore.open({ postgres, clock, onWarning, ...options, ...more })
    t.after(() => store.close())
    return store
  }
  const count = async (table: string): Promise<number> =>
    (await pool.query({ text: `SELECT FROM ${table}` })).rowCount
  /** Lets the store look after old points until this is so. */
  const upkeep = (what: string, isSo: () => Promise<boolean>): Promise<unknown> =>
    until(what, () => {
      clock.advance(RUN_MS)
      return isSo()
    })
  const rolledUp = async (): Promise<PostgresStore> => {
    await upkeep(
      'all is rolled up',
      async () => (await count('partitions WHERE rollup IS NULL')) === 0,
    )
    // It knows of all from the start.
    return open()
  }
  const somebodyWaits = async (): Promise<boolean> =>
    (await count(
      `pg_stat_activity WHERE application_name = '${schema}' AND wait_event_type = 'Lock'`,
    )) > 0
  const store = await open()
  return { store, open, pool, clock, warnings, count, upkeep, rolledUp, somebodyWaits }
}

/** As without a log. */
async function write(
  { store, oracle }: { store: PostgresStore; oracle?: Oracle },
  points: readonly TestPoint[],
): Promise<void> {
  const { batch, frame } = new TestLog().append(batchOf('plant', points))
  oracle?.write(batch)
  await store.write([{ batch, frame }])
}

/** A point every three minutes of some days. */
function daysOf(device: string, days: number): TestPoint[] {
  const count = (days * DAY_US) / (3 * MINUTE_US)
  return Array.from({ length: count }, (_, i) => ({
    ...{ device, metric: 'm', time: 3 * MINUTE_US * i, value: i },
  }))
}

async function maxima(store: PostgresStore, range: { start: number; end: number }) {
  const [found] = await store.buckets({
    ...{ select: SELECT, range, intervalUs: HOUR_US, aggregates: ['max'] },
  })
  return [...(found?.columns[0] ?? [])]
}

function randomPoint(random: SeededRandom): TestPoint {
  const { device, metric } = random.pick([
    { device: 'a', metric: 'm' },
    { device: 'a', metric: 'n' },
    { device: 'b', metric: 'm' },
  ])
  const time = random.int(0, 4 * 24 * 60) * MINUTE_US
  if (random.chance(0.1)) return { device, metric, time, text: random.pick(['on', 'off']) }
  return { device, metric, time, value: random.int(-1000, 1000) / 8 }
}

async function checkRandomly(
  { store, oracle }: { store: PostgresStore; oracle: Oracle },
  random: SeededRandom,
): Promise<void> {
  const [start, end] = [random.int(0, 5 * 24 * 60), random.int(0, 5 * 24 * 60)]
    .sort((a, b) => a - b)
    .map(minutes => minutes * MINUTE_US)
  const range = {
    select: SELECT,
    ...(random.chance(0.3) ? { start: 0, end: 2 ** 53 } : { start, end }),
  }
  const intervalUs = random.pick([
    HOUR_US,
    2 * HOUR_US,
    5 * HOUR_US,
    DAY_US,
    7 * DAY_US,
    HOUR_US / 2,
  ])
  const aggregates: readonly Aggregate[] = random.chance(0.2) ? [...OF_HOURS, 'p90'] : OF_HOURS
  await checkBuckets({ store, oracle }, range, { intervalUs, aggregates })
}

describe('rollups of old partitions', { skip: NO_POSTGRES }, () => {
  test('answers are as exact as from the points, whatever comes late', async t => {
    const random = seededRandom(t)
    const { store, open, upkeep, rolledUp, count, warnings } = await opened(t)
    const oracle = new Oracle()
    const points = Array.from({ length: 20_000 }, () => randomPoint(random))
    await write({ store, oracle }, points)
    const other = await rolledUp()
    const single = await open({ writes: 'single' })
    for (let i = 0; i < 60; i++) {
      const late = Array.from({ length: random.int(1, 700) }, () => randomPoint(random))
      await write({ store: random.pick([store, other, single]), oracle }, late)
      if (random.chance(0.2)) await upkeep('a run', async () => true)
      await checkRandomly({ store: random.pick([store, other, single]), oracle }, random)
    }
    await upkeep('all gaps are filled', async () => (await count('rollup_gaps')) === 0)
    for (let i = 0; i < 20; i++) await checkRandomly({ store: other, oracle }, random)
    assert.deepEqual(warnings, [])
  })

  test('whole hours come from the rollups, what is no whole hour from the points', async t => {
    const { store, pool, rolledUp } = await opened(t)
    await write({ store }, daysOf('a', 2))
    const after = await rolledUp()
    await pool.query({ text: 'UPDATE rollups SET max = -1' })
    const range = { start: 22.5 * HOUR_US, end: 25.5 * HOUR_US }
    assert.deepEqual(await maxima(after, range), [459, -1, -1, 509])
  })

  test('an hour that nobody has committed yet is read from the points, and filled later', async t => {
    const { store, pool, upkeep, rolledUp, count } = await opened(t)
    await write({ store }, daysOf('a', 1))
    const after = await rolledUp()
    const range = { start: 0, end: HOUR_US }
    const insert = (seconds: number, value: number) =>
      `INSERT INTO points SELECT id, to_timestamp(${seconds}), ${value} FROM series`
    await pool.query({ text: insert(1, 100) })
    assert.deepEqual(await maxima(after, range), [100])
    await pool.transaction(async client => {
      await client.query(insert(2, 200))
      await write({ store }, [{ device: 'a', metric: 'm', time: 5 * HOUR_US + 1, value: 500 }])
      await upkeep(
        'the other hour is filled',
        async () => (await count('rollups WHERE max = 500')) > 0,
      )
      assert.deepEqual(await maxima(after, range), [100])
    })
    assert.deepEqual(await maxima(after, range), [200])
    await upkeep('it is filled', async () => (await count('rollup_gaps')) === 0)
    assert.deepEqual(await maxima(after, range), [200])
    assert.equal((await maxima(after, { start: 0, end: DAY_US }))[5], 500)
  })

  test('a point that comes while its hour is filled is noted again', async t => {
    const { store, pool, rolledUp, somebodyWaits } = await opened(t)
    await write({ store }, daysOf('a', 1))
    const after = await rolledUp()
    const late = (time: number, value: number): Promise<void> =>
      write({ store }, [{ device: 'a', metric: 'm', time, value }])
    let second: Promise<void> | undefined
    await pool.transaction(async client => {
      const all = { after: { series: -1, hour: 0 }, count: 10 }
      let time = 1
      // A run that was begun before may be quicker.
      await until('the gap is ours', async () => {
        await late(time++, 100)
        return (await fillGaps(client, FIRST_DAY, all)) !== undefined
      })
      second = late(time, 200)
      await until('it waits', somebodyWaits)
    })
    await second
    assert.deepEqual(await maxima(after, { start: 0, end: HOUR_US }), [200])
  })

  test('few points an hour are not rolled up, and are asked about once', async t => {
    const { store, rolledUp, count } = await opened(t)
    const points = Array.from({ length: 48 }, (_, i) => ({
      ...{ device: 'a', metric: 'm', time: i * HOUR_US, value: i },
    }))
    await write({ store }, points)
    const after = await rolledUp()
    assert.equal(await count(`partitions WHERE rollup = 'sparse'`), 2)
    await write({ store: after }, [{ device: 'a', metric: 'm', time: 1, value: 100 }])
    assert.equal(await count('rollup_gaps'), 0)
    assert.equal((await maxima(after, { start: 0, end: 2 * DAY_US })).length, 48)
  })

  test('sums that no float holds are as they were, and hold nothing else up', async t => {
    const { store, upkeep, rolledUp, count, warnings } = await opened(t)
    const oracle = new Oracle()
    const huge = [1, 2].map(time => ({ device: 'a', metric: 'm', time, value: 1.7e308 }))
    await write({ store, oracle }, [...daysOf('a', 1), ...huge])
    const after = await rolledUp()
    await write({ store, oracle }, [{ device: 'a', metric: 'm', time: 5 * HOUR_US + 1, value: 7 }])
    await upkeep('the other hour is filled', async () => (await count('rollup_gaps')) === 1)
    const whole = { select: SELECT, start: 0, end: DAY_US }
    const aggregates: readonly Aggregate[] = ['min', 'max', 'count', 'first', 'last']
    await checkBuckets({ store: after, oracle }, whole, { intervalUs: HOUR_US, aggregates })
    const [{ columns }] = await after.buckets({
      ...{ select: SELECT, range: whole, intervalUs: DAY_US, aggregates: ['sum'] },
    })
    assert.deepEqual([...columns[0]], [Infinity])
    assert.deepEqual(warnings, [])
  })

  test('they go with their partition, whoever drops or detaches it', async t => {
    const { store, open, pool, clock, count, rolledUp } = await opened(t)
    await write({ store }, daysOf('a', 4))
    const after = await rolledUp()
    const late = [0, 1, 2, 3].map(day => ({
      ...{ device: 'a', metric: 'm', time: day * DAY_US + 1, value: -1 },
    }))
    await write({ store }, late)
    await pool.query({ text: 'ALTER TABLE points DETACH PARTITION points_19700102' })
    const keeper = await open({ retentionMs: clock.nowMs() - 3 * DAY_MS })
    await until('what is old is gone', async () => (await count('rollups')) === 24)
    await keeper.close()
    assert.equal(await count('rollup_gaps WHERE hour < to_timestamp(3 * 86400)'), 0)
    assert.equal((await maxima(after, { start: 0, end: 9 * DAY_US })).length, 24)
    // There is a place for points of those days again, and for their hours.
    await write({ store }, daysOf('a', 4))
    const again = await rolledUp()
    assert.equal((await maxima(again, { start: 0, end: 9 * DAY_US })).length, 96)
  })

  test('a partition that cannot be rolled up now does not hold up the gaps of others', async t => {
    const { store, pool, count, warnings, upkeep, rolledUp } = await opened(t)
    await write({ store }, daysOf('a', 1))
    await rolledUp()
    await write({ store }, daysOf('b', 2))
    await pool.transaction(async client => {
      // As a writer has it that does not end.
      await client.query('LOCK TABLE points_19700102 IN ROW EXCLUSIVE MODE')
      await upkeep('the next day is given up', async () => warnings.length > 0)
      assert.match(warnings[0], /^old points could not be rolled up: .*lock timeout/)
      await write({ store }, [{ device: 'a', metric: 'm', time: 1, value: 700 }])
      await upkeep('the gap is filled', async () => (await count('rollups WHERE max = 700')) > 0)
    })
    assert.equal(await count('partitions WHERE rollup IS NULL'), 1)
  })

  test('a stop breaks off what takes long, and the next one does it', async t => {
    const { store, open, pool, count, warnings, upkeep, rolledUp, somebodyWaits } = await opened(t)
    await write({ store }, daysOf('a', 1))
    await pool.transaction(async client => {
      // The hours can be worked out, and not be attached.
      await client.query('LOCK TABLE rollups IN SHARE UPDATE EXCLUSIVE MODE')
      await upkeep('it is rolled up', somebodyWaits)
      await store.close()
    })
    assert.equal(await count('partitions WHERE rollup IS NULL'), 1)
    assert.deepEqual(warnings, [])
    await open()
    const after = await rolledUp()
    assert.equal((await maxima(after, { start: 0, end: DAY_US })).length, 24)
  })
})
