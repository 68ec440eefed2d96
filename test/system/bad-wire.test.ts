import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { test } from 'node:test'
import { connectAsync } from 'mqtt'
import { FLUSHES, goodClients } from '../fixtures/good-clients.ts'
import { readPoints } from '../fixtures/read-back.ts'
import { ledgerOf, weirClient } from '../fixtures/weir-client.ts'
import { startWeir } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 300_000 }

test('malformed MQTT cuts the client that sent it, and nobody else', LIMIT, async t => {
  const weir = await startWeir(t, { args: FLUSHES })
  const client = await weirClient(weir.url)
  const good = goodClients(t, weir)
  const connectPacket = Buffer.from('100c00044d5154540402003c0000', 'hex')
  const publish = (topic: string, payload: string): Buffer => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(Buffer.byteLength(topic))
    const rest = Buffer.concat([length, Buffer.from(topic), Buffer.from(payload)])
    return Buffer.concat([Buffer.from([0x30, rest.length]), rest])
  }
  const cases: Readonly<Record<string, Buffer>> = {
    'HTTP on the MQTT port': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'a reserved packet type': Buffer.from([0x00, 0x00]),
    'no CONNECT first': publish('devices/a/telemetry', '{"x":1}'),
    'an unknown protocol': Buffer.from('100c00044d5154590402003c0000', 'hex'),
    'two CONNECTs': Buffer.concat([connectPacket, connectPacket]),
    'a length that never ends': Buffer.concat([connectPacket, Buffer.from('30ffffffff7f', 'hex')]),
    'a packet beyond mqtt.maxPacketBytes': Buffer.concat([
      connectPacket,
      Buffer.from('3080808040', 'hex'),
    ]),
    'QoS 3': Buffer.concat([connectPacket, Buffer.from('3605000161000178', 'hex')]),
    'a wildcard in a topic': Buffer.concat([connectPacket, publish('devices/+/telemetry', '{}')]),
    'a NUL in a topic': Buffer.concat([connectPacket, publish('devices/a\0/telemetry', '{}')]),
    'a topic that is no UTF-8': Buffer.concat([
      connectPacket,
      Buffer.from('30050003ffc0af', 'hex'),
    ]),
    'a topic longer than the packet': Buffer.concat([
      connectPacket,
      Buffer.from('3003ffff61', 'hex'),
    ]),
    noise: Buffer.from(Array.from({ length: 500 }, (_, i) => (i * 7919) % 251)),
  }
  for (const [what, bytes] of Object.entries(cases)) {
    const socket = connectTcp(weir.mqttPort, '127.0.0.1')
    t.after(() => void socket.destroy())
    await once(socket, 'connect')
    socket.on('error', () => {})
    socket.resume()
    const closed = once(socket, 'close')
    socket.write(bytes)
    await Promise.race([
      closed,
      new Promise((_, reject) => {
        const timer = setTimeout(reject, 30_000, new Error(`${what}: it was not cut`))
        closed.finally(() => clearTimeout(timer)).catch(() => {})
      }),
    ])
  }
  assert.deepEqual(await readPoints(client, ['a']), [])

  // Payloads that are no telemetry are refused one by one; their client stays.
  const mqtt = await connectAsync(weir.mqttUrl)
  t.after(() => mqtt.endAsync(true))
  const before = await ledgerOf(client)
  const bad = [
    '',
    '{',
    'nonsense',
    '[]',
    '{"x":null}',
    '{"x":1e309}',
    '{"x":9007199254740993}',
    '{}',
  ]
  for (const payload of [...bad, '{"x":1,"timestamp":1700000000}']) {
    await mqtt.publishAsync('devices/mixed/telemetry', payload, { qos: 1 })
  }
  assert.deepEqual(await readPoints(client, ['mixed']), [
    { device: 'mixed', metric: 'x', timeUs: 1_700_000_000e6, value: 1 },
  ])
  assert.equal((await ledgerOf(client)).rejected - before.rejected, bad.length)
  await good.finish(client)
})

test('an open node is not open to the web pages of other sites', LIMIT, async t => {
  const weir = await startWeir(t)
  const foreign: readonly Readonly<Record<string, string>>[] = [
    { host: `127.0.0.1:${weir.httpPort}`, origin: 'https://evil.example' },
    { host: `evil.example:${weir.httpPort}` },
  ]
  for (const [path, answered] of [
    ['/api/telemetry/latest/a', 404],
    ['/api/v1/devices', 200],
    ['/metrics', 200],
  ] as const) {
    const own = { host: `localhost:${weir.httpPort}`, origin: `http://localhost:${weir.httpPort}` }
    assert.equal(await statusOf(weir.httpPort, path, own), answered, path)
    assert.equal(await statusOf(weir.httpPort, path, { host: 'weir' }), answered, path)
    for (const headers of foreign) {
      assert.equal(await statusOf(weir.httpPort, path, headers), 403, path)
    }
  }
  assert.equal(await statusOf(weir.httpPort, '/health', foreign[1]), 200)
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket' }
  for (const headers of foreign) {
    assert.equal(await statusOf(weir.httpPort, '/mqtt', { ...headers, ...upgrade }), 403)
  }
})

// oxlint-disable-next-line max-params -- where, what and how
async function statusOf(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const asked = request({ host: '127.0.0.1', port, path, headers }).end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  answer.resume()
  return answer.statusCode ?? 0
}

test('broken HTTP is answered or cut, and nobody else notices', LIMIT, async t => {
  const weir = await startWeir(t, { args: FLUSHES })
  const client = await weirClient(weir.url)
  const good = goodClients(t, weir)
  const post = 'POST /api/v1/telemetry HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
  const cases: readonly (readonly [what: string, bytes: string, answer: RegExp])[] = [
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'huge headers',
      `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    ['a bad length', `${post}content-length: -5\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ['two lengths', `${post}content-length: 5\r\ncontent-length: 6\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ['a bad chunk', `${post}transfer-encoding: chunked\r\n\r\nzz\r\n`, /^HTTP\/1\.1 400 /],
    [
      'a path that cannot be decoded',
      'GET /api/v1/telemetry/%ff%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a device id that is too long',
      `GET /api/telemetry/latest/${'x'.repeat(5000)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      /^HTTP\/1\.1 4\d\d /,
    ],
  ]
  for (const [what, bytes, expected] of cases) {
    const socket = connectTcp(weir.httpPort, '127.0.0.1')
    t.after(() => void socket.destroy())
    socket.write(bytes)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    assert.match(answer, expected, what)
  }
  // A client that goes away in the middle of its body.
  const gone = connectTcp(weir.httpPort, '127.0.0.1')
  await once(gone, 'connect')
  gone.write(`${post}content-length: 1000\r\n\r\n{"device_id":"gone"`)
  gone.resetAndDestroy()
  assert.deepEqual(await readPoints(client, ['gone']), [])
  await good.finish(client)
})
