import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { noProgram } from '../../test/fixtures/no-program.ts'
import {
  kafkaServer,
  natsServer,
  ownKafka,
  ownNats,
  ownPostgres,
  ownRedis,
  postgresServer,
  redisServer,
  type OwnServer,
} from '../../test/fixtures/servers.ts'
import type { Lifetime } from '../../test/fixtures/weir-process.ts'
import { askPort } from './ask-port.ts'
import { processStart } from './process-start.ts'

// Each server through its life, by the fixture that other tests use.

const LIMIT = { timeout: 300_000 }

interface Case {
  readonly name: string
  readonly skip: string | false
  readonly start: (lifetime: Lifetime) => Promise<OwnServer>
  readonly ends?: readonly ('stop' | 'kill')[]
}

const CASES: readonly Case[] = [
  { name: 'PostgreSQL', skip: postgresServer().skip, start: ownPostgres },
  { name: 'Redis', skip: redisServer().skip, start: ownRedis },
  { name: 'NATS', skip: natsServer().skip, start: ownNats },
  // Each start takes it seconds.
  { name: 'Kafka', skip: kafkaServer().skip, start: ownKafka, ends: ['kill'] },
]

for (const { name, skip, start, ends = ['stop', 'kill'] as const } of CASES) {
  test(
    `${name} is started again at its port after: ${ends.join(', ')}`,
    { ...LIMIT, skip },
    async t => {
      const server = await start(t)
      const { port, pid, address } = server
      for (const end of ends) {
        await server[end]()
        assert.equal(processStart(server.pid), undefined)
        await server.start()
        assert.notEqual(server.pid, pid)
        assert.deepEqual([server.port, server.address], [port, address])
      }
    },
  )
}

test(
  'a server that is paused answers nothing until it goes on',
  {
    ...LIMIT,
    skip: redisServer().skip,
  },
  async t => {
    const server = await ownRedis(t)
    const ask = () => askPort(server.port, 'PING\r\n', () => true)
    assert.match(String(await ask()), /NOAUTH/)
    server.pause()
    assert.equal(await ask(), undefined)
    server.resume()
    assert.match(String(await ask()), /NOAUTH/)
  },
)

const skip = postgresServer().skip || noProgram('psql')
test(
  'PostgreSQL keeps what it has committed, is durable, and asks for its password',
  {
    ...LIMIT,
    skip,
  },
  async t => {
    const server = await ownPostgres(t)
    const ask = (sql: string, address = server.address): string => {
      const { stdout, stderr } = spawnSync('psql', [address, '-Atc', sql], { encoding: 'utf8' })
      return `${stdout}${stderr}`.trim()
    }
    assert.equal(ask('CREATE TABLE kept AS SELECT 42 AS n'), 'SELECT 1')
    await server.kill()
    await server.start()
    assert.equal(ask('SELECT n FROM kept'), '42')
    for (const [name, value] of [
      ['fsync', 'on'],
      ['synchronous_commit', 'on'],
      ['server_encoding', 'UTF8'],
      ['shared_preload_libraries', 'pg_stat_statements'],
    ]) {
      assert.equal(ask(`SHOW ${name}`), value)
    }
    const wrong = new URL(server.address)
    wrong.password = 'wrong'
    assert.match(ask('SELECT 1', wrong.href), /password authentication failed/)
    server.pause()
    assert.match(ask('SELECT 1', `${server.address}?connect_timeout=2`), /timeout expired/)
    server.resume()
    assert.equal(ask('SELECT 1'), '1')
  },
)
