import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { gateway, packetBytes, publishBytes, text, until } from '../door-fixture.ts'
import { openTestBridge } from './bridge.fixture.ts'
import { openScriptedBroker } from './scripted-broker.fixture.ts'

// What a broker sends, byte by byte.

const LIMIT = { timeout: 60_000 }
const V3 = { connack: Buffer.from([0x20, 2, 1, 0]), isV5: false }
const V5 = { connack: Buffer.from([0x20, 3, 1, 0, 0]), isV5: true }
const TOPIC = 'devices/p1/a'

test('a message that comes again keeps the time of its first arrival', LIMIT, async t => {
  const broker = await openScriptedBroker(t, V3)
  const { fake } = openTestBridge(t, { url: broker.url })
  const durable = gateway()
  const arrivals: number[] = []
  fake.answer = async messages => {
    arrivals.push(...messages.map(({ arrivalUs }) => arrivalUs))
    await durable.promise
    return fake.store(messages)
  }
  await until(() => broker.subscriptions() === 1)
  broker.write(publishBytes(TOPIC, '1', { qos: 1, id: 7 }))
  await until(() => arrivals.length === 1)
  broker.breakConnection()
  await until(() => broker.subscriptions() === 2)
  broker.write(publishBytes(TOPIC, '1', { qos: 1, id: 7, dup: true }))
  await until(() => arrivals.length === 2)
  durable.resolve()
  await until(() => broker.acknowledged.length === 1)
  assert.equal(arrivals[0], arrivals[1], 'so that it is the same point')
  broker.write(publishBytes(TOPIC, '1', { qos: 1, id: 7 }))
  await until(() => arrivals.length === 3)
  assert.ok(arrivals[2] > arrivals[1], 'a new message with its packet id is another one')
})

test('MQTT 5 messages have properties, which are stepped over', LIMIT, async t => {
  const broker = await openScriptedBroker(t, V5)
  const { fake, bridge } = openTestBridge(t, { url: broker.url, version: 'v5' })
  await until(() => broker.subscriptions() === 1)
  const userProperty = Buffer.concat([Buffer.from([0x26]), text('name'), text('v'.repeat(200))])
  const length = Buffer.from([(userProperty.length & 127) | 128, userProperty.length >> 7])
  const properties = [Buffer.from([0]), Buffer.concat([length, userProperty])]
  for (const [i, each] of properties.entries()) {
    const body = Buffer.concat([text(TOPIC), Buffer.from([0, i + 1]), each, Buffer.from(`${i}`)])
    broker.write(packetBytes(0x32, body))
  }
  await until(() => broker.acknowledged.length === 2)
  assert.deepEqual(fake.payloads, ['0', '1'])
  assert.equal(bridge.stats().messages.get('stored'), 2)
})

test(
  'messages are the same however the bytes are cut, too large ones among them',
  LIMIT,
  async t => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 12 })
    const cuts = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(sizes, cuts, async (lengths, pieces) => {
        const broker = await openScriptedBroker(t, V3)
        const { fake, bridge } = openTestBridge(t, { url: broker.url, maxPacketBytes: 5000 })
        await until(() => broker.subscriptions() === 1)
        const messages = lengths.map(size => '7'.repeat(size))
        const packets = messages.map((payload, i) =>
          publishBytes(TOPIC, payload, { qos: 1, id: i + 1 }),
        )
        const bytes = Buffer.concat(packets)
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = pieces[i % pieces.length]
          broker.write(bytes.subarray(at, at + size))
          at += size
          // So that they are read as they are cut.
          await new Promise(resolve => setImmediate(resolve))
        }
        await until(() => broker.acknowledged.length === messages.length)
        const kept = messages.filter((_, i) => packets[i].length <= 5000)
        assert.deepEqual(fake.payloads, kept)
        assert.equal(bridge.stats().messages.get('refused'), messages.length - kept.length)
        await bridge.close(0)
      }),
      { numRuns: 25 },
    )
  },
)

test('a broker that breaks the protocol is left, with a reason', LIMIT, async t => {
  const broken: [Buffer, RegExp][] = [
    [publishBytes(TOPIC, '1', { qos: 2, id: 1 }), /QoS 2, which was not asked for/],
    [publishBytes(TOPIC, '1', { qos: 1, id: 0 }), /packet id 0/],
    [packetBytes(0x32, Buffer.from([0, 90, 65])), /cut short/],
    [Buffer.from([0x32, 0xff, 0xff, 0xff, 0xff, 1]), /more than four bytes/],
  ]
  for (const [bytes, reason] of broken) {
    const broker = await openScriptedBroker(t, V3)
    const { bridge, lines } = openTestBridge(t, { url: broker.url })
    await until(() => broker.subscriptions() === 1)
    broker.write(bytes)
    await until(() => broker.subscriptions() === 2)
    const warning = lines.find(({ level }) => level === 'warn')
    assert.match(String(warning?.fields['reason']), reason)
    await bridge.close(0)
  }
})

test('a topic that is no text is refused, and does not come for ever', LIMIT, async t => {
  const broker = await openScriptedBroker(t, V3)
  const { bridge, fake } = openTestBridge(t, { url: broker.url })
  await until(() => broker.subscriptions() === 1)
  broker.write(publishBytes(Buffer.from([0x64, 0xff, 0xfe]), '1', { qos: 1, id: 3 }))
  broker.write(publishBytes(TOPIC, '2', { qos: 1, id: 4 }))
  await until(() => broker.acknowledged.length === 2)
  assert.deepEqual([fake.payloads, broker.acknowledged], [['2'], [3, 4]])
  assert.equal(bridge.stats().messages.get('ignored'), 1)
})

test('a broker without shared subscriptions gets a plain one, and a warning', LIMIT, async t => {
  const unavailable = Buffer.from([0x20, 5, 0, 0, 2, 0x2a, 0])
  for (const [connack, filter] of [
    [unavailable, 'devices/+/+'],
    [V5.connack, '$share/weir/devices/+/+'],
  ] as const) {
    const broker = await openScriptedBroker(t, { connack, isV5: true })
    const options = { url: broker.url, version: 'v5', share: 'weir' } as const
    const { bridge, lines } = openTestBridge(t, options)
    await until(() => bridge.stats().isConnected)
    assert.deepEqual(broker.filters, [filter])
    const warnings = lines.filter(({ message }) => /no shared subscriptions/.test(message))
    assert.equal(warnings.length, connack === unavailable ? 1 : 0)
  }
})

test('why a broker says goodbye is in the log', LIMIT, async t => {
  const broker = await openScriptedBroker(t, V5)
  const { lines } = openTestBridge(t, { url: broker.url, version: 'v5' })
  await until(() => broker.subscriptions() === 1)
  broker.write(packetBytes(0xe0, Buffer.from([0x8e, 0])))
  await until(() => broker.subscriptions() === 2)
  const warning = lines.find(({ level }) => level === 'warn')
  assert.match(
    String(warning?.fields['reason']),
    /another client has connected with the same client id/,
  )
})
