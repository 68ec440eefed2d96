import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig, type ConfigOutcome } from './load.ts'
import { withoutSecrets } from './secrets.ts'

function load(env: Readonly<Record<string, string>>): ConfigOutcome {
  return loadConfig({ flags: [], env, cwd: '/' })
}

function good(env: Readonly<Record<string, string>>) {
  const outcome = load(env)
  assert.ok('config' in outcome, JSON.stringify(outcome))
  return outcome.config
}

test('servers are given by address, several of them as a list or with commas', () => {
  const config = good({
    WEIR_POSTGRES_URL: 'postgresql:///weir?host=/run/postgresql',
    WEIR_REDIS_URL: 'rediss://:hush@cache:6379/2',
    WEIR_KAFKA_BROKERS: 'one:9092, [::1]:9093',
    WEIR_NATS_SERVERS: '["one:4222", "tls://user:hush@two:4222"]',
  })
  assert.equal(config.postgres.url, 'postgresql:///weir?host=/run/postgresql')
  assert.equal(config.redis.url, 'rediss://:hush@cache:6379/2')
  assert.deepEqual(config.kafka.brokers, ['one:9092', '[::1]:9093'])
  assert.deepEqual(config.nats.servers, ['one:4222', 'tls://user:hush@two:4222'])
  assert.deepEqual(good({ WEIR_KAFKA_BROKERS: 'one:9092' }).kafka.brokers, ['one:9092'])
  assert.deepEqual(good({ WEIR_NATS_SERVERS: 'one:4222' }).nats.servers, ['one:4222'])
})

test('no address is the default, and is shown as such', () => {
  const { postgres, redis, kafka, nats } = good({})
  assert.deepEqual([postgres.url, redis.url, kafka.brokers, nats.servers], ['', '', [], []])
  const shown = withoutSecrets({ postgres, redis, kafka, nats })
  assert.deepEqual(shown, { postgres, redis, kafka, nats })
})

test('a password in an address is shown nowhere, right or wrong', () => {
  const { postgres, redis, nats } = good({
    WEIR_POSTGRES_URL: 'postgres://user:hush@db/weir',
    WEIR_REDIS_URL: 'redis://:hush@cache',
    WEIR_NATS_SERVERS: 'nats://user:hush@one',
  })
  assert.doesNotMatch(JSON.stringify(withoutSecrets({ postgres, redis, nats })), /hush/)
  const wrong: [variable: string, value: string, reason: RegExp][] = [
    ['WEIR_POSTGRES_URL', 'mysql://user:hush@db', /postgres:\/\/ or postgresql:\/\//],
    ['WEIR_POSTGRES_URL', 'user:hush@db:5432', /does not begin with|is no url/],
    ['WEIR_POSTGRES_URL', 'postgres://', /names no host/],
    ['WEIR_REDIS_URL', 'http://:hush@cache', /redis:\/\/ or rediss:\/\//],
    ['WEIR_NATS_SERVERS', 'hush', /is no url/],
    ['WEIR_NATS_SERVERS', 'one:4222,', /must not be empty/],
    ['WEIR_NATS_SERVERS', '{hush: 1}', /is not a list/],
    ['WEIR_KAFKA_BROKERS', 'kafka://one:9092', /is not HOST:PORT/],
  ]
  for (const [variable, value, reason] of wrong) {
    const outcome = load({ [variable]: value })
    assert.ok('problems' in outcome, value)
    assert.equal(outcome.problems.length, 1, value)
    assert.match(outcome.problems[0].message, reason)
    assert.doesNotMatch(JSON.stringify(outcome.problems), /hush/)
  }
})
