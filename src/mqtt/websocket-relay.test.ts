import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { attachWebSocketRelay, type RelayOptions } from './websocket-relay.ts'

async function setUp(t: TestContext, broker: RelayOptions['broker']) {
  const http = createServer()
  const end = attachWebSocketRelay(http, { maxPacketBytes: 1024, broker })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.after(() => http.close())
  const { port } = http.address() as AddressInfo
  return { end, connect: () => new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt') }
}

async function tcpServer(t: TestContext) {
  const sockets: Socket[] = []
  const server = createTcpServer(socket => void sockets.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, sockets, address: { host: '127.0.0.1', port } }
}

test('bytes go to the broker and back as they are, and either end ends the other', async t => {
  const { sockets, address } = await tcpServer(t)
  const { connect, end } = await setUp(t, address)
  const [first, second, third] = [connect(), connect(), connect()]
  for (const one of [first, second, third]) await once(one, 'open')
  const [atFirst, atSecond, atThird] = sockets
  assert.equal(first.protocol, 'mqtt')
  first.send(Buffer.from([0xc0, 0]))
  const [sent] = (await once(atFirst, 'data')) as [Buffer]
  assert.deepEqual([...sent], [0xc0, 0])
  atFirst.write(Buffer.from([0xd0, 0]))
  const [answer] = (await once(first, 'message')) as [Buffer]
  assert.deepEqual([...answer], [0xd0, 0])
  const gone = [once(first, 'close'), once(atSecond, 'close'), once(third, 'close')]
  atFirst.end()
  second.terminate()
  atSecond.on('error', () => {}).resume()
  atThird.on('error', () => {}).resume()
  end()
  await Promise.all(gone)
})

test('without a broker that can be reached a client is told to come again', async t => {
  const { server, address } = await tcpServer(t)
  server.close()
  for (const broker of [address, undefined]) {
    const { connect } = await setUp(t, broker)
    const [, response] = (await once(connect(), 'unexpected-response')) as [object, IncomingMessage]
    assert.equal(response.statusCode, 503)
    assert.equal(response.headers['retry-after'], '1')
    response.resume()
  }
})
