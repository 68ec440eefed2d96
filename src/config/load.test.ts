import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from './load.ts'
import type { ConfigInput, LoadedConfig } from './load.ts'
import { options } from './option.ts'
import type { Problem } from './problem.ts'
import { formatProblems } from './problem.ts'

const cwd = mkdtempSync(join(tmpdir(), 'weir-config-'))
after(() => rmSync(cwd, { recursive: true }))

function outcome(input: Partial<ConfigInput> = {}): ReturnType<typeof loadConfig> {
  return loadConfig({ flags: [], env: {}, cwd, ...input })
}

function good(input: Partial<ConfigInput> = {}): LoadedConfig {
  const result = outcome(input)
  if ('problems' in result) assert.fail(formatProblems(result.problems))
  return result
}

function bad(input: Partial<ConfigInput>): readonly Problem[] {
  const result = outcome(input)
  assert.ok('problems' in result, 'expected problems')
  return result.problems
}

function file(name: string, text: string): string {
  writeFileSync(join(cwd, name), text)
  return `./${name}`
}

test('without any input every option has its default', () => {
  const { config, sources } = good()
  assert.equal(config.http.address, '127.0.0.1:8080')
  assert.equal(config.data, join(cwd, 'weir-data'))
  assert.equal(config.store.headBytes, 128 * 1024 * 1024)
  assert.deepEqual(config.mqtt.topics, [{ template: 'plant/{site}/{device_id}/{metric}' }])
  assert.equal(sources.has('http.address'), false)
})

test('a flag beats a variable beats the file beats the default', () => {
  const topology = file(
    'order.yaml',
    'ingest:\n  maxDepth: 2\n  tenant: plant\nquery: {maxDevices: 7}',
  )
  const env = { WEIR_INGEST_MAX_DEPTH: '3', WEIR_INGEST_TENANT: 'variable' }
  const flags = [{ flag: 'ingest.maxDepth', value: '4' }]
  const { config, sources } = good({ topology, env, flags })
  assert.equal(config.ingest.maxDepth, 4)
  assert.equal(config.ingest.tenant, 'variable')
  assert.equal(config.query.maxDevices, 7)
  assert.equal(config.query.maxLimit, 100_000)
  assert.equal(sources.get('ingest.maxDepth'), '--ingest.maxDepth')
  assert.equal(sources.get('ingest.tenant'), 'WEIR_INGEST_TENANT')
  assert.equal(sources.get('query.maxDevices'), 'order.yaml:4')
})

test('every option can be set by a variable and by a flag, and each name means one option', () => {
  const names = options.flatMap(({ flags, variables }) => [...flags, ...variables])
  assert.equal(new Set(names).size, names.length)
  for (const { path, flags, variables, node } of options) {
    const value = node.type === 'array' ? '[]' : String(node.default)
    for (const flag of flags) {
      assert.equal(good({ flags: [{ flag, value }] }).sources.get(path), `--${flag}`)
    }
    for (const variable of variables) {
      // Set to nothing means not set.
      if (value === '') continue
      assert.equal(good({ env: { [variable]: value } }).sources.get(path), variable)
    }
  }
})

test('sizes and durations may carry units wherever they are written', () => {
  const topology = file('units.yaml', 'store: {headBytes: 2GB, flushIntervalMs: 90s}')
  const env = { WEIR_QUERY_TIMEOUT_MS: '1.5s' }
  const { config } = good({
    topology,
    env,
    flags: [{ flag: 'ingest-max-body-bytes', value: '3MiB' }],
  })
  assert.equal(config.store.headBytes, 2 * 1024 ** 3)
  assert.equal(config.store.flushIntervalMs, 90_000)
  assert.equal(config.query.timeoutMs, 1500)
  assert.equal(config.ingest.maxBodyBytes, 3 * 1024 * 1024)
})

test('all problems of all sources are reported at once, each with its place', () => {
  const topology = file(
    'broken.yaml',
    ['htp:', '  address: x', 'ingest:', '  maxDepht: 3', '  maxSeries: many', 'store: 5'].join(
      '\n',
    ),
  )
  const env = { WEIR_LOGGING_LEVEL: 'loud', WEIR_INGEST_MAX_DEPHT: '3' }
  const flags = [{ flag: 'mqtt', value: 'nowhere' }, { flag: 'data' }]
  const problems = bad({ topology, env, flags })
  const found = problems.map(({ path, source }) => `${path} ${source}`)
  assert.deepEqual(found, [
    'htp broken.yaml:1',
    'ingest.maxDepht broken.yaml:4',
    'store broken.yaml:6',
    ' WEIR_INGEST_MAX_DEPHT',
    'data --data',
    'ingest.maxSeries broken.yaml:5',
    'logging.level WEIR_LOGGING_LEVEL',
    'mqtt.address --mqtt',
  ])
  const text = formatProblems(problems)
  assert.match(text, /Did you mean http\?/)
  assert.match(text, /Did you mean maxDepth\?/)
  assert.match(text, /Did you mean WEIR_INGEST_MAX_DEPTH\?/)
})

test('a name in the wrong section says where it belongs', () => {
  const topology = file('wrong-section.yaml', 'maxBodyBytes: 1MB')
  assert.equal(bad({ topology })[0]?.hint, 'Did you mean ingest.maxBodyBytes?')
})

test('broken YAML is a problem with its line', () => {
  const topology = file('syntax.yaml', 'http:\n  address: [1,\nmqtt: 2')
  const problems = bad({ topology })
  assert.match(problems[0]?.source ?? '', /^syntax\.yaml:\d$/)
})

test('a key given twice in a file is a problem, not the last one silently', () => {
  const problems = bad({ topology: file('twice.yaml', 'data: a\ndata: b') })
  assert.match(problems[0]?.message ?? '', /unique/i)
})

test('names that every object has are unknown like any other', () => {
  const topology = file('proto.yaml', '__proto__: {insecure: true}\nconstructor: 1')
  const paths = bad({ topology }).map(({ path }) => path)
  assert.deepEqual(paths, ['__proto__', 'constructor'])
})

test('a file may extend another and changes only what it names', () => {
  file('base.yaml', 'ingest: {maxDepth: 2, maxSeries: 10}')
  const topology = file('child.yaml', 'extends: ./base.yaml\ningest: {maxDepth: 5}')
  const { config } = good({ topology })
  assert.equal(config.ingest.maxDepth, 5)
  assert.equal(config.ingest.maxSeries, 10)
})

test('files that extend each other in a circle are a problem', () => {
  file('a.yaml', 'extends: ./b.yaml')
  file('b.yaml', 'extends: ./a.yaml')
  assert.equal(bad({ topology: './a.yaml' })[0]?.path, 'extends')
})

test('a topology that does not exist is a problem that names those that do', () => {
  assert.equal(bad({ topology: 'embeded' })[0]?.hint, 'Did you mean embedded?')
  assert.equal(bad({ env: { WEIR_TOPOLOGY: 'nope.yaml' } })[0]?.source, 'WEIR_TOPOLOGY')
})

test('addresses beyond loopback are refused while the door is open, unless told otherwise', () => {
  for (const value of ['0.0.0.0:8080', '[::]:8080', '192.168.1.5:80', 'example.org:80']) {
    const problems = bad({ flags: [{ flag: 'http', value }] })
    assert.deepEqual(
      problems.map(({ path, source }) => [path, source]),
      [['http.address', '--http']],
    )
    good({ flags: [{ flag: 'http', value }, { flag: 'insecure' }] })
  }
  for (const value of ['127.0.0.1:1', '127.8.8.8:1', '[::1]:1', 'localhost:0']) {
    good({ flags: [{ flag: 'mqtt', value }] })
  }
  good({
    flags: [
      { flag: 'mqtt', value: '0.0.0.0:1' },
      { flag: 'mqtt.enabled', value: 'no' },
    ],
  })
})

test('who asks for keys may listen beyond loopback', () => {
  const env = { WEIR_AUTH_MODE: 'keys', WEIR_HTTP: '0.0.0.0:80', WEIR_MQTT: '0.0.0.0:1883' }
  assert.equal(good({ env }).config.auth.mode, 'keys')
})

test('options that contradict each other are a problem', () => {
  const flags = [{ flag: 'query.maxLimit', value: '10' }]
  assert.equal(bad({ flags })[0]?.path, 'query.defaultLimit')
})

test('topic templates are checked for what a message would need', () => {
  const topics = (template: string): readonly Problem[] =>
    bad({ env: { WEIR_MQTT_TOPICS: JSON.stringify([{ template }]) } })
  assert.match(topics('plant/{metric}')[0]?.message ?? '', /does not name \{device_id\}/)
  assert.match(topics('plant/+/{device_id}')[0]?.message ?? '', /wildcard/)
  assert.match(topics('{device_id}/{device_id}')[0]?.message ?? '', /twice/)
  assert.match(topics('a//{device_id}')[0]?.message ?? '', /empty level/)
  assert.match(topics('a/x{device_id}')[0]?.message ?? '', /neither text nor/)
})

test('variables that Kubernetes sets for a service named weir are left alone', () => {
  const env = {
    WEIR_PORT: 'tcp://10.0.0.1:8080',
    WEIR_SERVICE_HOST: '10.0.0.1',
    WEIR_SERVICE_PORT_HTTP: '8080',
    WEIR_HTTP_PORT_8080_TCP_ADDR: '10.0.0.1',
    WEIR_HTTP: '',
  }
  assert.equal(good({ env }).config.http.address, '127.0.0.1:8080')
  assert.equal(bad({ env: { WEIR_HTTP_PORT: '9000' } })[0]?.source, 'WEIR_HTTP_PORT')
})

test('two variables for one option that disagree are a problem', () => {
  const env = { WEIR_HTTP: '127.0.0.1:1', WEIR_HTTP_ADDRESS: '127.0.0.1:2' }
  assert.equal(bad({ env })[0]?.path, 'http.address')
})

test('the configuration is frozen to its leaves', () => {
  const { config } = good()
  const check = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    assert.ok(Object.isFrozen(value))
    Object.values(value).forEach(check)
  }
  check(config)
})

test('numbers may have fractions, within their bounds, and windows must hold their warm-up', () => {
  const flag = (name: string, value: string) => ({ flags: [{ flag: `analytics.${name}`, value }] })
  assert.equal(good(flag('zScore', '4.5')).config.analytics.zScore, 4.5)
  const rules = '[{match: "t*", deviationPct: 0.5}, {match: "x", watch: false}]'
  assert.deepEqual(good(flag('metrics', rules)).config.analytics.metrics, [
    { match: 't*', deviationPct: 0.5 },
    { match: 'x', watch: false },
  ])
  for (const [name, value, message] of [
    ['zScore', '0.5', /below the least, 1/],
    ['zScore', 'much', /not a number/],
    ['zScore', 'Infinity', /not a number/],
    ['window', '2000', /above the most, 1024/],
    ['window', '20', /is above analytics.window/],
    ['metrics', '[{match: ""}]', /empty/],
    ['metrics', '[{zScore: 4}]', /missing/],
  ] as const) {
    const [problem] = bad(flag(name, value))
    assert.match(problem.message, message, `${name} ${value}`)
  }
})
