import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { NO_POSTGRES, poolOptions, testPool } from '../../test/fixtures/postgres.ts'
import { until } from '../../test/fixtures/until.ts'
import { WeirError, type ErrorKind } from '../ports/errors.ts'
import { copyIn } from './copy-in.ts'
import { copyOut } from './copy-out.ts'
import { migrate } from './migrate.ts'
import { postgresError } from './postgres-error.ts'
import { PostgresPool } from './postgres-pool.ts'

const isKind =
  (kind: ErrorKind) =>
  (error: unknown): boolean =>
    error instanceof WeirError && error.kind === kind

test('what PostgreSQL says is told by its code, and a lost connection by having none', () => {
  const kinds: [string | undefined, ErrorKind][] = [
    ['57P01', 'retryable'],
    ['57P03', 'retryable'],
    ['57014', 'retryable'],
    ['08006', 'retryable'],
    ['ECONNREFUSED', 'retryable'],
    ['EPIPE', 'retryable'],
    [undefined, 'retryable'],
    ['40P01', 'retryable'],
    ['53300', 'overloaded'],
    ['23505', 'conflict'],
    ['22021', 'rejected'],
    ['54000', 'rejected'],
    ['28P01', 'config'],
    ['XX001', 'corrupt'],
  ]
  for (const [code, kind] of kinds) {
    const error = postgresError(Object.assign(new Error('told'), { code }))
    assert.equal(error.kind, kind, code)
    assert.match(error.message, /told/)
  }
  const full = postgresError(Object.assign(new Error('no space'), { code: '53100' }))
  assert.deepEqual([full.kind, full.code], ['retryable', 'disk_full'])
  assert.equal(postgresError(new TypeError('a mistake')).kind, 'closed')
})

test('clients are not told where the server is; the cause says it, for the log', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), {
    ...{ code: 'ECONNREFUSED', syscall: 'connect' },
  })
  const both = Object.assign(new AggregateError([refused], ''), { code: 'ECONNREFUSED' })
  for (const error of [refused, both]) {
    const { message, kind, cause } = postgresError(error)
    assert.deepEqual(
      [message, kind],
      ['PostgreSQL: it cannot be reached (ECONNREFUSED)', 'retryable'],
    )
    assert.equal(cause, error)
  }
})

test('a server that is not there is retryable, and not asked again at once', async t => {
  const server = createServer(socket => socket.destroy())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  let connections = 0
  server.on('connection', () => connections++)
  const { port } = server.address() as AddressInfo
  const url = `postgres://u:secret@127.0.0.1:${port}/d`
  const options = {
    ...{ url, schema: 'weir', poolSize: 2, connectTimeoutMs: 5000, idleTimeoutMs: 5000 },
    statementTimeoutMs: 5000,
  }
  const failed = (error: unknown): boolean =>
    isKind('retryable')(error) && !(error as Error).message.includes('secret')
  await assert.rejects(PostgresPool.open(options), failed)
  const pool = new PostgresPool(options, (await import('pg')).default)
  for (let i = 0; i < 100; i++) await assert.rejects(pool.query({ text: 'SELECT 1' }), failed)
  assert.ok(connections < 10, `${connections} connections`)
  await pool.close()
  await assert.rejects(pool.query({ text: 'SELECT 1' }), isKind('closed'))
})

describe('a pool of PostgreSQL connections', { skip: NO_POSTGRES }, () => {
  test('connections that the server closed are replaced', async t => {
    const pool = await testPool(t)
    const kill = 'SELECT pg_terminate_backend(pg_backend_pid())'
    await assert.rejects(pool.query({ text: kill }), isKind('retryable'))
    const { rows } = await pool.query<{ one: number }>({ text: 'SELECT 1::bigint AS one' })
    assert.deepEqual(rows, [{ one: 1 }])
    assert.deepEqual(pool.figures(), { size: 8, inUse: 0, idle: 1, waiting: 0 })
  })

  test('who finds no free connection in time is told so, by the name of the bound', async t => {
    const pool = await testPool(t, { poolSize: 1, connectTimeoutMs: 500 })
    await pool.with(async () => {
      await assert.rejects(
        pool.query({ text: 'SELECT 1' }),
        (error: WeirError) => error.kind === 'overloaded' && error.limit === 'postgres.poolSize',
      )
    })
    await pool.query({ text: 'SELECT 1' })
  })

  test('a statement that takes too long is broken off', async t => {
    const pool = await testPool(t, { statementTimeoutMs: 20 })
    await assert.rejects(pool.query({ text: 'SELECT pg_sleep(60)' }), isKind('retryable'))
    assert.equal(pool.figures().idle, 1)
  })

  test('a transaction that fails leaves nothing, and its connection is used again', async t => {
    const pool = await testPool(t, { poolSize: 1 })
    await pool.query({ text: `CREATE SCHEMA ${pool.schema}` })
    await pool.query({ text: 'CREATE TABLE seen (id int PRIMARY KEY)' })
    const insert = { text: 'INSERT INTO seen VALUES (1)' }
    const twice = pool.transaction(async client => {
      await client.query(insert)
      await client.query(insert)
    })
    await assert.rejects(twice, isKind('conflict'))
    const { rows } = await pool.query({ text: 'SELECT * FROM seen' })
    assert.deepEqual(rows, [])
  })

  test('two transactions that block each other both succeed', async t => {
    const pool = await testPool(t)
    await pool.query({ text: `CREATE SCHEMA ${pool.schema}` })
    await pool.query({ text: 'CREATE TABLE pair AS SELECT id FROM generate_series(1, 2) id' })
    let began = 0
    let go: () => void = () => undefined
    const both = new Promise<void>(resolve => (go = resolve))
    const lock = (first: number, second: number): Promise<void> =>
      pool.transaction(async client => {
        await client.query('UPDATE pair SET id = id WHERE id = $1', [first])
        if (++began === 2) go()
        await both
        await client.query('UPDATE pair SET id = id WHERE id = $1', [second])
      })
    await Promise.all([lock(1, 2), lock(2, 1)])
    // The one that is broken off may meet the other one again.
    assert.ok(began > 2)
  })

  test('a single statement that blocks a transaction, and is blocked by it, is run again', async t => {
    const pool = await testPool(t)
    await pool.query({ text: `CREATE SCHEMA ${pool.schema}` })
    await pool.query({
      text: 'CREATE TABLE pair AS SELECT id, 0 AS n FROM generate_series(1, 2) id',
    })
    const waiting = `SELECT FROM pg_locks WHERE NOT granted AND pid IN (
      SELECT pid FROM pg_stat_activity WHERE query LIKE 'UPDATE pair%')`
    let updating: Promise<unknown> | undefined
    await pool.transaction(async client => {
      await client.query('UPDATE pair SET n = n + 1 WHERE id = 2')
      if (updating === undefined) {
        // It has row 1 and waits for row 2. Who has waited longer looks for a deadlock first, and is broken off.
        updating = pool.query({ text: 'UPDATE pair SET n = n + 1' })
        updating.catch(() => undefined)
        await until('it to wait', async () => (await pool.query({ text: waiting })).rowCount > 0)
      }
      await client.query('UPDATE pair SET n = n + 1 WHERE id = 1')
    })
    await updating
    const { rows } = await pool.query({ text: 'SELECT id, n FROM pair ORDER BY id' })
    assert.deepEqual(rows, [
      { id: 1, n: 2 },
      { id: 2, n: 2 },
    ])
  })

  test('rows are copied in, and a copy that fails leaves the connection usable', async t => {
    const pool = await testPool(t, { poolSize: 1 })
    await pool.query({ text: `CREATE SCHEMA ${pool.schema}` })
    await pool.query({ text: 'CREATE TABLE seen (id int PRIMARY KEY)' })
    const copy = (text: string): Promise<number> =>
      pool.with(client => copyIn(client, 'COPY seen FROM STDIN', Buffer.from(text)))
    assert.equal(await copy('1\n2\n3\n'), 3)
    await assert.rejects(copy('4\n1\n'), isKind('conflict'))
    await assert.rejects(copy('no number\n'), isKind('rejected'))
    assert.equal(await copy('4\n'), 1)
  })

  test('an answer beyond its bound is not kept, and leaves the connection usable', async t => {
    const pool = await testPool(t, { poolSize: 1 })
    const some = 'SELECT i FROM generate_series(1, 10000) i'
    const refusal = (): Error => new WeirError('rejected', 'too much', { limit: 'a.limit' })
    await assert.rejects(copyOut(pool, some, { maxBytes: 1000, refusal }), { limit: 'a.limit' })
    assert.equal((await copyOut(pool, some, { maxBytes: 1 << 20, refusal })).length, 10_000)
    assert.equal((await copyOut(pool, some)).length, 10_000)
  })

  test('what was called before a close is answered, whether it has a connection or waits', async t => {
    const pool = await testPool(t, { poolSize: 2, connectTimeoutMs: 600_000 })
    await pool.query({ text: 'SELECT 1' })
    const calls = [1, 2, 3, 4].map(() => pool.query({ text: 'SELECT 1' }))
    await pool.close()
    assert.equal((await Promise.all(calls)).length, 4)
  })

  test('of processes that start at once one migrates, and each step is run once', async t => {
    const schema = `test_migrate_${process.pid}`
    const pools = await Promise.all([1, 2, 3, 4].map(() => PostgresPool.open(poolOptions(schema))))
    t.after(async () => {
      await pools[0].query({ text: `DROP SCHEMA ${schema} CASCADE` })
      await Promise.all(pools.map(pool => pool.close()))
    })
    const steps = [
      { name: 'first', up: 'CREATE TABLE runs (step int)' },
      { name: 'second', up: 'INSERT INTO runs VALUES (2)' },
    ]
    const all = (migrations: typeof steps): Promise<void[]> =>
      Promise.all(pools.map(pool => migrate(pool, { part: 'store', migrations })))
    await all(steps)
    await all([...steps, { name: 'third', up: 'INSERT INTO runs VALUES (3)' }])
    const { rows } = await pools[0].query<number[]>({
      text: 'SELECT step FROM runs ORDER BY step',
      rowMode: 'array',
    })
    assert.deepEqual(rows, [[2], [3]])
    // An older Weir does not touch what a newer one made.
    await assert.rejects(all(steps), isKind('config'))
  })
})
