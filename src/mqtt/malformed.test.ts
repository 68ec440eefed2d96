import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  connectBytes,
  openTestDoor,
  packetBytes,
  publishBytes,
  text,
  until,
} from './door-fixture.ts'

const bytes = (...values: number[]): Buffer => Buffer.from(values)
const subscribe = (filter: Buffer | string, options = 0, first = 0x82): Buffer =>
  packetBytes(first, Buffer.concat([bytes(0, 1), text(filter), bytes(options)]))
const connectWith = (...body: Buffer[]): Buffer => packetBytes(0x10, Buffer.concat(body))
const PROTOCOL = Buffer.concat([text('MQTT'), bytes(4)])

/** The door answers the first group with this, then closes; with nothing where it is empty. */
const beforeConnect: Record<string, [Buffer, string]> = {
  'an HTTP request': [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), ''],
  'a TLS hello': [bytes(0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3), ''],
  'a PUBLISH before CONNECT': [publishBytes('a', '1'), ''],
  'an endless remaining length': [bytes(0x10, 255, 255, 255, 255, 127), ''],
  'an empty CONNECT': [bytes(0x10, 0), ''],
  'a CONNECT that announces 256 MB': [bytes(0x10, 255, 255, 255, 127), ''],
  'a CONNECT cut short': [connectWith(PROTOCOL, bytes(2, 0)), ''],
  'a CONNECT with reserved header flags': [packetBytes(0x12, Buffer.alloc(20)), ''],
  'a CONNECT with a reserved flag': [connectWith(PROTOCOL, bytes(3, 0, 0), text('c')), ''],
  'another protocol name': [connectWith(text('AMQP'), bytes(4, 2, 0, 0), text('c')), ''],
  'MQTT 5': [connectWith(text('MQTT'), bytes(5, 2, 0, 0, 0), text('c')), '20020001'],
  'MQTT 3.1 with the name of 3.1.1': [connectBytes('c', { level: 3 }).fill(4, 10, 11), '20020001'],
  'no client id for a session that is kept': [connectBytes('', { flags: 0 }), '20020002'],
  'a client id with NUL': [connectBytes('a\0b'), ''],
  'a client id that is no UTF-8': [connectWith(PROTOCOL, bytes(2, 0, 0), text(bytes(0xff))), ''],
  'a password without a user': [connectWith(PROTOCOL, bytes(0x42, 0, 0), text('c'), text('p')), ''],
  'a will of QoS 3': [
    connectWith(PROTOCOL, bytes(0x1e, 0, 0), text('c'), text('w'), text('p')),
    '',
  ],
  'a will with a wildcard': [
    connectWith(PROTOCOL, bytes(6, 0, 0), text('c'), text('#'), text('p')),
    '',
  ],
  'a will QoS without a will': [connectWith(PROTOCOL, bytes(0x0a, 0, 0), text('c')), ''],
  'bytes behind the CONNECT’s end': [
    connectWith(PROTOCOL, bytes(2, 0, 0), text('c'), bytes(0)),
    '',
  ],
}

const afterConnect: Record<string, Buffer> = {
  'a second CONNECT': connectBytes('c'),
  'packet type 0': bytes(0, 0),
  'packet type 15': bytes(0xf0, 0),
  'a CONNACK': bytes(0x20, 2, 0, 0),
  'a PUBLISH of QoS 3': packetBytes(0x36, Buffer.concat([text('a'), bytes(0, 1)])),
  'a PUBLISH of QoS 0 with DUP': packetBytes(0x38, text('a')),
  'a PUBLISH with packet id 0': publishBytes('a', '1', { qos: 1, id: 0 }),
  'a PUBLISH with an empty topic': publishBytes('', '1'),
  'a PUBLISH to a wildcard': publishBytes('devices/+/telemetry', '1'),
  'a topic with NUL': publishBytes('devices/a\0b/telemetry', '1'),
  'a topic that is no UTF-8': publishBytes(Buffer.from([0x61, 0xc3, 0x28]), '1'),
  'a topic with half a surrogate pair': publishBytes(Buffer.from([0xed, 0xa0, 0x80]), '1'),
  'a topic of 101 levels': publishBytes('/'.repeat(100), '1'),
  'a topic longer than its packet': packetBytes(0x30, bytes(0, 9, 97)),
  'an empty PUBLISH': bytes(0x30, 0),
  'a packet beyond the limit': bytes(0x30, 0x81, 0x80, 0x40),
  'an endless remaining length': bytes(0x30, 0x80, 0x80, 0x80, 0x80, 0),
  'a SUBSCRIBE without filters': packetBytes(0x82, bytes(0, 1)),
  'an empty SUBSCRIBE': bytes(0x82, 0),
  'a SUBSCRIBE without its flags': subscribe('a', 0, 0x80),
  'a SUBSCRIBE of QoS 3': subscribe('a', 3),
  'a filter a#': subscribe('a#'),
  'a filter #/a': subscribe('#/a'),
  'a filter a+/b': subscribe('a+/b'),
  'an empty filter': subscribe(''),
  'a filter that is no UTF-8': subscribe(bytes(0xff)),
  'a filter with NUL': subscribe('a\0'),
  'an UNSUBSCRIBE cut short': packetBytes(0xa2, bytes(0, 1, 0, 5, 97)),
  'a PUBACK without an id': bytes(0x40, 0),
  'a PUBREL without its flags': bytes(0x60, 2, 0, 1),
  'a PINGREQ with a body': bytes(0xc0, 1, 0),
  'a DISCONNECT with a body': bytes(0xe0, 1, 0),
}

test('malformed bytes before CONNECT end the connection and nothing else', async t => {
  const { raw, door, lines } = await openTestDoor(t)
  for (const [what, [sent, answer]] of Object.entries(beforeConnect)) {
    const client = await raw()
    client.write(sent)
    await client.closed()
    assert.equal(client.bytes.toString('hex'), answer, what)
  }
  await until(() => door.stats().clients === 0)
  assert.ok(!lines.some(({ level }) => level === 'error'), JSON.stringify(lines))
})

test('malformed packets of a connected client end its connection and nothing else', async t => {
  const { raw, door, fake, lines } = await openTestDoor(t)
  const bystander = await raw()
  bystander.write(connectBytes('bystander'))
  await bystander.take(4)
  for (const [what, sent] of Object.entries(afterConnect)) {
    const client = await raw()
    client.write(connectBytes('c'))
    assert.equal(await client.take(4), '20020000', what)
    client.write(sent)
    await client.closed()
    assert.equal(client.bytes.length, 0, what)
  }
  bystander.write(publishBytes('devices/p1/telemetry', '1', { qos: 1, id: 1 }))
  assert.equal(await bystander.take(4), '40020001')
  assert.equal(fake.stored.length, 1)
  assert.equal(door.stats().clients, 1)
  assert.ok(!lines.some(({ level }) => level === 'error'), JSON.stringify(lines))
})

test('random bytes and damaged packets never reach another client', async t => {
  const seed = Number(process.env['WEIR_SEED'] ?? Date.now() % 1e6)
  t.diagnostic(`WEIR_SEED=${seed}`)
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const { raw, lines } = await openTestDoor(t)
  const good = [...Object.values(afterConnect), subscribe('a/#', 1), bytes(0x62, 2, 0, 1)]
  for (let round = 0; round < 300; round++) {
    const client = await raw()
    const packets = Array.from({ length: 1 + random(4) }, () => good[random(good.length)])
    const sent = Buffer.concat(random(4) === 0 ? packets : [connectBytes('fuzz'), ...packets])
    for (let n = random(4); n > 0; n--) sent[random(sent.length)] = random(256)
    // In pieces, so that packets are cut anywhere.
    const cut = random(sent.length)
    client.write(sent.subarray(0, cut))
    client.write(sent.subarray(cut), [0xe0, 0])
    client.socket.end()
    await client.closed()
  }
  const client = await raw()
  client.write(connectBytes('after'), [0xc0, 0])
  assert.equal(await client.take(6), '20020000d000')
  assert.ok(!lines.some(({ level }) => level === 'error'), JSON.stringify(lines))
})

test('packets arrive whole however the bytes are cut', async t => {
  const { raw, fake } = await openTestDoor(t)
  const client = await raw()
  const payload = `{"a":"${'x'.repeat(300)}"}`
  const sent = Buffer.concat([
    connectBytes('c'),
    publishBytes('devices/p1/telemetry', payload, { qos: 1, id: 1 }),
    publishBytes('devices/p1/telemetry', '2', { qos: 1, id: 2 }),
  ])
  client.socket.setNoDelay(true)
  for (const byte of sent) {
    client.write([byte])
    await new Promise(resolve => setImmediate(resolve))
  }
  assert.equal(await client.take(12), '200200004002000140020002')
  assert.deepEqual(fake.payloads, [payload, '2'])
})

test('a client that does not connect, or is silent beyond its keep-alive, is cut', async t => {
  const { raw, door } = await openTestDoor(t, { limits: { connectTimeoutMs: 100 } })
  const silent = await raw()
  const half = await raw()
  half.write(connectBytes('half').subarray(0, 8))
  const quiet = await raw()
  quiet.write(connectBytes('quiet', { keepAlive: 1 }))
  const patient = await raw()
  patient.write(connectBytes('patient', { keepAlive: 0 }))
  await Promise.all([silent.closed(), half.closed(), quiet.closed()])
  assert.equal(await quiet.take(5), '20020000')
  assert.equal(door.stats().clients, 1)
})

test('connections beyond the limit are cut, and there is room again afterwards', async t => {
  const { raw } = await openTestDoor(t, { limits: { maxConnections: 2 } })
  const [first, second] = [await raw(), await raw()]
  first.write(connectBytes('1'))
  second.write(connectBytes('2'))
  await Promise.all([first.take(4), second.take(4)])
  const third = await raw()
  await third.closed()
  first.socket.destroy()
  for (;;) {
    const next = await raw()
    next.write(connectBytes('4'))
    if ((await next.take(4)) === '20020000') break
  }
})
