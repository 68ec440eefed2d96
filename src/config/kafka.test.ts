import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from './load.ts'
import { withoutSecrets } from './secrets.ts'

function problemsOf(env: Readonly<Record<string, string>>): string[] {
  const outcome = loadConfig({ flags: [], env, cwd: '/' })
  return 'problems' in outcome ? outcome.problems.map(({ path }) => path) : []
}

test('options of Kafka that do not fit together are named', () => {
  const cases: [path: string, env: Record<string, string>][] = [
    ['kafka.sasl', { WEIR_KAFKA_SASL_MECHANISM: 'PLAIN', WEIR_KAFKA_SASL_USERNAME: 'weir' }],
    ['kafka.sasl.mechanism', { WEIR_KAFKA_SASL_USERNAME: 'weir' }],
    ['kafka.tls.keyFile', { WEIR_KAFKA_TLS_ENABLED: 'true', WEIR_KAFKA_TLS_CERT_FILE: 'a.pem' }],
    ['kafka.tls.enabled', { WEIR_KAFKA_TLS_CA_FILE: 'ca.pem' }],
    [
      'kafka.minInsyncReplicas',
      { WEIR_KAFKA_REPLICATION: '1', WEIR_KAFKA_MIN_INSYNC_REPLICAS: '2' },
    ],
    ['kafka.requestTimeoutMs', { WEIR_KAFKA_REQUEST_TIMEOUT_MS: '20s' }],
    ['kafka.topic', { WEIR_KAFKA_TOPIC: 'no topic' }],
  ]
  for (const [path, env] of cases) assert.deepEqual(problemsOf(env), [path])
})

test('a login at Kafka is taken, and its password shown nowhere', () => {
  const env = {
    WEIR_KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    WEIR_KAFKA_SASL_USERNAME: 'weir',
    WEIR_KAFKA_SASL_PASSWORD: 'hush',
  }
  const outcome = loadConfig({ flags: [], env, cwd: '/' })
  assert.ok('config' in outcome)
  assert.equal(outcome.config.kafka.sasl.password, 'hush')
  assert.doesNotMatch(JSON.stringify(withoutSecrets(outcome.config)), /hush/)
})
