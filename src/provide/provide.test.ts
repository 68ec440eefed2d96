import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
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
import { processStart } from './process-start.ts'

interface Case {
  readonly name: string
  readonly skip: string | false
  readonly start: (lifetime: Lifetime) => Promise<OwnServer>
  /** Puts something in and takes it out again, as far as the server keeps things. */
  readonly keeps?: (server: OwnServer, action: 'put' | 'get') => string
}

function psql({ address }: Pick<OwnServer, 'address'>, statement: string): string {
  const { stdout, stderr } = spawnSync('psql', [address, '-Atc', statement], { encoding: 'utf8' })
  return `${stdout}${stderr}`.trim()
}

const CASES: readonly Case[] = [
  {
    ...{ name: 'PostgreSQL', skip: postgresServer().skip, start: ownPostgres },
    keeps: (server, action) =>
      action === 'put'
        ? psql(server, 'CREATE TABLE kept AS SELECT 42 AS n')
        : psql(server, 'SELECT n FROM kept').replace('42', 'kept'),
  },
  { name: 'Redis', skip: redisServer().skip, start: ownRedis },
  { name: 'NATS', skip: natsServer().skip, start: ownNats },
  { name: 'Kafka', skip: kafkaServer().skip, start: ownKafka },
]

for (const { name, skip, start, keeps } of CASES) {
  test(`${name}: stopped, killed and started again on its data`, { skip }, async t => {
    const server = await start(t)
    const { port, pid } = server
    keeps?.(server, 'put')
    await server.stop()
    assert.equal(processStart(pid), undefined)
    await server.start()
    assert.equal(server.port, port)
    if (keeps !== undefined) assert.equal(keeps(server, 'get'), 'kept')
    await server.kill()
    await server.start()
    assert.equal(server.port, port)
    if (keeps !== undefined) assert.equal(keeps(server, 'get'), 'kept')
  })
}
