import assert from 'node:assert/strict'
import { once, type EventEmitter } from 'node:events'
import { test, type TestContext } from 'node:test'
import { connect as connectMqtt, type IClientOptions, type MqttClient } from 'mqtt'
import { openAccess, type Access } from '../model/access.ts'
import { noLimits, openTestDoor, until, type TestDoor } from './door-fixture.ts'
import type { MqttIngestOutcome } from './options.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const granted = (fields: Partial<Access>): Mutable<Access> => ({
  ...openAccess('a'),
  ...{ isOperator: false, keyId: 'k' },
  ...fields,
})

interface ClosedDoor extends TestDoor {
  readonly keys: Record<string, Mutable<Access>>
  /** Tenant and payload of everything that was to be stored. */
  readonly stored: string[]
}

/** Keys are named for what they allow: `a`, `b` tenants, `a-pump` a device, `a-reads`, `a-writes`. */
async function closedDoor(t: TestContext): Promise<ClosedDoor> {
  const keys: Record<string, Mutable<Access>> = {
    a: granted({}),
    b: granted({ tenant: 'b' }),
    'a-pump': granted({ device: 'pump', scopes: ['ingest', 'read'] }),
    'a-valve': granted({ device: 'valve', scopes: ['ingest', 'read'] }),
    'a-reads': granted({ scopes: ['read'] }),
    'a-writes': granted({ scopes: ['ingest'] }),
  }
  const stored: string[] = []
  const door = await openTestDoor(t, {
    access: {
      open: undefined,
      verify: key => (Object.hasOwn(keys, key) ? keys[key] : undefined),
      limits: noLimits,
    },
    topics: [{ template: 'plant/{site}/{device_id}/{metric}' }],
    ingest(sender, messages): Promise<MqttIngestOutcome> {
      // What the gate does with a payload that names its device itself.
      const rejected = messages.flatMap(({ target, payload }, index) => {
        const named =
          target.deviceId || (JSON.parse(payload.toString()) as { device_id: string }).device_id
        if (sender.device === undefined || named === sender.device) {
          stored.push(`${sender.tenant} ${named} ${payload.toString()}`)
          return []
        }
        return [{ index, field: '', detail: 'no', reason: 'forbidden', points: 1 } as const]
      })
      return Promise.resolve({ accepted: messages.length - rejected.length, rejected })
    },
  })
  return { ...door, keys, stored }
}

const as = (key: string, options: IClientOptions = {}): IClientOptions => ({
  ...{ username: 'anybody', password: key },
  ...options,
})

/** Everything that a client receives, as `topic payload`. */
function heard(client: MqttClient): string[] {
  const got: string[] = []
  client.on('message', (topic, payload) => got.push(`${topic} ${payload.toString()}`))
  return got
}

/** The CONNACK code that a client is refused with. */
async function refusal(port: number, options: IClientOptions): Promise<unknown> {
  const client = connectMqtt(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options })
  const [error] = await once(client as unknown as EventEmitter, 'error')
  await client.endAsync(true)
  return (error as { code?: unknown }).code
}

test('who brings no key is refused with 5, who brings a wrong one with 4', async t => {
  const { port, lines } = await closedDoor(t)
  assert.equal(await refusal(port, {}), 5)
  assert.equal(await refusal(port, { username: 'nobody-knows-this' }), 4)
  assert.equal(await refusal(port, as('nobody-knows-this')), 4)
  assert.equal(await refusal(port, as('__proto__')), 4)
  assert.doesNotMatch(JSON.stringify(lines), /nobody-knows-this/)
})

test('the key may be the password or the user name', async t => {
  const { connect } = await closedDoor(t)
  await connect(as('a'))
  await connect({ username: 'a' })
  await connect({ username: 'a', password: 'anything' })
})

test('points go to the tenant of the key, whichever device and client id they name', async t => {
  const { connect, stored } = await closedDoor(t)
  const a = await connect(as('a', { clientId: 'same' }))
  const b = await connect(as('b', { clientId: 'same' }))
  await a.publishAsync('devices/pump/flow', '1', { qos: 1 })
  await b.publishAsync('devices/pump/flow', '2', { qos: 1 })
  assert.deepEqual(stored, ['a pump 1', 'b pump 2'])
  assert.ok(a.connected, 'the same client id in another tenant takes nothing over')
})

test('a tenant hears nothing of another: #, +, retained messages, $SYS, wills', async t => {
  const { connect, fake: _fake } = await closedDoor(t)
  const publisher = await connect(as('a', { clientId: 'publisher' }))
  await publisher.publishAsync('devices/pump/flow', 'before', { qos: 1, retain: true })
  await publisher.publishAsync('chat/x', 'kept', { qos: 1, retain: true })
  const b = await connect(as('b', { clientId: 'b' }))
  const gotB = heard(b)
  const a = await connect(as('a', { clientId: 'a' }))
  const gotA = heard(a)
  for (const client of [a, b]) {
    await client.subscribeAsync(['#', '+/+', '+/+/+', 'chat/x', '$SYS/#', '$share/g/#'], { qos: 1 })
  }
  const will = { topic: 'chat/will', payload: Buffer.from('gone'), qos: 1 as const, retain: true }
  const dying = await connect(as('a', { clientId: 'dying', will }))
  await publisher.publishAsync('devices/pump/flow', 'now', { qos: 1 })
  await publisher.publishAsync('chat/x', 'hello', { qos: 0 })
  dying.stream.destroy()
  await until(() => gotA.includes('chat/will gone') && gotA.includes('chat/x hello'))
  await b.publishAsync('chat/x', 'mine', { qos: 1 })
  await until(() => gotB.includes('chat/x mine'))
  const late = await connect(as('b', { clientId: 'late' }))
  const gotLate = heard(late)
  await late.subscribeAsync('#', { qos: 1 })
  await late.publishAsync('chat/end', 'end', { qos: 1 })
  await until(() => gotLate.includes('chat/end end'))
  const ofB = [...gotB, ...gotLate].filter(line => !line.startsWith('$SYS/'))
  assert.deepEqual(new Set(ofB), new Set(['chat/x mine', 'chat/end end']))
  const system = gotB.filter(line => line.startsWith('$SYS/')).join('\n')
  assert.doesNotMatch(system, /publisher|dying|"a"/)
})

test('a session that is kept belongs to its tenant', async t => {
  const { connect } = await closedDoor(t)
  const kept = { clientId: 'keeper', clean: false }
  const first = await connect(as('a', kept))
  await first.subscribeAsync('chat/#', { qos: 1 })
  await first.endAsync()
  const publisher = await connect(as('a'))
  await publisher.publishAsync('chat/x', 'for a', { qos: 1 })
  let gotB: string[] = []
  const b = await connect(as('b', kept), client => (gotB = heard(client)))
  await b.publishAsync('chat/x', 'of b', { qos: 1 })
  await b.endAsync()
  let gotA: string[] = []
  await connect(as('a', kept), client => (gotA = heard(client)))
  await until(() => gotA.length > 0)
  assert.deepEqual(gotA, ['chat/x for a'])
  assert.deepEqual(gotB, [])
})

test('without ingest a client publishes nothing, without read it subscribes to nothing', async t => {
  const { connect, stored, door } = await closedDoor(t)
  const all = await connect(as('a'))
  const got = heard(all)
  await all.subscribeAsync('#', { qos: 1 })
  const reader = await connect(as('a-reads'))
  await reader.publishAsync('devices/pump/flow', '1', { qos: 1 })
  await reader.publishAsync('chat/x', 'no', { qos: 1, retain: true })
  const writer = await connect(as('a-writes'))
  await assert.rejects(writer.subscribeAsync('chat/#', { qos: 1 }))
  await writer.publishAsync('chat/x', 'yes', { qos: 1 })
  await until(() => got.includes('chat/x yes'))
  assert.deepEqual(got, ['chat/x yes'])
  assert.deepEqual(stored, [])
  assert.equal(door.stats().messages.get('forbidden'), 2)
})

test('a key of one device publishes on its own topics only', async t => {
  const { connect, stored } = await closedDoor(t)
  const all = await connect(as('a'))
  const got = heard(all)
  await all.subscribeAsync('#', { qos: 1 })
  const pump = await connect(as('a-pump'))
  const record = (device_id: string) => JSON.stringify({ device_id, sensor_type: 'x', value: 1 })
  const tries: [topic: string, payload: string, isAllowed: boolean][] = [
    ['devices/pump/telemetry', '{"x":1}', true],
    ['devices/pump/log/line', 'text', true],
    ['plant/hall/pump/flow', '2', true],
    ['iot/data', record('pump'), true],
    ['devices/valve/telemetry', '{"x":1}', false],
    ['devices/pumpkin/flow', '3', false],
    ['devices', 'x', false],
    ['plant/hall/valve/flow', '3', false],
    ['plant/pump/valve/flow', '3', false],
    ['iot/data', record('valve'), false],
    ['chat/x', 'hello', false],
  ]
  for (const [topic, payload] of tries) await pump.publishAsync(topic, payload, { qos: 1 })
  await all.publishAsync('chat/end', 'end', { qos: 1 })
  await until(() => got.includes('chat/end end'))
  const allowed = tries.filter(([, , isAllowed]) => isAllowed)
  assert.deepEqual(got, [...allowed.map(([topic, text]) => `${topic} ${text}`), 'chat/end end'])
  assert.equal(stored.length, 3)
})

test('a key of one device subscribes to its own topics only', async t => {
  const { connect } = await closedDoor(t)
  const pump = await connect(as('a-pump'))
  const granted = ['devices/pump/#', 'devices/pump/flow', 'plant/+/pump/+', 'plant/+/pump/#']
  const refused = [
    ...['#', '+/#', 'devices/#', 'devices/+/flow', 'devices/valve/#', 'devices/pumpkin/#'],
    ...[
      'plant/#',
      'plant/+/+/flow',
      'plant/pump/#',
      '$SYS/#',
      '$share/g/devices/pump/#',
      'iot/data',
    ],
  ]
  for (const filter of granted) await pump.subscribeAsync(filter, { qos: 1 })
  for (const filter of refused)
    await assert.rejects(pump.subscribeAsync(filter, { qos: 1 }), filter)
  const got = heard(pump)
  const all = await connect(as('a'))
  for (const device of ['valve', 'pump']) {
    await all.publishAsync(`devices/${device}/flow`, device, { qos: 1 })
    await all.publishAsync(`plant/hall/${device}/flow`, device, { qos: 1 })
  }
  await until(() => got.includes('plant/hall/pump/flow pump'))
  assert.deepEqual([...new Set(got)], ['devices/pump/flow pump', 'plant/hall/pump/flow pump'])
})

test('a will of a device is of its own topics', async t => {
  const { connect, stored } = await closedDoor(t)
  const all = await connect(as('a'))
  const got = heard(all)
  await all.subscribeAsync('#', { qos: 1 })
  for (const topic of ['devices/valve/state', 'iot/data', 'devices/pump/state']) {
    const text = topic === 'iot/data' ? '{"device_id":"valve","sensor_type":"x","value":1}' : '0'
    const will = { topic, payload: Buffer.from(text), qos: 1 as const, retain: false }
    const dying = await connect(as('a-pump', { will }))
    dying.stream.destroy()
    await once(dying as unknown as EventEmitter, 'close')
  }
  await until(() => got.includes('devices/pump/state 0'))
  assert.deepEqual(got, ['devices/pump/state 0'])
  assert.deepEqual(stored, ['a pump 0'])
})

test('a device cannot take the client id or the session of another device', async t => {
  const { connect, port } = await closedDoor(t)
  const pump = await connect(as('a-pump', { clientId: 'one' }))
  assert.equal(await refusal(port, as('a-valve', { clientId: 'one' })), 2)
  assert.ok(pump.connected)
  await pump.endAsync()
  const kept = { clientId: 'kept', clean: false }
  const first = await connect(as('a-pump', kept))
  await first.subscribeAsync('devices/pump/#', { qos: 1 })
  await first.endAsync()
  assert.equal(await refusal(port, as('a-valve', kept)), 2)
  await connect(as('a-pump', kept))
})

test('a session that another key made brings nothing that the present one may not hear', async t => {
  const { connect } = await closedDoor(t)
  const kept = { clientId: 'kept', clean: false }
  const first = await connect(as('a', kept))
  await first.subscribeAsync('chat/#', { qos: 1 })
  await first.endAsync()
  const publisher = await connect(as('a'))
  await publisher.publishAsync('chat/x', 'offline', { qos: 1 })
  let got: string[] = []
  await connect(as('a-writes', kept), client => (got = heard(client)))
  await publisher.publishAsync('chat/x', 'online', { qos: 1 })
  const control = await connect(as('a'))
  const heardByAll = heard(control)
  await control.subscribeAsync('chat/#', { qos: 1 })
  await publisher.publishAsync('chat/x', 'end', { qos: 1 })
  await until(() => heardByAll.includes('chat/x end'))
  assert.deepEqual(got, [])
})

test('a connection is closed when its key ends', async t => {
  const { connect, keys, port } = await closedDoor(t)
  const client = await connect(as('a'))
  const other = await connect(as('b'))
  const closed = once(client as unknown as EventEmitter, 'close')
  keys['a'].endsAtMs = 0
  await closed
  assert.ok(other.connected)
  delete keys['a']
  assert.equal(await refusal(port, as('a')), 4)
})

test('a key past its limit is read no further, and nothing of it is lost', async t => {
  let isSpent = false
  let released = false
  let noted = 0
  const stored: string[] = []
  const { connect } = await openTestDoor(t, {
    access: {
      open: undefined,
      verify: () => granted({ limits: { requestsPerSecond: 1 } }),
      limits: {
        limits: () => true,
        takeMessages: (_access, messages) => void (noted += messages),
        pauseMs: () => (isSpent ? 5 : 0),
      },
    },
    ingest: (_sender, messages) => {
      stored.push(...messages.map(({ payload }) => payload.toString()))
      isSpent = !released && stored.length >= 100
      return Promise.resolve({ accepted: messages.length, rejected: [] })
    },
  })
  const client = await connect(as('a'))
  const sent = Array.from({ length: 300 }, (_, i) =>
    client.publishAsync('devices/pump/flow', `${i}`, { qos: 1 }),
  )
  await until(() => isSpent)
  const read = stored.length
  assert.ok(read < 100 + 16, `${read} messages were read`)
  // Many turns of the pause, in each of which more could have been read.
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setTimeout(resolve, 5))
  assert.equal(stored.length, read)
  stored.length = 0
  released = true
  isSpent = false
  await Promise.all(sent)
  assert.equal(read + stored.length, 300)
  assert.ok(noted >= 300)
})
