import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { catalogContract } from '../catalog.contract.ts'
import { aDevice } from '../catalog.fixture.ts'
import { openDatabase, transaction } from './database.ts'
import { APPLICATION_ID, SCHEMA_VERSION } from './migrations.ts'
import { openSqliteCatalog } from './sqlite-catalog.ts'
import { sqliteError } from './sqlite-error.ts'

catalogContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-catalog-'))
  return {
    open: () => openSqliteCatalog({ path: join(folder, 'catalog.db') }),
    cleanUp: () => rm(folder, { recursive: true }),
  }
})

/** The tables as the first version made them. */
const FIRST_SCHEMA = `
  CREATE TABLE device (tenant TEXT NOT NULL, id TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT,
    type TEXT, product TEXT, site TEXT, attributes TEXT NOT NULL, expected_interval_ms REAL,
    created_at_ms REAL NOT NULL, last_seen_ms REAL, PRIMARY KEY (tenant, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE product (tenant TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, price REAL,
    attributes TEXT NOT NULL, expected_interval_ms REAL, created_at_ms REAL NOT NULL,
    PRIMARY KEY (tenant, id)
  ) STRICT, WITHOUT ROWID`

async function aPath(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-catalog-'))
  context.after(() => rm(folder, { recursive: true }))
  return join(folder, 'catalog.db')
}

test('commits wait for the disk, except where they are told not to', async context => {
  const db = await openDatabase(await aPath(context))
  const synchronous = (): unknown => db.prepare('PRAGMA synchronous').get()?.synchronous
  const journal = db.prepare('PRAGMA journal_mode').get()?.journal_mode
  assert.equal(journal, 'wal')
  const FULL = 2
  const NORMAL = 1
  assert.equal(synchronous(), FULL)
  transaction(db, true, () => assert.equal(synchronous(), FULL))
  transaction(db, false, () => assert.equal(synchronous(), NORMAL))
  assert.equal(synchronous(), FULL)
  const failing = (): void => {
    throw new Error('in the middle')
  }
  assert.throws(() => transaction(db, false, failing), /in the middle/)
  assert.equal(synchronous(), FULL)
  assert.equal(db.isTransaction, false)
  db.close()
})

test('a catalog of a newer Weir is refused, named, and left alone', async context => {
  const path = await aPath(context)
  await (await openSqliteCatalog({ path })).close()
  const newer = new DatabaseSync(path)
  newer.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}; CREATE TABLE of_the_future (a)`)
  newer.close()
  await assert.rejects(openSqliteCatalog({ path }), {
    kind: 'config',
    message: new RegExp(`newer Weir \\(schema ${SCHEMA_VERSION + 1}`),
  })
  const after = new DatabaseSync(path)
  assert.equal(after.prepare('PRAGMA user_version').get()?.user_version, SCHEMA_VERSION + 1)
  after.close()
})

test('a catalog of the first version is brought up to date, with all that it holds', async context => {
  const path = await aPath(context)
  const first = new DatabaseSync(path)
  first.exec(FIRST_SCHEMA)
  first.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1`)
  first.exec(`INSERT INTO product VALUES ('t', 'p', 'P', 2.5, '{"a":1}', 100, 1)`)
  first.exec(`INSERT INTO device VALUES ('t', 'd', 'u', NULL, NULL, 'p', NULL, '{}', NULL, 1, 2)`)
  first.close()
  const catalog = await openSqliteCatalog({ path })
  const declared = { price: 2.5, attributes: { a: 1 }, expectedIntervalMs: 100, createdAtMs: 1 }
  const rest = { metrics: {}, onViolation: 'flag' }
  assert.deepEqual(await catalog.products(), [
    { tenant: 't', id: 'p', name: 'P', ...declared, ...rest },
  ])
  assert.deepEqual(await catalog.removals(), [])
  assert.equal(await catalog.deleteDevice('t', 'd', 3), true)
  await catalog.close()
})

test('what is no catalog is refused: another database, another file, no folder', async context => {
  const path = await aPath(context)
  const other = new DatabaseSync(path)
  other.exec('CREATE TABLE somebody_elses (a)')
  other.close()
  await assert.rejects(openSqliteCatalog({ path }), { kind: 'config', message: /not a catalog/ })
  await writeFile(
    `${path}.txt`,
    'this is text, and long enough to be read as a header\n'.repeat(99),
  )
  await assert.rejects(openSqliteCatalog({ path: `${path}.txt` }), { kind: 'config' })
  await assert.rejects(openSqliteCatalog({ path: join(path, 'no', 'folder') }), { kind: 'config' })
})

test('of processes that start at once on a new file, all find one schema', async context => {
  const path = await aPath(context)
  const engine = new URL('sqlite-catalog.ts', import.meta.url).href
  const script = `
    const { openSqliteCatalog } = await import(${JSON.stringify(engine)})
    process.stdout.write('ready')
    await new Promise(resolve => process.stdin.once('data', resolve))
    const catalog = await openSqliteCatalog({ path: ${JSON.stringify(path)} })
    await catalog.createProduct({ tenant: 't', id: String(process.pid), name: 'n',
      attributes: {}, metrics: {}, onViolation: 'flag', createdAtMs: 1 })
    await catalog.close()
    process.exit(0)`
  const children = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  )
  await Promise.all(children.map(child => once(child.stdout, 'data')))
  const exits = children.map(child => once(child, 'exit'))
  for (const child of children) child.stdin.end('go')
  for (const exit of exits) assert.deepEqual(await exit, [0, null])
  const catalog = await openSqliteCatalog({ path })
  assert.equal((await catalog.products()).length, children.length)
  await catalog.close()
})

test('opening waits for a process that holds a new file', async context => {
  const path = await aPath(context)
  const other = new DatabaseSync(path)
  other.exec('BEGIN EXCLUSIVE; CREATE TABLE half_done (a)')
  const opening = openSqliteCatalog({ path })
  other.exec('ROLLBACK')
  other.close()
  const catalog = await opening
  await catalog.addDevices([aDevice()])
  await catalog.close()
})

test('a locked file is retryable, and works when the lock is gone', async context => {
  const path = await aPath(context)
  const catalog = await openSqliteCatalog({ path })
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  await assert.rejects(catalog.addDevices([aDevice()]), { kind: 'retryable' })
  other.exec('ROLLBACK')
  await catalog.addDevices([aDevice()])
  other.close()
  await catalog.close()
})

test('a full disk is retryable with its code, and a failed fsync is final', async context => {
  const db = await openDatabase(await aPath(context))
  db.exec('CREATE TABLE filler (a); PRAGMA max_page_count = 20')
  const fill = (): void => {
    transaction(db, true, () => {
      for (let i = 0; i < 100; i++) db.exec('INSERT INTO filler VALUES (randomblob(4000))')
    })
  }
  assert.throws(
    () => {
      try {
        fill()
      } catch (error) {
        throw sqliteError(error, 'fill')
      }
    },
    { kind: 'retryable', code: 'disk_full' },
  )
  assert.equal(db.isTransaction, false)
  assert.equal(db.prepare('SELECT count(*) AS n FROM filler').get()?.n, 0)
  db.close()
  // SQLITE_IOERR_FSYNC; a disk that fails this way cannot be made here.
  assert.equal(sqliteError({ errcode: 10 | (4 << 8) }, 'commit').kind, 'closed')
  assert.equal(sqliteError({ errcode: 10 | (3 << 8) }, 'commit').kind, 'retryable')
})
