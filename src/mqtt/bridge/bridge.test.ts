import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { WeirError } from '../../ports/errors.ts'
import { gateway, until } from '../door-fixture.ts'
import { openTestBridge, openTestBroker, type TestBridge } from './bridge.fixture.ts'

const LIMIT = { timeout: 60_000 }

const connected = ({ bridge }: TestBridge): Promise<void> => until(() => bridge.stats().isConnected)
const payloads = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))

test('no message is acknowledged before it is durable, and many wait together', LIMIT, async t => {
  const broker = await openTestBroker(t)
  const tested = openTestBridge(t, { url: broker.url })
  const { bridge, fake } = tested
  const durable = gateway()
  let waiting = 0
  fake.answer = async messages => {
    waiting += messages.length
    await durable.promise
    return fake.store(messages)
  }
  await connected(tested)
  await Promise.all(payloads(500).map(text => broker.publish('devices/p1/a', text)))
  await until(() => waiting === 500)
  assert.equal(bridge.stats().inFlight, 500)
  assert.deepEqual(broker.acknowledged, [])
  // How many arrive in one read is the machine's affair; that none went with another is not.
  assert.ok(fake.calls < 500, `${fake.calls} calls for 500 messages`)
  durable.resolve()
  await until(() => broker.acknowledged.length === 500)
  assert.deepEqual(fake.payloads, payloads(500))
  assert.deepEqual(
    broker.acknowledged,
    broker.acknowledged.toSorted((a, b) => a - b),
    'in the order in which they came',
  )
  assert.equal(bridge.stats().messages.get('stored'), 500)
})

test('what waits for the log is bounded, and the rest waits at the broker', LIMIT, async t => {
  const broker = await openTestBroker(t)
  const tested = openTestBridge(t, { url: broker.url, maxInFlightMessages: 50 })
  const { bridge, fake } = tested
  let most = 0
  let release: (() => void)[] = []
  fake.answer = async messages => {
    most = Math.max(most, bridge.stats().inFlight)
    await new Promise<void>(resolve => release.push(resolve))
    return fake.store(messages)
  }
  await connected(tested)
  await Promise.all(payloads(1000).map(text => broker.publish('devices/p1/a', text)))
  await until(() => {
    const now = release
    release = []
    for (const resolve of now) resolve()
    return fake.stored.length === 1000
  })
  assert.ok(most <= 50, `${most} messages were in flight`)
  assert.deepEqual(fake.payloads, payloads(1000))
})

test('an overloaded log holds messages, in order, without an acknowledgement', LIMIT, async t => {
  const broker = await openTestBroker(t)
  const tested = openTestBridge(t, { url: broker.url })
  const { bridge, fake } = tested
  let isFull = true
  const answer = fake.answer
  fake.answer = messages =>
    isFull ? Promise.reject(new WeirError('overloaded', 'full')) : answer(messages)
  await connected(tested)
  for (const text of payloads(20)) await broker.publish('devices/p1/a', text)
  await until(() => (bridge.stats().messages.get('retried') ?? 0) > 20)
  assert.deepEqual([broker.acknowledged, fake.payloads], [[], []])
  assert.match(bridge.problem() ?? '', /the bridge test waits: the log takes no points/)
  isFull = false
  await until(() => broker.acknowledged.length === 20)
  assert.deepEqual(fake.payloads, payloads(20), 'each once, in order')
  assert.equal(bridge.problem(), undefined)
  assert.equal(broker.connections, 1, 'it was never disconnected')
})

test(
  'a log that has failed for good cuts the connection; the messages come again',
  LIMIT,
  async t => {
    const broker = await openTestBroker(t)
    const tested = openTestBridge(t, { url: broker.url })
    const { fake, lines } = tested
    const answer = fake.answer
    fake.answer = messages =>
      fake.calls < 3
        ? Promise.reject(new WeirError('closed', 'the log has failed'))
        : answer(messages)
    await connected(tested)
    await broker.publish('devices/p1/a', '1')
    await until(() => broker.acknowledged.length === 1)
    assert.deepEqual(fake.payloads, ['1'])
    assert.ok(lines.some(({ fields }) => /the log has failed/.test(String(fields['reason']))))
    assert.equal(broker.connections, 3)
  },
)

test('what can never be stored is acknowledged, counted and explained', LIMIT, async t => {
  const broker = await openTestBroker(t)
  const tested = openTestBridge(t, { url: broker.url, filters: ['#'] })
  const { bridge, fake, lines } = tested
  await connected(tested)
  await broker.publish('devices/p1/a', 'no JSON')
  await broker.publish('devices/p1/b', Buffer.alloc(200_000, '7'))
  await broker.publish('chat/hello', 'hello')
  await broker.publish('devices/p1/a', '5')
  await until(() => broker.acknowledged.length === 4)
  assert.deepEqual(fake.payloads, ['5'])
  const { messages } = bridge.stats()
  const counts = ['received', 'stored', 'refused', 'ignored'].map(kind => messages.get(kind))
  assert.deepEqual(counts, [4, 1, 2, 1])
  assert.ok(lines.some(({ fields }) => fields['topic'] === 'devices/p1/a'))
})

test('retained messages are no points unless it is told so', LIMIT, async t => {
  const broker = await openTestBroker(t)
  await broker.publish('devices/p1/a', '1', true)
  const without = openTestBridge(t, { url: broker.url, clientId: 'without' })
  const withThem = openTestBridge(t, { url: broker.url, clientId: 'with', retained: true })
  await Promise.all([connected(without), connected(withThem)])
  await until(() => without.bridge.stats().messages.get('retained') === 1)
  await until(() => withThem.fake.stored.length === 1)
  assert.deepEqual([without.fake.payloads, withThem.fake.payloads], [[], ['1']])
})

test('a connection that breaks is made again, and nothing is lost', LIMIT, async t => {
  const broker = await openTestBroker(t)
  const tested = openTestBridge(t, { url: broker.url })
  const { bridge, fake } = tested
  await connected(tested)
  for (const text of payloads(300)) {
    await broker.publish('devices/p1/a', text)
    if (Number(text) % 50 === 49) broker.breakConnections()
  }
  await until(() => new Set(fake.payloads).size === 300)
  await until(() => bridge.stats().inFlight === 0 && bridge.stats().isConnected)
  assert.ok(bridge.stats().reconnects > 0)
})

test('a refused subscription is an error in the log, a problem and a metric', LIMIT, async t => {
  let mayRead = false
  let refusals = 0
  const broker = await openTestBroker(t, {
    authorizeSubscribe: (_client, subscription, callback) => {
      const isGranted = mayRead || subscription.topic !== 'iot/data'
      if (!isGranted) refusals++
      callback(null, isGranted ? subscription : null)
    },
  })
  const tested = openTestBridge(t, { url: broker.url, filters: ['devices/+/+', 'iot/data'] })
  const { bridge, fake, lines } = tested
  await until(() => bridge.stats().refusedFilters === 1)
  assert.ok(bridge.stats().isConnected, 'the other filter works')
  assert.match(
    bridge.problem() ?? '',
    /refuses the bridge test the filter iot\/data: refused without a reason$/,
  )
  const errors = lines.filter(({ level }) => level === 'error')
  assert.deepEqual(
    errors.map(({ fields }) => fields['filter']),
    ['iot/data'],
    'said once, however often it is tried',
  )
  await until(() => refusals >= 3)
  await broker.publish('devices/p1/a', '1')
  await until(() => fake.stored.length === 1)
  mayRead = true
  await until(() => bridge.stats().refusedFilters === 0)
  assert.equal(bridge.problem(), undefined)
})

test('a wrong password is named in the log, the password is not', LIMIT, async t => {
  const broker = await openTestBroker(t, {
    authenticate: (...[, , password, callback]) => {
      if (String(password) === 'right') callback(null, true)
      else callback(Object.assign(new Error('no'), { returnCode: 4 }), false)
    },
  })
  const login = { url: broker.url, username: 'weir', password: 'secret-and-wrong' }
  const { bridge, lines } = openTestBridge(t, login)
  await until(() => lines.length > 3)
  assert.match(String(lines[0].fields['reason']), /Bad username or password/)
  assert.match(bridge.problem() ?? '', /Bad username or password/)
  assert.doesNotMatch(JSON.stringify(lines), /secret-and-wrong/)
  assert.ok(await connected(openTestBridge(t, { ...login, password: 'right' })).then(() => true))
})

test('it waits for a broker that is not there yet', LIMIT, async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await until(() => server.listening)
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  const { bridge, lines } = openTestBridge(t, { url: `mqtt://127.0.0.1:${port}` })
  await until(() => lines.length >= 8)
  const waits = lines.map(({ fields }) => Number(fields['retryMs']))
  assert.ok(
    waits.every(ms => ms <= 50),
    `waits are bounded: ${waits.join(', ')}`,
  )
  assert.match(bridge.problem() ?? '', /is not connected to 127\.0\.0\.1:\d+: connect ECONNREFUSED/)
})

test('a broker that speaks no MQTT, or nothing, does no harm', LIMIT, async t => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 400 Bad Request\r\n'.repeat(20))
  }).listen(0, '127.0.0.1')
  await until(() => server.listening)
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const { bridge, lines } = openTestBridge(t, { url: `mqtt://127.0.0.1:${port}` })
  await until(() => lines.length >= 3)
  assert.equal(bridge.stats().isConnected, false)
  assert.match(bridge.problem() ?? '', /is not connected/)
})

test('a bridge that may not read for long keeps its connection', LIMIT, async t => {
  const broker = await openTestBroker(t)
  const short = { url: broker.url, keepAliveMs: 1000, maxInFlightMessages: 1 }
  const tested = openTestBridge(t, short)
  const { fake } = tested
  const durable = gateway()
  const answer = fake.answer
  fake.answer = async messages => {
    await durable.promise
    return answer(messages)
  }
  await connected(tested)
  await Promise.all(payloads(3).map(text => broker.publish('devices/p1/a', text)))
  const before = broker.pings
  await until(() => broker.pings >= before + 4)
  assert.equal(broker.connections, 1)
  durable.resolve()
  await until(() => fake.stored.length === 3)
  assert.equal(broker.connections, 1)
})

test('a stop acknowledges what was read, once it is durable', LIMIT, async t => {
  const broker = await openTestBroker(t)
  const tested = openTestBridge(t, { url: broker.url })
  const { bridge, fake } = tested
  const durable = gateway()
  const answer = fake.answer
  fake.answer = async messages => {
    await durable.promise
    return answer(messages)
  }
  await connected(tested)
  await broker.publish('devices/p1/a', '1')
  await until(() => fake.calls === 1)
  const closed = bridge.close(30_000)
  durable.resolve()
  await closed
  await until(() => broker.acknowledged.length === 1)
  await broker.publish('devices/p1/a', '2')
  const again = openTestBridge(t, { url: broker.url })
  await until(() => again.fake.stored.length === 1)
  assert.deepEqual(again.fake.payloads, ['2'], 'the broker kept what came meanwhile')
})

test('many filters are asked for in packets of eight', LIMIT, async t => {
  const sizes: number[] = []
  const broker = await openTestBroker(t)
  broker.engine.on('subscribe', subscriptions => sizes.push(subscriptions.length))
  const filters = Array.from({ length: 19 }, (_, i) => `site-${i}/+/+`)
  const templates = filters.map((_, i) => ({ template: `site-${i}/{device_id}/{metric}` }))
  const tested = openTestBridge(t, { url: broker.url, filters, templates })
  await connected(tested)
  assert.deepEqual(sizes, [8, 8, 3])
  await broker.publish('site-18/p/a', '5')
  await until(() => tested.fake.stored.length === 1)
})

test('what the configuration no longer names is unsubscribed', LIMIT, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bridge-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const broker = await openTestBroker(t)
  const same = { url: broker.url, stateFile: join(folder, 'state.json') }
  const before = openTestBridge(t, { ...same, filters: ['devices/+/+', 'iot/data'] })
  await connected(before)
  await before.bridge.close()
  const after = openTestBridge(t, { ...same, filters: ['devices/+/+'] })
  await connected(after)
  await broker.publish('iot/data', '1')
  await broker.publish('devices/p1/a', '2')
  await until(() => after.fake.stored.length === 1)
  assert.equal(after.bridge.stats().messages.get('received'), 1)
  await after.bridge.close()
  const other = openTestBridge(t, { ...same, clientId: 'other', filters: ['iot/data'] })
  await connected(other)
  await broker.publish('iot/data', '3')
  await until(() => other.fake.stored.length === 1)
})

test('wrong files are an error of the start that names the bridge', t => {
  const url = 'mqtts://127.0.0.1:1'
  const wrong = [
    { passwordFile: '/nowhere/password' },
    { passwordEnv: 'WEIR_TEST_NO_SUCH_VARIABLE' },
    { tls: { rejectUnauthorized: true, caFile: '/nowhere/ca.pem' } },
    { tls: { rejectUnauthorized: true, certFile: import.meta.filename } },
  ]
  for (const options of wrong) {
    const open = (): unknown => openTestBridge(t, { url, username: 'weir', ...options })
    assert.throws(open, { kind: 'config', message: /^mqtt\.bridges, test: / })
  }
})
