import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectAsync } from 'mqtt'
import { frameOf } from '../fixtures/fleet-doors.ts'
import { liveStream, type LiveEvent, type LiveStream } from '../fixtures/live-stream.ts'
import { readRows } from '../fixtures/read-back.ts'
import { settledLedger, weirClient, type WeirClient } from '../fixtures/weir-client.ts'
import { startWeir, type Lifetime, type WeirProcess } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 180_000 }
const START_MS = 1_700_000_000_000

/** A value of each door that is out of range, and one that is not. */
const BAD = 120
const GOOD = 60

type Send = (device: string, timeMs: number, value: number) => Promise<void>

/** Ways into Weir; each resolves when the point is durable or refused. */
async function doorsOf(lifetime: Lifetime, weir: WeirProcess, client: WeirClient) {
  const mqtt = await connectAsync(weir.mqttUrl)
  lifetime.after(() => mqtt.endAsync(true))
  const post = async (path: string, body: object | Uint8Array): Promise<void> => {
    const type = body instanceof Uint8Array ? 'application/octet-stream' : 'application/json'
    const { status } = await client.post(path, body, { 'content-type': type })
    assert.ok([200, 201, 400].includes(status), `${path} ${status}`)
  }
  const doors: Readonly<Record<string, Send>> = {
    message: (device_id, timestamp, temperature) =>
      post('/api/v1/telemetry', { device_id, timestamp, data: { temperature } }),
    rows: (device_id, timestamp, temperature) =>
      post('/api/v1/telemetry/batch', { device_id, data: [{ timestamp, temperature }] }),
    columns: (device_id, time, temperature) =>
      post('/api/v1/telemetry/batch', {
        ...{ device_id, timestamps: [time], metrics: { temperature: [temperature] } },
      }),
    frame: (device, timeMs, value) =>
      post(
        '/api/v1/telemetry/binary',
        frameOf([{ device, metric: 'temperature', timeUs: timeMs * 1000, value }]),
      ),
    fleet: (device, timeMs, temperature) =>
      post(`/api/telemetry/${device}`, {
        ...{ temperature, device_time: new Date(timeMs).toISOString() },
      }),
    lines: async (device, timeMs, value) => {
      const line = `telemetry,device_id=${device} temperature=${value} ${timeMs}`
      const { status } = await client.post('/write?db=plant&precision=ms', line)
      assert.ok([204, 400].includes(status), `/write ${status}`)
    },
    thingsboard: (device, ts, temperature) =>
      post(`/api/v1/${device}/telemetry`, { ts, values: { temperature } }),
    mqtt: async (device, timestamp, temperature) => {
      const payload = JSON.stringify({ temperature, timestamp })
      await mqtt.publishAsync(`devices/${device}/telemetry`, payload, { qos: 1 })
    },
    sensor: async (device_id, timestamp, value) => {
      const payload = JSON.stringify({ device_id, sensor_type: 'temperature', value, timestamp })
      await mqtt.publishAsync('iot/data', payload, { qos: 1 })
    },
  }
  return doors
}

async function declare(client: WeirClient, product: object, devices: readonly string[]) {
  const made = await client.post('/products', product)
  assert.equal(made.status, 201, made.text)
  const { productId } = made.json as { productId: string }
  for (const id of devices) {
    const device = await client.post('/api/v1/devices', { id, product: productId })
    assert.equal(device.status, 201, device.text)
  }
}

const violationsOf = async (client: WeirClient, id: string): Promise<object> =>
  ((await client.read(`/api/v1/devices/${id}`)) as { violations: object }).violations

async function metricOf(client: WeirClient, name: string): Promise<number> {
  const { text } = await client.get('/metrics')
  const line = text.split('\n').find(one => one.startsWith(name)) ?? ''
  return Number(line.slice(line.lastIndexOf(' ') + 1))
}

test(
  'every door keeps what a product flags, and only the good of what it refuses',
  LIMIT,
  async t => {
    const weir = await startWeir(t)
    const client = await weirClient(weir.url)
    const doors = await doorsOf(t, weir, client)
    const names = Object.keys(doors)
    const metrics = { temperature: { unit: '°C', min: -40, max: 85 } }
    const flagged = names.map(name => `flagged-${name}`)
    const refused = names.map(name => `refused-${name}`)
    await declare(client, { productId: 'open', name: 'Open', price: 1, metrics }, flagged)
    const strict = { productId: 'strict', name: 'Strict', price: 2, metrics, onViolation: 'refuse' }
    await declare(client, strict, refused)
    for (const [name, send] of Object.entries(doors)) {
      // Twice: what is known goes another way than what is new.
      for (let i = 0; i < 4; i++) {
        for (const kind of ['flagged', 'refused']) {
          await send(`${kind}-${name}`, START_MS + i, i % 2 === 0 ? BAD + i : GOOD + i)
        }
      }
    }
    for (const name of names) {
      const values = async (device: string): Promise<unknown[]> =>
        (await readRows(client, device)).map(row => row.temperature)
      assert.deepEqual(await values(`flagged-${name}`), [BAD, GOOD + 1, BAD + 2, GOOD + 3], name)
      assert.deepEqual(await values(`refused-${name}`), [GOOD + 1, GOOD + 3], name)
      assert.deepEqual(await violationsOf(client, `flagged-${name}`), { flagged: 2, refused: 0 })
      assert.deepEqual(await violationsOf(client, `refused-${name}`), { flagged: 0, refused: 2 })
    }
    const ledger = await settledLedger(client)
    assert.deepEqual(ledger.rejected_by_reason, { out_of_range: 2 * names.length })
    const total = 'telemetry_violations_total{outcome='
    assert.equal(
      await metricOf(client, `${total}"flagged",reason="out_of_range"}`),
      2 * names.length,
    )
    assert.equal(
      await metricOf(client, `${total}"refused",reason="out_of_range"}`),
      2 * names.length,
    )
  },
)

test(
  'violations come on the live stream with the last value, once a second at most',
  LIMIT,
  async t => {
    const weir = await startWeir(t)
    const client = await weirClient(weir.url)
    const metrics = { temperature: { max: 85 } }
    await declare(client, { productId: 'p', name: 'P', price: 0, metrics }, ['d'])
    const stream = await liveStream(t, weir.url)
    const data = Array.from({ length: 500 }, (_, i) => ({
      timestamp: START_MS + i,
      temperature: 90 + i,
    }))
    await client.post('/api/v1/telemetry/batch', { device_id: 'd', data })
    const { data: told } = await nextViolation(stream)
    assert.deepEqual(told, {
      ...{ device_id: 'd', metric: 'temperature', value: 589, reason: 'out_of_range' },
      ...{ flagged: 500, refused: 0, timestamp: new Date(START_MS + 499).toISOString() },
    })
  },
)

async function nextViolation(stream: LiveStream): Promise<LiveEvent> {
  for (;;) {
    const event = await stream.next()
    if (event.event === 'violation') return event
  }
}

test('products, and what they refuse, are there after a kill', LIMIT, async t => {
  const weir = await startWeir(t)
  const before = await weirClient(weir.url)
  const metrics = { temperature: { unit: '°C', max: 85, onViolation: 'refuse' } }
  const product = { productId: 'p', name: 'P', price: 3.5, metrics }
  await declare(before, product, ['d'])
  await weir.kill()
  await weir.start()
  const client = await weirClient(weir.url)
  assert.deepEqual(await client.read('/products'), [{ ...product, onViolation: 'flag' }])
  const send = async (temperature: number): Promise<number> =>
    (await client.post('/api/v1/telemetry', { device_id: 'd', data: { temperature } })).status
  assert.deepEqual([await send(86), await send(85)], [400, 200])
  const latest = await client.read('/api/v1/telemetry/latest?device_id=d')
  assert.equal((latest as { data: { unit?: string }[] }).data[0].unit, '°C')
})

test(
  'a device that was removed does not come back with a restart, and its points are there',
  LIMIT,
  async t => {
    // The store keeps its head in memory: after a kill everything comes from the log again.
    const weir = await startWeir(t)
    const before = await weirClient(weir.url)
    const send = async (client: WeirClient, device_id: string, x: number): Promise<void> => {
      assert.equal((await client.post('/api/v1/telemetry', { device_id, data: { x } })).status, 200)
    }
    for (const id of ['gone', 'gone-ahead', 'stays']) await send(before, id, 1)
    const ahead = { device_id: 'gone-ahead', timestamp: Date.now() + 3_600_000, data: { x: 2 } }
    assert.equal((await before.post('/api/v1/telemetry', ahead)).status, 200)
    for (const id of ['gone', 'gone-ahead']) {
      assert.equal((await before.send('DELETE', `/api/v1/devices/${id}`)).status, 204)
    }
    const ids = async (client: WeirClient): Promise<string[]> => {
      const list = (await client.read('/api/v1/devices')) as { data: { id: string }[] }
      return list.data.map(({ id }) => id)
    }
    assert.deepEqual(await ids(before), ['stays'])
    for (const stop of [() => weir.kill(), () => weir.stop()]) {
      await stop()
      await weir.start()
      const client = await weirClient(weir.url)
      assert.deepEqual(await ids(client), ['stays'])
      assert.equal((await readRows(client, 'gone')).length, 1, 'its points stay')
    }
    const client = await weirClient(weir.url)
    await send(client, 'gone', 2)
    assert.deepEqual(await ids(client), ['gone', 'stays'])
    assert.equal((await readRows(client, 'gone')).length, 2)
  },
)
