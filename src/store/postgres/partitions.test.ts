import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { fakeClock } from '../../../test/fixtures/fake-clock.ts'
import { NO_POSTGRES, poolOptions, testSchema } from '../../../test/fixtures/postgres.ts'
import { until } from '../../../test/fixtures/until.ts'
import { PostgresPool } from '../../postgres/postgres-pool.ts'
import { batchOf, TestLog } from '../test-log.ts'
import { PostgresStore } from './postgres-store.ts'
import type { PostgresStoreOptions } from './postgres-store.ts'

const DAY_MS = 86_400_000
const DAY_US = DAY_MS * 1000

/** A store, and a way into its tables past it. */
async function opened(t: TestContext, options: Partial<PostgresStoreOptions> = {}) {
  const postgres = poolOptions(testSchema(t))
  const pool = await PostgresPool.open(postgres)
  t.after(() => pool.close())
  const open = async (more: Partial<PostgresStoreOptions> = {}): Promise<PostgresStore> => {
    const store = await PostgresStore.open({ postgres, ...options, ...more })
    t.after(() => store.close())
    return store
  }
  const run = (text: string) => pool.query({ text })
  return { store: await open(), open, pool, run }
}

/** Writes one point of the only series at each of these times. */
async function write(store: PostgresStore, times: readonly number[]): Promise<void> {
  const points = times.map(time => ({ device: 'd', metric: 'm', time, value: time / DAY_US }))
  const { batch, frame } = new TestLog().append(batchOf('plant', points))
  await store.write([{ batch, frame }])
}

async function timesIn(store: PostgresStore): Promise<number[]> {
  const select = { tenant: 'plant', devices: ['d'], metrics: [] }
  const found = await store.read({
    ...{ select, range: { start: 0, end: 2 ** 53 }, limit: 1e6, order: 'asc' },
  })
  return found.flatMap(({ timestamps }) => [...timestamps])
}

describe('partitions of points', { skip: NO_POSTGRES }, () => {
  test('one that somebody dumps is dropped later, and nobody waits for that', async t => {
    const { store, open, pool } = await opened(t)
    await write(store, [0, DAY_US, 5 * DAY_US])
    const clock = fakeClock(6 * DAY_MS)
    const warnings: string[] = []
    const options = {
      ...{ clock, retentionMs: 2 * DAY_MS },
      onWarning: (message: string) => void warnings.push(message),
    }
    await pool.transaction(async client => {
      // As pg_dump has it all the time.
      await client.query('LOCK TABLE points IN ACCESS SHARE MODE')
      const keeper = await open(options)
      await until('the drop is given up', () => warnings.length > 0)
      assert.match(warnings[0], /could not be dropped: .*lock timeout/)
      await write(store, [5 * DAY_US + 1])
      assert.equal((await timesIn(keeper)).length, 4)
      await keeper.close()
    })
    const keeper = await open(options)
    await keeper.close()
    assert.deepEqual(await timesIn(store), [5 * DAY_US, 5 * DAY_US + 1])
    assert.equal(warnings.length, 1)
  })

  test('a write that failed for its partition leaves the newest point as it is', async t => {
    const { store, run } = await opened(t)
    await write(store, [10])
    await run('ALTER TABLE partitions RENAME TO hidden')
    await assert.rejects(write(store, [5 * DAY_US]), { kind: 'retryable' })
    await run('ALTER TABLE hidden RENAME TO partitions')
    await write(store, [20])
    const newest = await store.newest({ tenant: 'plant', limit: 9 })
    assert.deepEqual(newest, [{ device: 'd', metric: 'm', timeUs: 20 }])
  })

  for (const way of [
    'DROP TABLE points_19700103',
    'ALTER TABLE points DETACH PARTITION points_19700103',
  ]) {
    test(`one that is gone is made again by the write that needs it (${way})`, async t => {
      const { store, open, run } = await opened(t)
      await write(store, [DAY_US, 2 * DAY_US, 3 * DAY_US])
      await run(way)
      await write(store, [2 * DAY_US + 1])
      const expected = [DAY_US, 2 * DAY_US + 1, 3 * DAY_US]
      assert.deepEqual(await timesIn(store), expected)
      const other = await open()
      await write(other, [2 * DAY_US + 2])
      assert.equal((await timesIn(other)).length, 4)
      assert.equal((await store.stats()).deadLettered, 0)
    })
  }

  test('one that somebody has detached is theirs, and is not dropped when it is old', async t => {
    const { store, open, run } = await opened(t)
    await write(store, [0, DAY_US, 5 * DAY_US])
    await run('ALTER TABLE points DETACH PARTITION points_19700101')
    const keeper = await open({ clock: fakeClock(6 * DAY_MS), retentionMs: 2 * DAY_MS })
    await keeper.close()
    assert.deepEqual(await timesIn(store), [5 * DAY_US])
    assert.equal((await run('SELECT FROM points_19700101')).rowCount, 1)
  })

  test('points for which there is no partition, whatever is done, may come again', async t => {
    const { store, run } = await opened(t)
    await write(store, [0])
    // As PostgreSQL says that there is none.
    await run(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE 'no partition' USING ERRCODE = 'check_violation'; END $$`)
    await run(
      'CREATE TRIGGER refuse BEFORE INSERT ON points FOR EACH ROW EXECUTE FUNCTION refuse()',
    )
    await assert.rejects(write(store, [1]), { kind: 'retryable', message: /are gone/ })
    await run('DROP TRIGGER refuse ON points')
    await write(store, [1])
    await run('ALTER TABLE points ADD CONSTRAINT own CHECK (value < 2)')
    await assert.rejects(write(store, [3 * DAY_US]), { kind: 'rejected' })
    assert.deepEqual(await timesIn(store), [0, 1])
    assert.equal((await store.stats()).deadLettered, 1)
  })
})
