import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { RedisLink } from './redis-link.ts'

/** What a server answers to INFO, one connection after the other; all else is fine with it. */
async function serverWith(t: TestContext, infos: readonly string[]) {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    const info = infos[Math.min(sockets.push(socket), infos.length) - 1]
    // A command is an array of texts: `*1\r\n$4\r\nping\r\n`.
    socket.on('data', data => {
      for (const [, name] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
        socket.write(name === 'info' ? info : '+OK\r\n')
      }
    })
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `redis://127.0.0.1:${port}`, drop: () => sockets.at(-1)!.destroy() }
}

const runId = (id: string): string => `$${id.length + 7}\r\nrun_id:${id}\r\n`
const FORBIDDEN = '-NOPERM this user has no permissions to run the command\r\n'

/** Connects as often as there are answers; of each connection after the first, whether it is told as a restart. */
async function restartsOf(t: TestContext, infos: readonly string[]): Promise<boolean[]> {
  t.mock.method(console, 'warn', () => {})
  const server = await serverWith(t, infos)
  const link = new RedisLink({ url: server.url, commandTimeoutMs: 1000 })
  t.after(() => link.close())
  let restarts = 0
  link.onRestart(() => restarts++)
  await link.open()
  const seen: boolean[] = []
  while (seen.length < infos.length - 1) {
    const before = restarts
    const up = new Promise<void>(resolve => link.onUp(resolve))
    server.drop()
    await up
    seen.push(restarts > before)
  }
  return seen
}

test('a server that comes back as another one is told as a restart, the same one is not', async t => {
  assert.deepEqual(await restartsOf(t, ['a', 'a', 'b', 'a'].map(runId)), [false, true, true])
})

test('a server that does not say which it is may be another one each time', async t => {
  const infos = [FORBIDDEN, FORBIDDEN, FORBIDDEN, runId('a'), runId('a'), FORBIDDEN, runId('a')]
  assert.deepEqual(await restartsOf(t, infos), [true, true, true, false, true, true])
})
