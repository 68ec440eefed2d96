import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connectAsync } from 'mqtt'
import { ClientLedger } from '../fixtures/client-ledger.ts'
import { faultyDisk, noFaultyDisk, smallDisk } from '../fixtures/faulty-disk.ts'
import type { ModelPoint } from '../fixtures/point-model.ts'
import { readPoints } from '../fixtures/read-back.ts'
import { asArray, sendOverHttp, sendOverMqtt } from '../fixtures/sending-clients.ts'
import { until } from '../fixtures/until.ts'
import {
  settledLedger,
  weirClient,
  type WeirAnswer,
  type WeirClient,
} from '../fixtures/weir-client.ts'
import { lastFirst, runWeir, startWeir } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 300_000 }
const FAST_FLUSH = [
  '--store.headBytes=1MB',
  '--store.flushIntervalMs=100ms',
  '--store.partitionMs=5m',
]
/** So far back that no test comes to the future, which is refused. */
const START_US = (Date.now() - 60 * 86_400e3) * 1000

/** Points of one device, a second apart. */
function sequence(device: string) {
  let count = 0
  return (points: number): ModelPoint[] =>
    Array.from({ length: points }, () => ({
      device,
      metric: 'm',
      timeUs: START_US + count++ * 1e6,
      value: count / 8,
    }))
}

/** Sends the points and keeps the books of it. */
async function send(
  client: WeirClient,
  ledger: ClientLedger,
  points: readonly ModelPoint[],
): Promise<WeirAnswer> {
  const sending = ledger.send(points)
  const { path, body } = asArray({ device: points[0].device, points })
  const answer = await client.post(path, body)
  if (answer.status === 200) sending.acknowledged()
  return answer
}

test('a failed fsync acknowledges nothing, turns /ready red, and reads go on', LIMIT, async t => {
  const reason = await noFaultyDisk()
  if (reason !== undefined) return t.skip(reason)
  const lifetime = lastFirst(t)
  const disk = await faultyDisk()
  lifetime.after(() => disk.remove())
  const data = join(disk.directory, 'data')
  mkdirSync(data)
  const weir = await startWeir(lifetime, { data, env: disk.env })
  const client = await weirClient(weir.url)
  const ledger = new ClientLedger()
  const next = sequence('a')
  assert.equal((await send(client, ledger, next(100))).status, 200)
  const mqtt = await connectAsync(weir.mqttUrl, { reconnectPeriod: 0 })
  t.after(() => mqtt.endAsync(true))

  await disk.set('sync')
  const failed = await send(client, ledger, next(10))
  assert.equal(failed.status, 503, failed.text)
  assert.ok((await disk.hits()) > 0, 'the fault was met')
  const { status, json } = await client.get('/ready')
  assert.equal(status, 503)
  assert.match(json.reasons.join(), /log takes no writes/)
  let isAcknowledged = false
  const closed = new Promise<void>(resolve => mqtt.once('close', () => resolve()))
  mqtt.publish('devices/other/telemetry', '{"m":1}', { qos: 1 }, error => {
    isAcknowledged = error === undefined || error === null
  })

  // The disk is well again, but what a failed fsync left on it is unknown: it stays refused.
  await disk.set('none')
  for (let i = 0; i < 5; i++) {
    assert.equal((await send(client, ledger, next(10))).status, 503)
  }
  assert.equal((await client.get('/health')).status, 200)
  ledger.mustHold(await readPoints(client, ['a']))

  weir.signal('SIGTERM')
  await closed
  assert.equal(isAcknowledged, false, 'nothing is acknowledged over MQTT either')
  assert.deepEqual(await weir.exited(), { code: 4, signal: null })
  await weir.start()
  const again = await weirClient(weir.url)
  assert.deepEqual(await again.read('/ready'), { status: 'ready', reasons: [] })
  ledger.mustHold(await readPoints(again, ['a']))
  assert.equal((await send(again, ledger, next(10))).status, 200)
  await settledLedger(again)
})

test(
  'a full disk refuses writes, answers reads, and takes writes again when there is room',
  LIMIT,
  async t => {
    const reason = await noFaultyDisk()
    if (reason !== undefined) return t.skip(reason)
    const disk = await faultyDisk()
    const lifetime = lastFirst(t)
    lifetime.after(() => disk.remove())
    const data = join(disk.directory, 'data')
    mkdirSync(data)
    const weir = await startWeir(lifetime, { data, env: disk.env, args: FAST_FLUSH })
    const client = await weirClient(weir.url)
    const ledger = new ClientLedger()
    const next = sequence('a')
    for (let i = 0; i < 20; i++) assert.equal((await send(client, ledger, next(500))).status, 200)

    // Flushes are under way at any moment.
    await disk.set('filled')
    const before = await disk.hits()
    await until('a write that is refused', async () => {
      return (await send(client, ledger, next(2000))).status !== 200
    })
    for (let i = 0; i < 5; i++) {
      const answer = await send(client, ledger, next(2000))
      assert.ok([503, 507].includes(answer.status), answer.text)
      assert.ok(Number(answer.headers.get('retry-after')) >= 1)
    }
    assert.ok((await disk.hits()) > before, 'the fault was met')
    ledger.mustHold(await readPoints(client, ['a']))
    assert.equal((await client.get('/api/v1/telemetry/latest')).status, 200)

    await disk.set('none')
    await until('a write that is taken again', async () => {
      const answer = await send(client, ledger, next(10))
      return answer.status === 200
    })
    await until('ready', async () => (await client.get('/ready')).status === 200)
    ledger.mustHold(await readPoints(client, ['a']))
    await settledLedger(client)
    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
    await weir.start()
    ledger.mustHold(await readPoints(client, ['a']))
  },
)

test(
  'a disk that is really full loses nothing, and the node goes on when there is room',
  LIMIT,
  async t => {
    const disk = await smallDisk(64 * 1024 * 1024)
    if (typeof disk === 'string') return t.skip(`optional: ${disk}`)
    const lifetime = lastFirst(t)
    lifetime.after(() => disk.remove())
    const data = join(disk.directory, 'data')
    mkdirSync(data)
    const weir = await startWeir(lifetime, { data, args: FAST_FLUSH })
    const client = await weirClient(weir.url)
    const ledger = new ClientLedger()
    const next = sequence('a')
    for (let i = 0; i < 20; i++) assert.equal((await send(client, ledger, next(500))).status, 200)

    const filler = join(disk.directory, 'filler')
    fill(filler)
    const refused = await until('a write that is refused', async () => {
      const answer = await send(client, ledger, next(2000))
      return answer.status !== 200 && answer
    })
    assert.ok([503, 507].includes(refused.status), refused.text)
    ledger.mustHold(await readPoints(client, ['a']))
    // It stays so while the disk is full, whatever is tried.
    for (let i = 0; i < 5; i++) {
      assert.ok([503, 507].includes((await send(client, ledger, next(2000))).status))
    }

    rmSync(filler)
    await until('a write that is taken again', async () => {
      return (await send(client, ledger, next(2000))).status === 200
    })
    await until('ready', async () => (await client.get('/ready')).status === 200)
    ledger.mustHold(await readPoints(client, ['a']))
    const { stored } = await settledLedger(client)
    assert.ok(stored >= ledger.sureKeys)
    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
    await weir.start()
    ledger.mustHold(await readPoints(client, ['a']))
    assert.equal((await settledLedger(client)).stored, stored)
  },
)

test(
  'a log that fills the disk by itself is taken over and trimmed without help',
  LIMIT,
  async t => {
    const disk = await smallDisk(16 * 1024 * 1024)
    if (typeof disk === 'string') return t.skip(`optional: ${disk}`)
    const lifetime = lastFirst(t)
    lifetime.after(() => disk.remove())
    const data = join(disk.directory, 'data')
    mkdirSync(data)
    // The head is larger than the disk, and the time of a flush far away: only the full log asks for it.
    const weir = await startWeir(lifetime, { data, args: ['--store.flushIntervalMs=1h'] })
    const client = await weirClient(weir.url)
    const ledger = new ClientLedger()
    const next = sequence('a')
    let refusals = 0
    // More than twice what the disk could hold.
    while (ledger.sureKeys < 1_500_000) {
      const points = next(5000)
      await until('a write that is taken again', async () => {
        const { status, text } = await send(client, ledger, points)
        if (status === 200) return true
        assert.ok([503, 507].includes(status), text.slice(0, 200))
        refusals++
        return false
      })
    }
    t.diagnostic(`${refusals} refusals`)
    assert.ok(refusals > 0, 'the disk was full')
    const { stored } = await settledLedger(client)
    assert.equal(stored, ledger.sureKeys)
    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
  },
)

/** Takes all the room that is left. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (let bytes = 1 << 20; bytes >= 1; bytes /= 4) {
      const chunk = Buffer.alloc(bytes, 1)
      assert.throws(
        () => {
          for (;;) writeSync(file, chunk)
        },
        { code: 'ENOSPC' },
      )
    }
  } finally {
    closeSync(file)
  }
}

test('a second node on the same data folder is refused and does no harm', LIMIT, async t => {
  const weir = await startWeir(t)
  const client = await weirClient(weir.url)
  const ledger = new ClientLedger()
  const next = sequence('a')
  assert.equal((await send(client, ledger, next(10))).status, 200)
  const second = await runWeir([
    'up',
    '--data',
    weir.data,
    '--http',
    '127.0.0.1:0',
    '--mqtt',
    '127.0.0.1:0',
  ])
  assert.equal(second.code, 3)
  assert.match(second.stderr, new RegExp(`in use by process ${weir.pid}`))
  assert.doesNotMatch(second.stderr, /^ +at /m, 'no stack trace for an everyday mistake')
  assert.equal((await send(client, ledger, next(10))).status, 200)
  ledger.mustHold(await readPoints(client, ['a']))
  assert.deepEqual(await weir.stop(), { code: 0, signal: null })
})

test('an address that is taken is refused with its own exit code', LIMIT, async t => {
  const weir = await startWeir(t)
  for (const [http, mqtt] of [
    [weir.httpPort, 0],
    [0, weir.mqttPort],
  ]) {
    const data = join(weir.data, '../other')
    const addresses = ['--http', `127.0.0.1:${http}`, '--mqtt', `127.0.0.1:${mqtt}`]
    const second = await runWeir(['up', '--data', data, ...addresses])
    assert.equal(second.code, 3, second.stderr)
    assert.match(second.stderr, new RegExp(`EADDRINUSE.*${http || mqtt}`))
  }
})

test('SIGTERM under load keeps every acknowledged point and exits with 0', LIMIT, async t => {
  const weir = await startWeir(t, { args: FAST_FLUSH })
  const ledgers = new Map<string, ClientLedger>()
  const options = (device: string) => {
    const ledger = new ClientLedger()
    const next = sequence(device)
    ledgers.set(device, ledger)
    return { lifetime: t, ledger, next: () => ({ device, points: next(1) }) }
  }
  const clients = [
    ...['h1', 'h2', 'h3', 'h4'].map(name => sendOverHttp(weir.url, asArray, options(name))),
    ...['m1', 'm2'].map(name => sendOverMqtt(weir.mqttUrl, { ...options(name), inFlight: 50 })),
  ]
  for (let stop = 0; stop < 3; stop++) {
    const before = new Map([...ledgers].map(([name, { sureKeys }]) => [name, sureKeys]))
    await until('points of every client', () =>
      [...ledgers].every(([name, { sureKeys }]) => sureKeys > before.get(name)! + 20),
    )
    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
    await weir.start()
    const client = await weirClient(weir.url)
    // Their clients send on meanwhile: only what is lost can be told now.
    const lost = [...ledgers].map(async ([name, ledger]) => {
      const sure = ledger.newest.slice()
      const stored = await readPoints(client, [name])
      const times = new Set(stored.map(({ timeUs }) => timeUs))
      return sure.filter(({ timeUs }) => !times.has(timeUs))
    })
    assert.deepEqual((await Promise.all(lost)).flat(), [])
  }
  await Promise.all(clients.map(client => client.finish()))
  const client = await weirClient(weir.url)
  let keys = 0
  for (const [name, ledger] of ledgers) {
    ledger.mustHold(await readPoints(client, [name]))
    keys += ledger.sureKeys
  }
  assert.equal((await settledLedger(client)).stored, keys)
})

test(
  'SIGTERM answers the request that is half sent, and refuses new connections',
  LIMIT,
  async t => {
    const weir = await startWeir(t)
    const body = '{"device_id":"slow","timestamp":1700000000,"data":{"m":1}}'
    const socket = await connected(t, weir.httpPort)
    const head = 'POST /api/v1/telemetry HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
    socket.write(`${head}content-length: ${body.length}\r\n\r\n${body.slice(0, 20)}`)
    // Once another request on the same socket's process was answered, the half one has been read.
    const client = await weirClient(weir.url)
    await client.get('/health')
    weir.signal('SIGTERM')
    await until('that it does not listen any more', () => isRefused(weir.httpPort))
    socket.write(body.slice(20))
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    assert.match(answer, /^HTTP\/1\.1 200 /)
    assert.match(answer, /"accepted":1/)
    assert.deepEqual(await weir.exited(), { code: 0, signal: null })
    await weir.start()
    assert.deepEqual(await readPoints(await weirClient(weir.url), ['slow']), [
      { device: 'slow', metric: 'm', timeUs: 1_700_000_000e6, value: 1 },
    ])
  },
)

async function connected(t: TestContext, port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1')
  t.after(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function isRefused(port: number): Promise<boolean> {
  const socket = connectTcp(port, '127.0.0.1')
  const refused = new Promise<boolean>(resolve => {
    socket.once('connect', () => resolve(false))
    socket.once('error', () => resolve(true))
  })
  const answer = await refused
  socket.destroy()
  return answer
}
