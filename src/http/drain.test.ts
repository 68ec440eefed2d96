import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { testServices } from '../../test/fixtures/http-services.ts'
import type { HttpApp } from './app.ts'
import { createHttpHost } from './host.ts'

async function openDoor(): Promise<{ app: HttpApp; port: number }> {
  const { services } = testServices()
  const app = createHttpHost(services)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, port: (app.server.address() as AddressInfo).port }
}

async function answerOf(socket: Socket, text: string): Promise<string> {
  const answered = once(socket, 'data')
  socket.write(text)
  return String(((await answered) as [Buffer])[0])
}

const record = 'POST /api/telemetry/d HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\n{"x":1}'

test('while it drains, every connection is answered once more and told to close', async () => {
  const { app, port } = await openDoor()
  const sockets: Socket[] = []
  for (let i = 0; i < 2; i++) {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
    assert.match(await answerOf(socket, record), /201 Created[^]*connection: keep-alive/i)
  }
  const drained = app.drain(60_000)
  for (const socket of sockets) {
    const ended = once(socket, 'end')
    assert.match(await answerOf(socket, record), /201 Created[^]*connection: close/i)
    await ended
  }
  await drained
  await app.close()
})

test('a request that is under way when the drain begins is answered', async () => {
  const { app, port } = await openDoor()
  const agent = new Agent({ keepAlive: true })
  const body = '{"device_id":"d","data":{"x":1}}'
  const sent = request({
    host: '127.0.0.1',
    port,
    agent,
    method: 'POST',
    path: '/api/v1/telemetry',
  })
  sent.setHeader('content-type', 'application/json').setHeader('content-length', body.length)
  const answered = once(sent, 'response')
  sent.write(body.slice(0, 5))
  const [socket] = (await once(sent, 'socket')) as [Socket]
  await once(socket, 'connect')
  await once(app.server, 'request')
  const drained = app.drain(60_000)
  sent.end(body.slice(5))
  const [response] = (await answered) as [{ statusCode: number; resume(): void }]
  response.resume()
  assert.equal(response.statusCode, 200)
  agent.destroy()
  await drained
  await app.close()
})

test('clients that send nothing hold up a drain for its time only, and new ones are refused', async () => {
  const { app, port } = await openDoor()
  const idle = connect(port, '127.0.0.1')
  await once(idle, 'connect')
  const ended = once(idle, 'close')
  await app.drain(50)
  const late = connect(port, '127.0.0.1')
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNREFUSED')
  await app.close()
  await ended
})
