import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { HttpClient } from './http-client.ts'

const LIMIT = { timeout: 60_000 }

/** A server that breaks off at `/broken` in the middle of its answer, and never answers at `/mute`. */
async function clientOf(t: TestContext): Promise<HttpClient> {
  const server = createServer((request, response) => {
    if (request.url === '/mute') return
    if (request.url === '/broken') {
      response.writeHead(200, { 'content-length': 100 })
      response.write('{', () => response.destroy())
    } else response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const client = new HttpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.after(() => client.close())
  return client
}

test('nothing waits any more for an answer that came, or broke', LIMIT, async t => {
  const client = await clientOf(t)
  const cleared = t.mock.method(globalThis, 'clearTimeout')
  const timers = t.mock.method(globalThis, 'setTimeout')
  const waiting = (): number => {
    const own = timers.mock.calls.filter(({ arguments: [, ms] }) => ms === 54_321)
    const over = new Set(cleared.mock.calls.map(({ arguments: [timer] }) => timer))
    return own.filter(({ result }) => !over.has(result)).length
  }
  assert.equal((await client.get('/', 54_321)).text, '{}')
  assert.equal(waiting(), 0)
  await assert.rejects(client.get('/broken', 54_321), /aborted/)
  assert.equal(waiting(), 0)
  assert.equal(timers.mock.calls.filter(({ arguments: [, ms] }) => ms === 54_321).length, 2)
})

test('an answer that does not come is not waited for', LIMIT, async t => {
  const client = await clientOf(t)
  await assert.rejects(client.get('/mute', 100), /GET \/mute: no answer within 100 ms/)
})
