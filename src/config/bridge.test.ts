import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from './load.ts'
import type { Problem } from './problem.ts'
import { formatProblems } from './problem.ts'
import type { Config } from './schema.ts'
import { withoutSecrets } from './secrets.ts'

const least = { name: 'plant', url: 'mqtt://broker:1883', clientId: 'weir-1' }

function load(bridges: unknown): ReturnType<typeof loadConfig> {
  const env = { WEIR_MQTT_BRIDGES: JSON.stringify(bridges) }
  return loadConfig({ flags: [], env, cwd: '/' })
}

function good(bridge: object): Config['mqtt']['bridges'][number] {
  const result = load([{ ...least, ...bridge }])
  if ('problems' in result) assert.fail(formatProblems(result.problems))
  return result.config.mqtt.bridges[0]
}

function bad(...bridges: object[]): readonly Problem[] {
  const result = load(bridges.map(bridge => ({ ...least, ...bridge })))
  assert.ok('problems' in result, 'expected problems')
  return result.problems
}

test('a bridge needs a name, a url and a client id; all else has a default', () => {
  assert.deepEqual(good({}), {
    ...least,
    version: 'v5',
    tls: { rejectUnauthorized: true },
    topics: [{ filter: 'devices/+/+' }, { filter: 'iot/data' }],
    qos: 1,
    retained: false,
    sessionExpiryMs: 7 * 86_400_000,
    keepAliveMs: 30_000,
    maxInFlightMessages: 2000,
  })
  const result = load([{}])
  assert.ok('problems' in result)
  assert.deepEqual(
    result.problems.map(({ path, message }) => `${path} ${message}`),
    ['name', 'url', 'clientId'].map(name => `mqtt.bridges[0].${name} is missing`),
  )
})

test('durations are read, and sections within take what is given', () => {
  const { sessionExpiryMs, tls } = good({
    ...{ url: 'mqtts://b', sessionExpiryMs: '1d' },
    tls: { caFile: 'ca.pem', alpn: 'x-amzn-mqtt-ca' },
  })
  assert.equal(sessionExpiryMs, 86_400_000)
  assert.deepEqual(tls, { caFile: 'ca.pem', alpn: 'x-amzn-mqtt-ca', rejectUnauthorized: true })
})

test('every problem is told at once, by its path', () => {
  const problems = bad({
    ...{ name: 'a b', version: 'v4', qos: 2, share: 'a/b', keepAliveMs: '1ms', tls: { ca: 'x' } },
    topics: [{ filter: 'a/#/b' }, { template: 'plant/{metric}' }, { filter: '$share/g/x' }],
  })
  const paths = problems.map(({ path }) => path.replace('mqtt.bridges[0].', ''))
  assert.deepEqual(paths.sort(), [
    ...['keepAliveMs', 'name', 'qos', 'share', 'tls.ca'],
    ...['topics[0].filter', 'topics[1].template', 'topics[2].filter', 'version'],
  ])
})

const rules: [what: string, bridges: object[], path: string, message: RegExp][] = [
  ['names twice', [{}, { clientId: 'other' }], '[1].name', /name of another/],
  ['a client id twice', [{}, { name: 'b' }], '[1].clientId', /used twice/],
  ['no topics', [{ topics: [] }], '[0].topics', /is empty/],
  ['a topic that is nothing', [{ topics: [{}] }], '[0].topics[0]', /neither/],
  [
    'a topic that is two things',
    [{ topics: [{ filter: 'a', template: '{device_id}' }] }],
    ...(['[0].topics[0]', /or both/] as const),
  ],
  [
    'a path without template',
    [{ topics: [{ filter: 'a', path: 'b' }] }],
    ...(['[0].topics[0].path', /needs a template/] as const),
  ],
  [
    'two passwords',
    [{ username: 'u', password: 'p', passwordFile: 'f' }],
    ...(['[0].password', /more than once/] as const),
  ],
  ['a password without a user', [{ passwordEnv: 'P' }], '[0].username', /is missing/],
  [
    'a certificate without its key',
    [{ url: 'mqtts://b', tls: { certFile: 'c' } }],
    ...(['[0].tls', /without the other/] as const),
  ],
  ['TLS without TLS', [{ tls: { caFile: 'c' } }], '[0].tls', /mqtts:\/\/ and wss/],
]

for (const [what, bridges, path, message] of rules) {
  test(`${what}: refused`, () => {
    const [problem, ...others] = bad(...bridges)
    assert.equal(problem.path, `mqtt.bridges${path}`)
    assert.match(problem.message, message)
    assert.equal(problem.source, 'WEIR_MQTT_BRIDGES')
    assert.deepEqual(others, [])
  })
}

test('a url is one of a broker, and holds no secrets, which are not repeated', () => {
  const wrong = ['broker:1883', 'http://b', 'mqtt://b/path', 'mqtts://u:hush@b', 'mqtt:// hush@x']
  for (const url of wrong) {
    const problems = bad({ url })
    assert.equal(problems[0].path, 'mqtt.bridges[0].url')
    assert.doesNotMatch(formatProblems(problems), /hush/)
  }
  for (const url of ['mqtts://b', 'wss://b:443/mqtt', 'mqtt://[::1]:1883']) good({ url })
})

test('a password is not shown', () => {
  const { username, password } = good({ username: 'u', password: 'hush' })
  assert.deepEqual([username, password], ['u', 'hush'])
  const result = load([{ ...least, username: 'u', password: 'hush' }])
  assert.ok('config' in result)
  const shown = withoutSecrets(result.config) as Config
  assert.deepEqual(shown, {
    ...result.config,
    mqtt: {
      ...result.config.mqtt,
      bridges: [{ ...good({ username: 'u' }), password: '(secret)' }],
    },
  })
})
