import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { durabilityWarning } from './durability.ts'

const newer = { serverVersion: '2.12.2' }

/** The monitoring of a server that answers this at /varz. */
async function monitored(t: TestContext, varz: object): Promise<string> {
  const server = createServer((request, response) => {
    assert.equal(request.url, '/varz')
    response.end(JSON.stringify(varz))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a server that writes before it acknowledges is no reason to warn', async t => {
  // As 2.12.2 says it.
  const config = { sync_interval: 120_000_000_000, sync_always: true, strict: true }
  const monitorUrl = await monitored(t, { jetstream: { config } })
  assert.equal(await durabilityWarning(newer, { replicas: 1, monitorUrl }), undefined)
})

test('one that does not is, and with copies less would be lost', async t => {
  const config = { sync_interval: 120_000_000_000 }
  const monitorUrl = await monitored(t, { jetstream: { config } })
  const alone = await durabilityWarning(newer, { replicas: 1, monitorUrl })
  assert.match(alone ?? '', /does not write .* last two minutes .* sync_interval: always/)
  const copied = await durabilityWarning(newer, { replicas: 3, monitorUrl })
  assert.match(copied ?? '', /if most of the servers lose power at once/)
})

test('what cannot be seen is said', async () => {
  const unseen = await durabilityWarning(newer, { replicas: 1, monitorUrl: '' })
  assert.match(unseen ?? '', /cannot see .* With nats\.monitorUrl Weir looks/)
  const monitorUrl = 'http://127.0.0.1:9'
  const away = await durabilityWarning(newer, { replicas: 1, monitorUrl })
  assert.equal(away, 'http://127.0.0.1:9/varz does not say how NATS writes to its disk')
})

test('a server before 2.10 cannot, whatever it is asked', async () => {
  const older = { serverVersion: '2.9.10' }
  const warning = await durabilityWarning(older, { replicas: 1, monitorUrl: 'http://127.0.0.1:9' })
  assert.match(warning ?? '', /NATS 2\.9\.10 cannot write .* From 2\.10 on it can/)
})
