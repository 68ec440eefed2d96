import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { DEFAULT_SLO } from '../workloads/workload.ts'
import { workloadNamed } from './lab.fixture.ts'
import { recoveryMs } from './recovery.ts'

const LIMIT = { timeout: 60_000 }
/** Of a machine that is busy with other tests an answer may take long. */
const SLO = { ...DEFAULT_SLO, p99Ms: 20_000 }

/** A system that has recovered; its address, and an end that comes with its sixth answer. */
async function systemOf(t: TestContext, status: (key: string | undefined) => number) {
  const end = new AbortController()
  let answers = 0
  const server = createServer((request, response) => {
    if (++answers === 6) end.abort()
    response.writeHead(status(request.headers.authorization)).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, options: { workload: workloadNamed('mixed'), slo: SLO, signal: end.signal } }
}

test('a system has recovered when it answers reads, also such as find nothing', LIMIT, async t => {
  for (const status of [200, 404]) {
    const { url, options } = await systemOf(t, () => status)
    assert.equal(typeof (await recoveryMs(url, options)), 'number')
  }
})

test('a system that only refuses has not recovered', LIMIT, async t => {
  for (const status of [401, 403, 429, 503]) {
    const { url, options } = await systemOf(t, () => status)
    assert.equal(await recoveryMs(url, options), undefined)
  }
})

test('a system that asks for a key is asked with it', LIMIT, async t => {
  const { url, options } = await systemOf(t, key => (key === 'Bearer k-1' ? 200 : 401))
  assert.equal(typeof (await recoveryMs(url, { ...options, key: 'k-1' })), 'number')
})
