import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect as connectHttp } from 'node:net'
import { test } from 'node:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { WebSocket, type ClientOptions } from 'ws'
import { foreignPages } from '../kit/foreign-pages.ts'
import { openAccess } from '../model/access.ts'
import {
  connectBytes,
  gateway,
  noLimits,
  openTestDoor,
  packetBytes,
  publishBytes,
  text,
  until,
} from './door-fixture.ts'

interface Heard {
  readonly topic: string
  readonly payload: string
  readonly qos: number
  readonly retain: boolean
}

function hear(client: MqttClient): Heard[] {
  const heard: Heard[] = []
  client.on('message', (topic, payload, { qos, retain }) => {
    heard.push({ topic, payload: payload.toString(), qos, retain })
  })
  return heard
}

const topics = (heard: readonly Heard[]): string[] => heard.map(({ topic }) => topic)

test('subscribers get what their filters match, telemetry and other topics alike', async t => {
  const { connect } = await openTestDoor(t)
  const subscriber = await connect()
  const heard = hear(subscriber)
  await subscriber.subscribeAsync(['devices/+/telemetry', 'a/#', 'b'], { qos: 2 })
  const publisher = await connect()
  await publisher.publishAsync('devices/p1/telemetry', '{"x":1}', { qos: 1 })
  await publisher.publishAsync('devices/p1/x', '1', { qos: 1 })
  await publisher.publishAsync('a', '1')
  await publisher.publishAsync('a/b/c', '2', { qos: 2 })
  await publisher.publishAsync('b/c', '3', { qos: 1 })
  await publisher.publishAsync('b', '4', { qos: 1 })
  await until(() => heard.length >= 4)
  assert.deepEqual(topics(heard), ['devices/p1/telemetry', 'a', 'a/b/c', 'b'])
  assert.deepEqual(
    heard.map(({ qos }) => qos),
    [1, 0, 2, 1],
  )
  await subscriber.unsubscribeAsync('a/#')
  await publisher.publishAsync('a/b', '5', { qos: 1 })
  await publisher.publishAsync('b', '6', { qos: 1 })
  await until(() => heard.length >= 5)
  assert.equal(heard[4].payload, '6')
})

test('a message of QoS 1 is not lost when one of QoS 0 follows it at once', async t => {
  const { connect, raw } = await openTestDoor(t)
  const subscriber = await connect()
  const heard = hear(subscriber)
  await subscriber.subscribeAsync('#', { qos: 1 })
  const publisher = await raw()
  const messages = Array.from({ length: 40 }, (_, i) =>
    publishBytes('t', `${i}`, { qos: i % 2 === 0 ? 1 : 0, id: i + 1, retain: i % 3 === 0 }),
  )
  publisher.write(connectBytes('p'), ...messages)
  await until(() => heard.length >= 40)
  assert.deepEqual(
    heard.map(({ payload }) => Number(payload)),
    messages.map((_, i) => i),
  )
})

test('a retained message comes with the subscription until it is cleared', async t => {
  const { connect, fake } = await openTestDoor(t)
  const publisher = await connect()
  await publisher.publishAsync('devices/p1/state', '"on"', { qos: 1, retain: true })
  await publisher.publishAsync('x/y', 'kept', { qos: 1, retain: true })
  const first = await connect()
  const heard = hear(first)
  await first.subscribeAsync('#', { qos: 1 })
  await until(() => heard.length >= 2)
  assert.deepEqual(topics(heard).toSorted(), ['devices/p1/state', 'x/y'])
  assert.ok(heard.every(({ retain }) => retain))
  assert.deepEqual(fake.payloads, ['"on"'])
  await publisher.publishAsync('x/y', '', { qos: 1, retain: true })
  const second = await connect()
  const later = hear(second)
  await second.subscribeAsync(['x/#', 'devices/#'])
  await until(() => later.length >= 1)
  assert.deepEqual(topics(later), ['devices/p1/state'])
})

test('a will is published when the client is lost, and is a point on a telemetry topic', async t => {
  const { connect, fake, door } = await openTestDoor(t)
  const watcher = await connect()
  const heard = hear(watcher)
  await watcher.subscribeAsync('devices/+/status')
  const will = {
    topic: 'devices/p1/status',
    payload: Buffer.from('"lost"'),
    qos: 1 as const,
    retain: false,
  }
  const polite = await connect({ will: { ...will, payload: Buffer.from('"never"') } })
  await polite.endAsync()
  await until(() => door.stats().clients === 1)
  const lost = await connect({ will })
  lost.stream.destroy()
  await until(() => heard.length >= 1)
  assert.deepEqual(
    heard.map(({ payload }) => payload),
    ['"lost"'],
  )
  assert.deepEqual(fake.payloads, ['"lost"'])
})

test('a session that is kept gets what came while its client was away', async t => {
  const { connect, door, raw } = await openTestDoor(t)
  const first = await connect({ clientId: 's', clean: false })
  await first.subscribeAsync('devices/#', { qos: 1 })
  await first.endAsync()
  await until(() => door.stats().clients === 0)
  const publisher = await connect()
  for (let i = 0; i < 5; i++) await publisher.publishAsync('devices/p1/x', `${i}`, { qos: 1 })
  const again = await raw()
  again.write(connectBytes('s', { flags: 0 }))
  assert.equal(await again.take(4), '20020100')
  for (let i = 0; i < 5; i++) {
    assert.match(await again.take(2 + 2 + 12 + 2 + 1), new RegExp(`^3211000c.*3${i}$`))
  }
})

test('a second client with the same id takes over from the first', async t => {
  const { raw, door } = await openTestDoor(t)
  const first = await raw()
  first.write(connectBytes('same'))
  await first.take(4)
  const second = await raw()
  second.write(connectBytes('same'), [0xc0, 0])
  assert.equal(await second.take(6), '20020000d000')
  await first.closed()
  assert.equal(door.stats().clients, 1)
})

test('clients may not publish to $SYS, and are told nothing of it', async t => {
  const { connect, door } = await openTestDoor(t)
  const client = await connect()
  const heard = hear(client)
  await client.subscribeAsync(['$SYS/x', 'y'])
  await client.publishAsync('$SYS/x', '1', { qos: 1 })
  await client.publishAsync('y', '2', { qos: 1 })
  await until(() => heard.length >= 1)
  assert.deepEqual(topics(heard), ['y'])
  assert.equal(door.stats().messages.get('forbidden'), 1)
})

test('a subscriber that does not read loses QoS 0, is cut at the bound, and holds up nobody', async t => {
  const { connect, raw, door } = await openTestDoor(t, { limits: { maxSubscriberBytes: 300_000 } })
  const deaf = await raw()
  deaf.socket.pause()
  deaf.write(
    connectBytes('deaf'),
    packetBytes(0x82, Buffer.concat([Buffer.from([0, 1]), text('#'), Buffer.from([1])])),
  )
  await until(() => door.stats().clients === 1)
  const publisher = await connect()
  const hearing = await connect()
  const heard = hear(hearing)
  await hearing.subscribeAsync('t')
  const payload = 'x'.repeat(20_000)
  while (door.stats().messages.get('dropped') === 0) await publisher.publishAsync('t', payload)
  assert.equal(door.stats().clients, 3)
  while (door.stats().clients === 3) await publisher.publishAsync('t', payload, { qos: 1 })
  await publisher.publishAsync('t', 'end', { qos: 1 })
  await until(() => heard.at(-1)?.payload === 'end')
})

test('messages kept for a client that is away, and retained ones, are bounded', async t => {
  const limits = { maxQueuedMessages: 3, maxRetainedBytes: 2000, maxSessions: 1 }
  const { connect, door } = await openTestDoor(t, { limits })
  const first = await connect({ clientId: 's', clean: false })
  await first.subscribeAsync('q', { qos: 1 })
  await first.endAsync()
  await until(() => door.stats().clients === 0)
  const publisher = await connect()
  for (let i = 0; i < 10; i++) await publisher.publishAsync('q', `${i}`, { qos: 1 })
  const heard: string[] = []
  await connect({ clientId: 's', clean: false }, client => {
    client.on('message', (_topic, payload) => heard.push(payload.toString()))
  })
  // There is room again as soon as the kept ones are acknowledged.
  while (!heard.includes('new')) {
    await publisher.publishAsync('q', 'new', { qos: 1 })
    await new Promise(resolve => setImmediate(resolve))
  }
  assert.deepEqual(
    heard.filter(payload => payload !== 'new'),
    ['0', '1', '2'],
  )
  for (let i = 0; i < 50; i++) {
    await publisher.publishAsync(`r/${i}`, 'x'.repeat(50), { qos: 1, retain: true })
  }
  const retained = hear(publisher)
  await publisher.subscribeAsync(['r/#', 'end'])
  await publisher.publishAsync('end', '', { qos: 1 })
  await until(() => topics(retained).includes('end'))
  assert.ok(retained.length > 1 && retained.length < 10, `${retained.length}`)
  const second = await connect({ clientId: 's2', clean: false })
  const closed = gateway()
  second.on('close', closed.resolve)
  second.subscribe('q', { qos: 1 })
  await closed.promise
})

test('messages of QoS 2 to a session that is kept are given back when they are complete', async t => {
  const limits = { maxQueuedMessages: 12, maxQueuedBytes: 12_000 }
  const { connect } = await openTestDoor(t, { limits })
  const subscriber = await connect({ clientId: 's', clean: false })
  const heard = hear(subscriber)
  await subscriber.subscribeAsync('q', { qos: 2 })
  const publisher = await connect()
  for (let round = 1; round <= 20; round++) {
    // Several at a time, so that PUBRELs wait together.
    const payloads = ['a', 'b', 'c'].map(text => text.repeat(500))
    await Promise.all(payloads.map(payload => publisher.publishAsync('q', payload, { qos: 2 })))
    await until(() => heard.length >= 3 * round || !subscriber.connected)
    assert.ok(subscriber.connected)
  }
  assert.equal(heard.length, 60)
})

test('where it is open the pages of other sites get no WebSocket', async t => {
  const access = {
    ...{ open: openAccess('default'), verify: () => undefined, limits: noLimits },
    isForeign: foreignPages([]),
  }
  const { door } = await openTestDoor(t, { access })
  const http = createServer()
  door.attachWebSocket(http)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.after(() => http.close())
  const { port } = http.address() as { port: number }
  const openFrom = (options: ClientOptions): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt', options)
  const own = openFrom({ origin: `http://127.0.0.1:${port}` })
  await once(own, 'open')
  own.terminate()
  for (const options of [
    { origin: 'https://evil.example' },
    { headers: { host: 'evil.example' } },
  ]) {
    const refused = once(openFrom(options), 'unexpected-response')
    const [, response] = (await refused) as [object, IncomingMessage]
    assert.equal(response.statusCode, 403)
    response.resume()
  }
})

test('MQTT over WebSocket at /mqtt is the same broker', async t => {
  const { door, connect, fake } = await openTestDoor(t)
  const http = createServer((_request, response) => response.end('http'))
  door.attachWebSocket(http)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.after(() => http.close())
  const { port } = http.address() as { port: number }
  const browser = await connectAsync(`ws://127.0.0.1:${port}/mqtt`, { reconnectPeriod: 0 })
  t.after(() => browser.endAsync(true))
  const heard = hear(browser)
  await browser.subscribeAsync('devices/#', { qos: 1 })
  const device = await connect()
  await device.publishAsync('devices/p1/telemetry', '{"x":1}', { qos: 1 })
  await browser.publishAsync('devices/p2/telemetry', '{"x":2}', { qos: 1 })
  await until(() => heard.length >= 2)
  assert.deepEqual(fake.payloads, ['{"x":1}', '{"x":2}'])
  const other = connectHttp(port, '127.0.0.1')
  const refused = gateway<string>()
  other.on('data', chunk => refused.resolve(chunk.toString()))
  other.write(
    'GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  assert.match(await refused.promise, /^HTTP\/1.1 404 /)
  await door.close()
  await until(() => !browser.connected)
})
