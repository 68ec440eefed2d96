import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from './schema.ts'
import { plannedServers } from './server-plan.ts'

function configOf(
  engines: string[],
  addresses: { postgres?: string; redis?: string } = {},
): Config {
  const [log, store, catalog, cache] = engines.map(engine => ({ engine }))
  return {
    ...{ log, store, catalog, cache },
    postgres: { url: addresses.postgres ?? '' },
    redis: { url: addresses.redis ?? '' },
    kafka: { brokers: ['one:9092', 'two:9092'] },
    nats: { servers: ['nats://me:secret@three:4222', 'four:4222'] },
  } as unknown as Config
}

test('the embedded engines need no server', () => {
  assert.deepEqual(plannedServers(configOf(['embedded', 'blocks', 'sqlite', 'memory'])), [])
})

test('servers are named once, where they are, and never with a password', () => {
  const postgres = 'postgres://weir:secret@db.example.org:5433/plant?sslmode=require'
  const engines = ['kafka', 'postgres', 'postgres', 'tiered']
  assert.deepEqual(
    plannedServers(configOf(engines, { postgres, redis: 'redis://:secret@r:1/2' })),
    [
      { name: 'kafka', addresses: ['one:9092', 'two:9092'] },
      { name: 'postgres', addresses: ['db.example.org:5433/plant'] },
      { name: 'redis', addresses: ['r:1/2'] },
    ],
  )
  assert.deepEqual(plannedServers(configOf(['nats', 'blocks', 'postgres', 'memory'])), [
    { name: 'nats', addresses: ['three:4222', 'four:4222'] },
    { name: 'postgres', addresses: [] },
  ])
})

test('a server at a socket of this machine is named by its folder', () => {
  const config = configOf(['none', 'postgres', 'sqlite', 'memory'], {
    postgres: 'postgres:///weir?host=/run/postgresql',
  })
  assert.deepEqual(plannedServers(config)[0].addresses, ['/run/postgresql/weir'])
})
