import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { natsServer, redisServer } from '../../test/fixtures/servers.ts'
import type { Lifetime } from '../../test/fixtures/weir-process.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { provideServers, reachServers, stopServers } from '../provide/provide-servers.ts'
import { isRunning, readState } from '../provide/server-state.ts'
import { lockDataFolder } from './data-lock.ts'
import { atServers } from './servers.ts'

const LIMIT = { timeout: 120_000, skip: redisServer().skip || natsServer().skip }
const quiet = { report() {} }

function configOf(lifetime: Lifetime, env: Record<string, string> = {}): Config {
  const data = mkdtempSync(join(tmpdir(), 'weir-provide-'))
  lifetime.after(() => rmSync(data, { recursive: true, force: true }))
  const outcome = loadConfig({ flags: [{ flag: 'data', value: data }], env, cwd: '/' })
  assert.ok('config' in outcome)
  return outcome.config
}

test('nothing is started for engines of this process, or where addresses are given', async t => {
  const config = configOf(t, { WEIR_REDIS_URL: 'redis://far', WEIR_NATS_SERVERS: 'far:4222' })
  assert.deepEqual(await provideServers(config, quiet), { config, servers: [] })
  const engines = ['redis', 'nats', 'embedded', 'blocks']
  assert.deepEqual(await provideServers(config, { ...quiet, engines }), { config, servers: [] })
  assert.deepEqual(readdirSync(config.data), [])
})

test(
  'what has no address is started in the data folder, and others find it there',
  LIMIT,
  async t => {
    const config = configOf(t)
    const engines = ['tiered', 'nats']
    assert.equal(await reachServers(config, engines), undefined)
    const provided = await provideServers(config, { ...quiet, engines })
    t.after(() => stopServers(provided.servers))
    const [redis, nats] = provided.servers
    assert.deepEqual([redis.name, nats.name], ['Redis', 'NATS'])
    assert.equal(redis.directory, join(config.data, 'redis'))
    assert.equal(provided.config.redis.url, redis.address)
    assert.deepEqual(provided.config.nats.servers, [nats.address])
    assert.deepEqual(await reachServers(config, engines), provided.config)
    await stopServers(provided.servers)
    assert.equal(await reachServers(config, engines), undefined)
  },
)

test('where one cannot be had, none is left running', LIMIT, async t => {
  const config = configOf(t, { WEIR_KAFKA_HOME: '/nowhere' })
  const wanted = { ...quiet, engines: ['redis', 'kafka'] }
  await assert.rejects(provideServers(config, wanted), { name: 'WeirError', kind: 'config' })
  const state = readState(join(config.data, 'redis'))
  assert.ok(state === undefined || !isRunning(state))
})

test(
  'a command uses the servers of the node that runs, or else some of its own',
  LIMIT,
  async t => {
    const config = configOf(t)
    const engines = ['redis']
    const urlOf = async ({ redis }: Config): Promise<string> => redis.url
    const own = await atServers(config, engines, urlOf)
    assert.match(own, /^redis:/)
    assert.equal(await reachServers(config, engines), undefined)
    // A node that has the folder and is about to start them.
    const lock = lockDataFolder(config.data)
    t.after(() => lock.release())
    const asking = atServers(config, engines, urlOf)
    const { servers } = await provideServers(config, { ...quiet, engines })
    try {
      assert.equal(await asking, servers[0].address)
      assert.equal(await atServers(config, engines, urlOf), servers[0].address)
    } finally {
      await stopServers(servers)
    }
    const failing = new Error('its own')
    await assert.rejects(
      atServers(
        { ...config, redis: { ...config.redis, url: 'redis://far' } },
        engines,
        async () => {
          throw failing
        },
      ),
      failing,
    )
  },
)
