import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textWithoutSecrets } from './secrets.ts'

test('no way of writing a secret into a file shows it', () => {
  const files = [
    `postgres: { url: 'postgres://weir:hunter2@db/weir', poolSize: 3 }`,
    `"postgres":\n  "url": postgres://weir:hun/hunter2@db@db/weir`,
    `kafka:\n  sasl:\n    password: |-\n      hunter2`,
    `kafka: {sasl: {username: weir, "password": "hunter2"}}`,
    `nats:\n  servers:\n    - nats://weir:hunter2@one:4222\n    - nats://weir:hunter2@two:4222`,
    `nats: {servers: ['nats://weir:hunter2@one:4222'], token: hunter2}`,
    `mqtt:\n  bridges:\n    - name: plant\n      password: >-\n        hunter2\n      username: weir`,
    `mqtt: {bridges: [{name: plant, password: hunter2}]}`,
    `redis:\n  url: rediss://:hunter2@cache\n# url: redis://:hunter2@old`,
  ]
  for (const file of files) {
    const shown = textWithoutSecrets(file)
    assert.doesNotMatch(shown, /hunter2/)
    assert.match(shown, /\(secret\)/)
  }
})

test('all else is shown, as plain text', () => {
  assert.equal(textWithoutSecrets('{extends: tune, ingest: {commit: merged}}'), PLAIN)
  assert.equal(textWithoutSecrets(PLAIN), PLAIN)
  assert.equal(textWithoutSecrets('# nothing\n'), '{}\n')
})

const PLAIN = 'extends: tune\ningest:\n  commit: merged\n'
