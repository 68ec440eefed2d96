import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { labWorkload } from '../../../test/fixtures/lab-workload.ts'
import { NO_POSTGRES } from '../../../test/fixtures/postgres.ts'
import { postgresServer } from '../../../test/fixtures/servers.ts'
import { until } from '../../../test/fixtures/until.ts'
import { lastFirst, type Lifetime } from '../../../test/fixtures/weir-process.ts'
import { processStart } from '../../provide/process-start.ts'
import { PostgresPool } from '../../postgres/postgres-pool.ts'
import type { LoadResult } from '../generator/load.ts'
import { startProbes } from '../probes/probes.ts'
import { openHouse } from './house.ts'
import { HttpClient } from './http-client.ts'
import { readLedger } from './ledger.ts'
import { HAS_PROC } from './process-tree.ts'
import type { Solution } from './solution.ts'
import type { SystemHouse, SystemUnderTest } from './system.ts'

const LIMIT = { timeout: 180_000 }
const workload = labWorkload(20, 30)
const HISTORY = 20 * 2 * 30

/** A file by its relative path, as people name theirs. */
const topology = relative(
  process.cwd(),
  join(import.meta.dirname, '../../../topologies/embedded.yaml'),
)
const embedded: Solution = { id: 'embedded', topology, flags: [], summary: 'alone' }
const onPostgres = (id: string): Solution => ({
  ...{ id, topology: id, summary: 'on the database of the tests' },
  flags: [`--postgres.url=${postgresServer().address}`],
})

interface Opened {
  readonly house: SystemHouse
  readonly directory: string
  readonly reports: readonly string[]
}

async function open(lifetime: Lifetime, solutions: readonly Solution[]): Promise<Opened> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-lab-'))
  lifetime.after(() => rmSync(directory, { recursive: true, force: true }))
  const reports: string[] = []
  const report = (line: string): void => void reports.push(line)
  const house = await openHouse({ directory, report, solutions })
  lifetime.after(() => house.close())
  return { house, directory, reports }
}

/** As a generator does, for so long. Resolves with its result. */
async function load(system: SystemUnderTest, forMs: number): Promise<LoadResult> {
  const client = new HttpClient(system.url)
  const startedMs = Date.now()
  let acknowledgedPoints = 0
  for (let i = 0; i < 60 || Date.now() - startedMs < forMs; i++) {
    const body = { device_id: 'device-00003', timestamp: startedMs + i, data: { temperature: i } }
    const { status } = await client.send('POST', '/api/v1/telemetry', { body })
    assert.equal(status, 200)
    acknowledgedPoints++
  }
  client.close()
  const times = { startedAt: new Date(startedMs).toISOString(), measuredMs: Date.now() - startedMs }
  return { ...times, acknowledgedPoints, uncertainPoints: 0 } as unknown as LoadResult
}

test(
  'every start is a fresh node with its history, which the probes can look at',
  LIMIT,
  async context => {
    const t = lastFirst(context)
    const { house, directory } = await open(t, [embedded])
    for (const seed of [1, 2]) {
      const system = await house.start(embedded, workload, seed)
      const client = new HttpClient(system.url)
      const { stored, received } = await readLedger(client)
      assert.deepEqual([stored, received], [HISTORY, HISTORY])
      const probes = await startProbes(system, { workload, seed, warmUpMs: 0 })
      const figures = await probes.finish(await load(system, 0), {
        drainLimitMs: 10_000,
        counts: true,
      })
      const { ledger } = figures
      assert.deepEqual(ledger.problems, [])
      assert.equal(ledger.stored, ledger.acknowledged)
      assert.equal(ledger.counted, ledger.acknowledged)
      assert.ok(figures.diskBytes > 0)
      if (HAS_PROC) {
        assert.deepEqual(
          system.processes().map(({ role }) => role),
          ['api'],
        )
        assert.equal(probes.latest()!.memoryBytes.api! > 10_000_000, true)
      }
      assert.equal(system.failure!(), undefined)
      await system.stop()
      client.close()
      await assert.rejects(fetch(system.url))
      assert.match(system.failure!()!, /ended/)
    }
    await house.close()
    assert.deepEqual(readdirSync(directory), [])
  },
)

test(
  'on PostgreSQL every start has a database of its own, gone afterwards',
  { ...LIMIT, skip: NO_POSTGRES },
  async context => {
    const t = lastFirst(context)
    const solutions = [onPostgres('baseline'), onPostgres('tune')]
    const { house, reports } = await open(t, solutions)
    assert.deepEqual(await house.missing(solutions), new Map())
    const names = new Set<string>()
    for (const solution of solutions) {
      const system = await house.start(solution, workload, 3)
      names.add(system.databaseName!)
      const probes = await startProbes(system, { workload, seed: 3, warmUpMs: 0 })
      // The database tells its counts a second late.
      const sent = await load(system, 3000)
      const figures = await probes.finish(sent, { drainLimitMs: 10_000, counts: true })
      assert.deepEqual(figures.ledger.problems, [])
      assert.equal(figures.ledger.counted, figures.ledger.acknowledged)
      assert.ok(figures.database!.connectionsMax > 0)
      assert.ok(figures.database!.rowsWrittenPerSecond > 0)
      // The pool of `tune` is sized to the machine, as docs/guides/postgresql.md says.
      const sized = Math.min(32, Math.max(4, 2 * availableParallelism() + 1))
      assert.equal(figures.node.poolSize, solution.id === 'tune' ? sized : 15)
      const roles = new Set(system.processes().map(({ role }) => role))
      if (HAS_PROC) assert.deepEqual([...roles].sort(), ['api', 'database'])
      await system.stop()
    }
    assert.equal(names.size, 2)
    await house.close()
    const url = postgresServer().address
    const pool = await PostgresPool.open({
      ...{ url, schema: 'weir', poolSize: 1, connectTimeoutMs: 10_000 },
      ...{ idleTimeoutMs: 10_000, statementTimeoutMs: 60_000 },
    })
    const text = 'SELECT FROM pg_database WHERE datname = ANY($1)'
    assert.equal((await pool.query({ text, values: [[...names]] })).rowCount, 0)
    await pool.close()
    assert.deepEqual(
      reports.filter(line => line.startsWith('left behind')),
      [],
    )
  },
)

test('what cannot run here is said, and the others run', LIMIT, async context => {
  const t = lastFirst(context)
  const nowhere = '--postgres.url=postgres://weir@127.0.0.1:1/weir'
  const solutions: Solution[] = [
    embedded,
    { id: 'away', topology: 'baseline', flags: [nowhere], summary: '' },
    { id: 'unknown', topology: 'no-such', flags: [], summary: '' },
    { id: 'wrong', topology: 'embedded', flags: ['--store.headBytes=x'], summary: '' },
  ]
  const { house } = await open(t, solutions)
  const missing = await house.missing(solutions)
  assert.deepEqual([...missing.keys()], ['away', 'unknown', 'wrong'])
  assert.match(missing.get('away')!, /127\.0\.0\.1:1|ECONNREFUSED/)
  assert.match(missing.get('unknown')!, /no topology or file no-such/)
  assert.match(missing.get('wrong')!, /store\.headBytes/)
  await assert.rejects(house.start(solutions[1], workload, 1), /127\.0\.0\.1:1|ECONNREFUSED/)
})

test(
  'a database that acknowledges before it has written is not compared with',
  { ...LIMIT, skip: NO_POSTGRES },
  async context => {
    const t = lastFirst(context)
    const url = `${postgresServer().address}?options=-c%20synchronous_commit%3Doff`
    const solution = { ...onPostgres('baseline'), flags: [`--postgres.url=${url}`] }
    const { house } = await open(t, [solution])
    const missing = await house.missing([solution])
    assert.match(missing.get('baseline')!, /synchronous_commit = off/)
  },
)

test('a node that does not start is told in its own words', LIMIT, async context => {
  const t = lastFirst(context)
  const { house } = await open(t, [])
  const flags = ['--mqtt.tls.certFile=/nowhere.pem', '--mqtt.tls.keyFile=/nowhere.key']
  const solution = { ...embedded, id: 'broken', flags }
  await assert.rejects(
    house.start(solution, workload, 1),
    /weir up ended \(exit code \d+\):.*nowhere/s,
  )
})

test(
  'what ran ends with a lab that is killed, and the next one removes its data',
  LIMIT,
  async context => {
    const t = lastFirst(context)
    const directory = mkdtempSync(join(tmpdir(), 'weir-lab-'))
    t.after(() => rmSync(directory, { recursive: true, force: true }))
    const lab = spawn(process.execPath, ['--input-type=module', '-e', LAB, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => void lab.kill('SIGKILL'))
    const [line] = (await once(lab.stdout, 'data')) as [Buffer]
    const { url, pids } = JSON.parse(line.toString()) as { url: string; pids: number[] }
    assert.equal((await fetch(`${url}/ready`)).status, 200)
    lab.kill('SIGKILL')
    await until('the node has ended', () => pids.every(pid => processStart(pid) === undefined))
    assert.match(readdirSync(directory).join(), /^system-\d+-\d+$/)
    mkdirSync(join(directory, 'blocks'))
    const house = await openHouse({ directory, report() {}, solutions: [] })
    await house.close()
    assert.deepEqual(readdirSync(directory), ['blocks'])
  },
)

/** A process that has an embedded node in the folder it is given, until it is killed. */
const LAB = `
  import { openHouse } from ${JSON.stringify(join(import.meta.dirname, 'house.ts'))}
  const solution = ${JSON.stringify(embedded)}
  const [directory] = process.argv.slice(1)
  const house = await openHouse({ directory, report() {}, solutions: [solution] })
  const { url, processes } = await house.start(solution, ${JSON.stringify(workload)}, 1)
  console.log(JSON.stringify({ url, pids: processes().map(({ pid }) => pid) }))
`
