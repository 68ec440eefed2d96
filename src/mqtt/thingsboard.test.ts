import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openTestDoor, until } from './door-fixture.ts'

test("ThingsBoard's topics are telemetry that brings the user name of its connection", async t => {
  const { connect, fake } = await openTestDoor(t)
  const one = await connect({ username: 'k3y-1', password: '' })
  const two = await connect({ username: 'k3y-2' })
  const nobody = await connect()
  await one.publishAsync('v1/devices/me/telemetry', '{"a":1}', { qos: 1 })
  await two.publishAsync('v1/devices/me/telemetry', '{"a":2}', { qos: 1 })
  await nobody.publishAsync('v1/gateway/telemetry', '{"D":[{"a":3}]}', { qos: 1 })
  await one.publishAsync('v1/devices/me/attributes', '{"a":4}', { qos: 1 })
  assert.deepEqual(
    fake.stored.map(({ target, user }) => [target.dialect, user]),
    [
      ['thingsboard', 'k3y-1'],
      ['thingsboard', 'k3y-2'],
      ['thingsboard gateway', undefined],
      ['thingsboard attributes', 'k3y-1'],
    ],
  )
})

test('what a device says about itself is not delivered to others, whatever they subscribe to', async t => {
  const { connect, lines } = await openTestDoor(t)
  const heard: string[] = []
  const other = await connect({ username: 'other' })
  other.on('message', topic => heard.push(topic))
  await other.subscribeAsync(['#', 'v1/devices/me/attributes', 'v1/gateway/+'])
  const device = await connect({ username: 'k3y' })
  for (const topic of ['v1/devices/me/attributes', 'v1/devices/me/telemetry']) {
    await device.publishAsync(topic, '{"secret":1}', { qos: 1, retain: true })
  }
  for (const topic of ['v1/gateway/connect', 'v1/devices/me/attributes/request/1']) {
    await device.publishAsync(topic, '{"device":"A"}', { qos: 1 })
  }
  await device.publishAsync('v1/devices/me/telemetry', 'no JSON', { qos: 1 })
  await device.publishAsync('plain', 'x', { qos: 1 })
  await until(() => heard.includes('plain'))
  assert.deepEqual(heard, ['plain'])
  const late = await connect()
  late.on('message', topic => heard.push(`late ${topic}`))
  await late.subscribeAsync('v1/#')
  await device.publishAsync('v1/other', 'x', { qos: 1 })
  await until(() => heard.includes('late v1/other'))
  assert.ok(!heard.some(topic => topic.includes('me')), heard.join())
  assert.ok(!JSON.stringify(lines).includes('k3y'), 'the token is not logged')
})

test('a will on such a topic is a point of the device, and reaches nobody else', async t => {
  const { connect, fake } = await openTestDoor(t)
  const heard: string[] = []
  const other = await connect()
  other.on('message', topic => heard.push(topic))
  await other.subscribeAsync('#')
  const will = {
    topic: 'v1/devices/me/telemetry',
    payload: Buffer.from('{"on":0}'),
    qos: 0,
    retain: false,
  } as const
  const device = await connect({ username: 'k3y', will })
  device.stream.destroy()
  await until(() => fake.stored.length > 0)
  assert.equal(fake.stored[0].user, 'k3y')
  await other.publishAsync('plain', 'x', { qos: 1 })
  await until(() => heard.length > 0)
  assert.deepEqual(heard, ['plain'])
})
