import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { Admin } from '@platformatic/kafka'
import { Redis } from 'ioredis'
import { labWorkload } from '../../../test/fixtures/lab-workload.ts'
import {
  kafkaServer,
  natsServer,
  postgresServer,
  redisServer,
} from '../../../test/fixtures/servers.ts'
import { lastFirst, type Lifetime } from '../../../test/fixtures/weir-process.ts'
import type { LoadResult } from '../generator/load.ts'
import { startProbes } from '../probes/probes.ts'
import { openHouse } from './house.ts'
import { HttpClient } from './http-client.ts'
import { HAS_PROC } from './process-tree.ts'
import type { Solution } from './solution.ts'

const workload = labWorkload(20, 5)

/** Runs a step of the solution, as a lab does; the roles of its processes. */
async function step(lifetime: Lifetime, solution: Solution): Promise<string[]> {
  const t = lastFirst(lifetime)
  const directory = mkdtempSync(join(tmpdir(), 'weir-lab-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const reports: string[] = []
  const report = (line: string): void => void reports.push(line)
  const house = await openHouse({ directory, report, solutions: [solution] })
  t.after(() => house.close())
  const system = await house.start(solution, workload, 1)
  const probes = await startProbes(system, { workload, seed: 1, warmUpMs: 0 })
  const startedMs = Date.now()
  const client = new HttpClient(system.url)
  for (let i = 0; i < 40; i++) {
    const body = { device_id: 'device-00003', timestamp: startedMs + i, data: { temperature: i } }
    assert.equal((await client.send('POST', '/api/v1/telemetry', { body })).status, 200)
    await client.get('/api/v1/telemetry/device-00003?limit=1')
  }
  client.close()
  const load = {
    ...{ startedAt: new Date(startedMs).toISOString(), measuredMs: Date.now() - startedMs },
    ...{ acknowledgedPoints: 40, uncertainPoints: 0 },
  } as unknown as LoadResult
  const figures = await probes.finish(load, { drainLimitMs: 60_000, counts: true })
  assert.deepEqual(figures.ledger.problems, [])
  assert.equal(figures.ledger.counted, figures.ledger.acknowledged)
  assert.ok(figures.backlog.drainedMs !== undefined)
  assert.ok((figures.node.poolSize ?? 0) > 0)
  const roles = new Set<string>(system.processes().map(({ role }) => role))
  await system.stop()
  await house.close()
  assert.deepEqual(
    reports.filter(line => line.startsWith('left behind')),
    [],
  )
  return [...roles].sort()
}

function skipWithout(...servers: readonly { readonly skip: string | false }[]): string | false {
  return servers.find(({ skip }) => skip !== false)?.skip ?? false
}

const solution = (topology: string, ...flags: string[]): Solution => ({
  ...{ id: topology, topology, summary: 'on the servers of the tests' },
  flags: [`--postgres.url=${postgresServer().address}`, ...flags],
})

test(
  'a cluster has a topic and keys of its own, gone after it',
  { timeout: 240_000, skip: skipWithout(postgresServer(), kafkaServer(), redisServer()) },
  async t => {
    const redis = new Redis(redisServer().address)
    t.after(() => redis.disconnect())
    const bootstrapBrokers = kafkaServer().address.split(',')
    const admin = new Admin({ clientId: 'weir-test', bootstrapBrokers })
    t.after(() => admin.close())
    const roles = await step(
      t,
      solution(
        'cluster',
        ...[`--kafka.brokers=${kafkaServer().address}`, '--kafka.partitions=2'],
        `--redis.url=${redisServer().address}`,
      ),
    )
    const all = ['api', 'cache', 'consumer', 'database', 'queue', 'supervisor']
    if (HAS_PROC) assert.deepEqual(roles, all)
    const isOurs = (name: string): boolean => name.startsWith(`weir_lab_${process.pid}_`)
    assert.deepEqual((await admin.listTopics()).filter(isOurs), [])
    assert.deepEqual(await redis.keys(`weir_lab_${process.pid}_*`), [])
  },
)

test(
  'a queue on NATS has streams of its own, gone after it',
  { timeout: 240_000, skip: skipWithout(postgresServer(), natsServer()) },
  async t => {
    const { address } = natsServer()
    const flags = ['--log.engine=nats', `--nats.servers=${address}`, '--nats.partitions=2']
    const roles = await step(t, solution('queue', ...flags))
    const all = ['api', 'consumer', 'database', 'queue', 'supervisor']
    if (HAS_PROC) assert.deepEqual(roles, all)
    const { host, username, password } = new URL(address)
    const connection = await connect({ servers: host, user: username, pass: password })
    t.after(() => connection.close())
    const names: string[] = []
    const manager = await jetstreamManager(connection)
    for await (const name of manager.streams.names()) names.push(name)
    assert.deepEqual(
      names.filter(name => name.startsWith(`weir_lab_${process.pid}_`)),
      [],
    )
  },
)
