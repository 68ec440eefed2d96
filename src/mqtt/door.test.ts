import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WeirError } from '../ports/errors.ts'
import { connectBytes, gateway, openTestDoor, publishBytes, until } from './door-fixture.ts'
import type { MqttIngestOutcome } from './options.ts'

const TOPIC = 'devices/p1/telemetry'
const CONNACK = '20020000'

test('a QoS 1 message is acknowledged only when it is durable', async t => {
  const { raw, fake } = await openTestDoor(t)
  const disk = gateway()
  fake.answer = async messages => {
    await disk.promise
    return fake.store(messages)
  }
  const client = await raw()
  client.write(connectBytes('c'), publishBytes(TOPIC, '{"a":1}', { qos: 1, id: 7 }))
  assert.equal(await client.take(4), CONNACK)
  // A ping is answered meanwhile, so the acknowledgement would have been here by now.
  client.write([0xc0, 0])
  assert.equal(await client.take(2), 'd000')
  await until(() => fake.calls === 1)
  assert.equal(client.bytes.length, 0)
  disk.resolve()
  assert.equal(await client.take(4), '40020007')
  assert.deepEqual(fake.payloads, ['{"a":1}'])
})

test('messages are stored and acknowledged in the order in which they came', async t => {
  const { raw, fake } = await openTestDoor(t)
  const answers: (() => void)[] = []
  fake.answer = messages =>
    new Promise(resolve => answers.push(() => resolve(fake.store(messages))))
  const client = await raw()
  client.write(connectBytes('c'))
  await client.take(4)
  const ids = Array.from({ length: 30 }, (_, i) => i + 1)
  for (const id of ids.slice(0, 10)) client.write(publishBytes(TOPIC, `${id}`, { qos: 1, id }))
  await until(() => answers.length > 0)
  const before = answers.length
  for (const id of ids.slice(10)) client.write(publishBytes('plain', `${id}`, { qos: 1, id }))
  client.write(publishBytes(TOPIC, '31', { qos: 1, id: 31 }))
  await until(() => answers.length > before)
  // The last answers first.
  for (const answer of answers.toReversed()) answer()
  const acknowledged: number[] = []
  for (const _ of [...ids, 31]) acknowledged.push(parseInt((await client.take(4)).slice(4), 16))
  assert.deepEqual(acknowledged, [...ids, 31])
})

test('a bad payload is acknowledged, counted and logged, and its neighbours are stored', async t => {
  const { raw, fake, door, lines } = await openTestDoor(t)
  const client = await raw()
  client.write(
    connectBytes('c'),
    publishBytes(TOPIC, '{"a":1}', { qos: 1, id: 1 }),
    publishBytes(TOPIC, '{"a":', { qos: 1, id: 2 }),
    publishBytes(TOPIC, '{"a":3}', { qos: 1, id: 3 }),
  )
  assert.equal(await client.take(16), `${CONNACK}400200014002000240020003`)
  assert.deepEqual(fake.payloads, ['{"a":1}', '{"a":3}'])
  assert.equal(door.stats().messages.get('stored'), 2)
  assert.equal(door.stats().messages.get('refused'), 1)
  assert.equal(lines[0].fields.topic, TOPIC)
})

test('who subscribes to a device’s refusals is told the reason', async t => {
  const { connect } = await openTestDoor(t)
  const client = await connect()
  await client.subscribeAsync('devices/+/telemetry/refused')
  const told = gateway<[string, Buffer]>()
  client.on('message', (topic, payload) => told.resolve([topic, payload]))
  await client.publishAsync(TOPIC, '{"a":', { qos: 1 })
  const [topic, payload] = await told.promise
  assert.equal(topic, 'devices/p1/telemetry/refused')
  const { reason, topic: about } = JSON.parse(payload.toString())
  assert.deepEqual([reason, about], ['malformed', TOPIC])
})

test('while the log refuses, the socket is not read and nothing is acknowledged', async t => {
  const { raw, fake, door } = await openTestDoor(t)
  let isFull = true
  fake.answer = messages =>
    isFull
      ? Promise.reject(new WeirError('overloaded', 'full', { limit: 'ingest.maxPendingBytes' }))
      : Promise.resolve(fake.store(messages))
  const client = await raw()
  client.write(connectBytes('c'))
  await client.take(4)
  client.write(publishBytes(TOPIC, '0', { qos: 1, id: 1 }))
  await until(() => (door.stats().messages.get('retried') ?? 0) > 1)
  const received = door.stats().messages.get('received_qos1')
  for (let id = 2; id <= 5; id++) client.write(publishBytes(TOPIC, `${id}`, { qos: 1, id }))
  const retries = door.stats().messages.get('retried') ?? 0
  await until(() => (door.stats().messages.get('retried') ?? 0) > retries + 1)
  assert.equal(door.stats().messages.get('received_qos1'), received)
  assert.equal(client.bytes.length, 0)
  isFull = false
  assert.equal(await client.take(20), '4002000140020002400200034002000440020005')
  assert.deepEqual(fake.payloads, ['0', '2', '3', '4', '5'])
})

test('a client whose messages cannot be stored in time is cut without an acknowledgement', async t => {
  const { raw, fake, door } = await openTestDoor(t, { limits: { maxHoldMs: 30 } })
  fake.answer = () => Promise.reject(new WeirError('retryable', 'disk full', { code: 'disk_full' }))
  const client = await raw()
  client.write(connectBytes('c'), publishBytes(TOPIC, '1', { qos: 1, id: 1 }))
  await client.take(4)
  await client.closed()
  assert.equal(client.bytes.length, 0)
  assert.equal(door.stats().messages.get('unacknowledged'), 1)
  assert.equal(door.stats().messages.get('stored'), 0)
})

for (const [what, error] of [
  ['a log that has failed', new WeirError('closed', 'fsync failed')],
  ['a fault in ingest', new TypeError('undefined is not a function')],
] as const) {
  test(`${what} cuts the client at once, without an acknowledgement`, async t => {
    const { raw, fake } = await openTestDoor(t)
    fake.answer = () => Promise.reject(error)
    const client = await raw()
    client.write(connectBytes('c'), publishBytes(TOPIC, '1', { qos: 1, id: 1 }))
    assert.equal(await client.take(4), CONNACK)
    await client.closed()
    assert.equal(client.bytes.length, 0)
  })
}

test('a message sent again after a lost connection keeps its arrival', async t => {
  const { raw, fake } = await openTestDoor(t)
  const first = gateway<MqttIngestOutcome>()
  fake.answer = () => first.promise
  const seen: number[] = []
  const lost = await raw()
  lost.write(connectBytes('c'), publishBytes('devices/p1/t', '20', { qos: 1, id: 5 }))
  await until(() => fake.calls === 1)
  lost.socket.destroy()
  fake.answer = messages => {
    seen.push(...messages.map(({ arrivalUs }) => arrivalUs))
    return Promise.resolve(fake.store(messages))
  }
  const back = await raw()
  back.write(
    connectBytes('c'),
    publishBytes('devices/p1/t', '20', { qos: 1, id: 5, dup: true }),
    publishBytes('devices/p1/t', '20', { qos: 1, id: 6 }),
    publishBytes('devices/p1/t', '20', { qos: 1, id: 5 }),
  )
  assert.equal(await back.take(16), `${CONNACK}400200054002000640020005`)
  assert.ok(seen[0] < seen[1] - 1, 'the first came earlier than it was sent again')
  assert.ok(seen[1] < seen[2], 'every message has an arrival of its own')
  first.resolve({ accepted: 1, rejected: [] })
})

test('a QoS 2 message reaches ingest once, however often it is sent before its release', async t => {
  const { raw, fake, door } = await openTestDoor(t)
  const message = publishBytes(TOPIC, '1', { qos: 2, id: 9 })
  const again = publishBytes(TOPIC, '1', { qos: 2, id: 9, dup: true })
  const client = await raw()
  client.write(connectBytes('c', { flags: 0 }), message)
  assert.equal(await client.take(8), `${CONNACK}50020009`)
  client.write(again)
  assert.equal(await client.take(4), '50020009')
  client.socket.destroy()
  await until(() => door.stats().clients === 0)
  const back = await raw()
  back.write(connectBytes('c', { flags: 0 }), again)
  assert.equal((await back.take(8)).slice(8), '50020009')
  back.write([0x62, 2, 0, 9], [0x62, 2, 0, 9])
  assert.equal(await back.take(8), '7002000970020009')
  assert.equal(fake.stored.length, 1)
  back.write(message)
  assert.equal(await back.take(4), '50020009')
  assert.equal(fake.stored.length, 2)
})

test('a QoS 2 message that is not durable yet is not stored twice either', async t => {
  const { raw, fake } = await openTestDoor(t)
  const disk = gateway()
  fake.answer = async messages => {
    await disk.promise
    return fake.store(messages)
  }
  const client = await raw()
  client.write(connectBytes('c'))
  await client.take(4)
  client.write(publishBytes(TOPIC, '1', { qos: 2, id: 9 }))
  client.write(publishBytes(TOPIC, '1', { qos: 2, id: 9, dup: true }), [0xc0, 0])
  await client.take(2)
  disk.resolve()
  assert.equal(await client.take(4), '50020009')
  client.write([0xc0, 0])
  assert.equal(await client.take(2), 'd000')
  assert.equal(fake.calls, 1)
})

test('close acknowledges what was read, and publishes no wills', async t => {
  const { raw, fake, door, connect } = await openTestDoor(t)
  await connect({
    will: { topic: 'devices/p2/status', payload: Buffer.from('"lost"'), qos: 1, retain: false },
  })
  const disk = gateway()
  fake.answer = async messages => {
    await disk.promise
    return fake.store(messages)
  }
  const client = await raw()
  client.write(connectBytes('c'), publishBytes(TOPIC, '1', { qos: 1, id: 1 }))
  await client.take(4)
  await until(() => fake.calls === 1)
  const closed = door.close()
  disk.resolve()
  assert.equal(await client.take(4), '40020001')
  await client.closed()
  await closed
  assert.deepEqual(fake.payloads, ['1'])
  const late = await raw().catch((error: unknown) => error)
  assert.ok(late instanceof Error)
})

test('close ends in time even when the log never answers', async t => {
  const { raw, fake, door } = await openTestDoor(t)
  fake.answer = () => new Promise(() => {})
  const client = await raw()
  client.write(connectBytes('c'), publishBytes(TOPIC, '1', { qos: 1, id: 1 }))
  await until(() => fake.calls === 1)
  await door.close(20)
  await client.closed()
})

test('configured topics are telemetry, and the first that fits decides', async t => {
  const { connect, fake } = await openTestDoor(t, {
    topics: [
      { template: 'plant/{site}/{device_id}/{metric}', path: 'reading.value' },
      { template: 'plant/{line}/{device_id}/state' },
      { template: 'meters/{device_id}' },
    ],
  })
  const client = await connect()
  await client.publishAsync('plant/north/p1/state', '{"reading":{"value":1}}', { qos: 1 })
  await client.publishAsync('meters/m1', '{"kwh":1}', { qos: 1 })
  await client.publishAsync('plant/north/p1/state/more', '1', { qos: 1 })
  assert.deepEqual(
    fake.stored.map(({ target }) => ({ ...target })),
    [
      {
        dialect: 'value',
        deviceId: 'p1',
        metric: 'state',
        jsonPath: 'reading.value',
        site: 'north',
      },
      { dialect: 'record', deviceId: 'm1', metric: '', jsonPath: undefined, site: undefined },
    ],
  )
})

test('a wrong topic template is a configuration error', async t => {
  for (const template of ['plant/{metric}', 'a//{device_id}', 'a/{device_id}/{device_id}', 'a/+']) {
    const topics = [{ template }]
    await assert.rejects(openTestDoor(t, { topics }), { name: 'WeirError', kind: 'config' })
  }
})

test('a client that takes over gets its unacknowledged message stored with its first arrival', async t => {
  const { raw, fake } = await openTestDoor(t)
  const arrivals: number[] = []
  const answers: (() => void)[] = []
  fake.answer = messages => {
    arrivals.push(...messages.map(({ arrivalUs }) => arrivalUs))
    return new Promise(resolve => answers.push(() => resolve(fake.store(messages))))
  }
  const message = { qos: 2, id: 3 }
  const first = await raw()
  first.write(connectBytes('c', { flags: 0 }), publishBytes('devices/p1/t', '20', message))
  await until(() => answers.length === 1)
  const second = await raw()
  second.write(connectBytes('c', { flags: 0 }))
  await first.closed()
  second.write(publishBytes('devices/p1/t', '20', { ...message, dup: true }))
  await until(() => answers.length === 2)
  for (const answer of answers) answer()
  assert.equal((await second.take(8)).slice(8), '50020003')
  assert.equal(arrivals[0], arrivals[1])
})

test('what a clean session left behind is not mistaken for a later session’s message', async t => {
  const { raw, fake, door } = await openTestDoor(t)
  const disk = gateway()
  fake.answer = async messages => {
    await disk.promise
    return fake.store(messages)
  }
  const clean = await raw()
  clean.write(connectBytes('c'), publishBytes(TOPIC, '1', { qos: 2, id: 3 }))
  await until(() => fake.calls === 1)
  clean.socket.destroy()
  await until(() => door.stats().clients === 0)
  disk.resolve()
  await until(() => fake.stored.length === 1)
  const kept = await raw()
  kept.write(connectBytes('c', { flags: 0 }), publishBytes(TOPIC, '2', { qos: 2, id: 3 }))
  assert.equal(await kept.take(8), '2002000050020003')
  assert.deepEqual(fake.payloads, ['1', '2'])
})

test('batches that a failing log refused are tried again in their order', async t => {
  const { raw, fake, door } = await openTestDoor(t)
  const refusals: ((error: Error) => void)[] = []
  fake.answer = () => new Promise((_, reject) => refusals.push(reject))
  const client = await raw()
  client.write(connectBytes('c'))
  await client.take(4)
  for (let id = 1; id <= 3; id++) {
    client.write(publishBytes(TOPIC, `${id}`, { qos: 1, id }))
    await until(() => refusals.length === id)
  }
  fake.answer = messages => Promise.resolve(fake.store(messages))
  for (const refuse of refusals) refuse(new WeirError('retryable', 'disk full'))
  assert.equal(await client.take(12), '400200014002000240020003')
  assert.deepEqual(fake.payloads, ['1', '2', '3'])
  assert.equal(door.stats().messages.get('stored'), 3)
})
