import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectAsync } from 'mqtt'
import { liveStream } from '../fixtures/live-stream.ts'
import { until } from '../fixtures/until.ts'
import { settledLedger, weirClient, type WeirClient } from '../fixtures/weir-client.ts'
import { startWeir } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 120_000 }
const START = Date.parse('2026-01-01T00:00:00Z')
const at = (second: number): string => new Date(START + 1000 * second).toISOString()

/** A steady metric, a value a second. */
async function sendSteady(client: WeirClient, device: string, { seconds = 60, from = 0 } = {}) {
  const data = Array.from({ length: seconds }, (_, i) => ({
    timestamp: at(from + i),
    temp: 20 + ((from + i) % 2),
  }))
  const answer = await client.post('/api/v1/telemetry/batch', { device_id: device, data })
  assert.equal(answer.status, 200, answer.text)
}

const message = (device: string, second: number, value: number) => ({
  ...{ device_id: device, metric: 'temp', value, timestamp: at(second) },
})

interface Shown {
  readonly device_id: string
  readonly timestamp: string
  readonly rolling_avg: number
  readonly value: number
}

async function anomaliesOf(client: WeirClient, query = ''): Promise<Shown[]> {
  const { data } = (await client.read(`/api/v1/analytics/anomalies${query}`)) as { data: Shown[] }
  return data
}

test(
  'a spike is an anomaly behind every door at once, in the metrics and in the stream',
  LIMIT,
  async t => {
    const weir = await startWeir(t)
    const client = await weirClient(weir.url)
    const stream = await liveStream(t, weir.url, { query: '?device_id=d&metric=temp' })
    const other = await liveStream(t, weir.url, { query: '?device_id=e' })
    await sendSteady(client, 'd')
    const { json } = await client.post('/ingest', { ...message('d', 60, 80), location: 'hall' })
    const [anomaly, ...none] = await anomaliesOf(client)
    assert.deepEqual(none, [])
    assert.deepEqual([anomaly.value, anomaly.rolling_avg, anomaly.timestamp], [80, 20.5, at(60)])

    for (const path of ['/readings?limit=1', '/readings/latest', '/devices/d/readings?limit=1']) {
      const [reading] = (await client.read(path)).readings
      assert.equal(reading.id, json.message_id, path)
      assert.equal(reading.anomaly_detected, true, path)
      assert.equal(reading.rolling_avg, 20.5, path)
      assert.equal(reading.location, 'hall', path)
    }
    const [listed] = (await client.read('/devices/d/anomalies')).anomalies
    assert.equal(listed.id, json.message_id)
    assert.equal((await client.read('/device-stats')).device_stats.d.anomaly_count, 1)
    assert.equal((await client.read('/device-stats')).source, 'cache')
    assert.equal((await client.read('/system/stats')).total_readings, 61)
    const metrics = (await client.get('/metrics')).text
    assert.match(metrics, /^anomalies_total\{severity="critical"\} 1$/m)
    assert.match(metrics, /^log_lag_points\{group="analytics"\} 0$/m)

    for (;;) {
      const { event, data } = await stream.next()
      if (event === 'points' || event === 'status') continue
      assert.equal(event, 'anomaly')
      assert.deepEqual(data, anomaly)
      break
    }
    await sendSteady(client, 'e', { seconds: 1 })
    // Until its own points come, the other device's stream is told of no anomaly.
    for (let event = ''; event !== 'points';) {
      event = (await other.next()).event
      assert.notEqual(event, 'anomaly')
    }

    await sendSteady(client, 'd')
    assert.equal(
      (await client.post('/ingest', message('d', 60, 80))).json.message_id,
      json.message_id,
    )
    assert.equal((await anomaliesOf(client)).length, 1, 'sent again, it changes nothing')
  },
)

test(
  'killed again and again, it judges as if it had never stopped',
  { timeout: 300_000 },
  async t => {
    const args = ['--analytics.snapshotIntervalMs=150ms']
    const weir = await startWeir(t, { args })
    const client = await weirClient(weir.url)
    const expected: string[] = []
    for (let round = 0; round < 8; round++) {
      const from = round * 40
      await sendSteady(client, 'd', { seconds: 39, from })
      // Two of three rounds end in a spike; the first comes before the window is full.
      const spike = round % 3 < 2
      assert.equal(
        (await client.post('/ingest', message('d', from + 39, spike ? 200 : 20))).status,
        200,
      )
      if (spike) expected.unshift(at(from + 39))
      await weir.kill()
      await weir.start()
      const [reading] = (await client.read('/devices/d/readings?limit=1')).readings
      assert.equal(reading.anomaly_detected, spike)
    }
    const found = await anomaliesOf(client, '?device_id=d')
    assert.deepEqual(
      found.map(({ timestamp }) => timestamp),
      expected,
    )
    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
    await weir.start()
    assert.deepEqual(await anomaliesOf(client), found)
    assert.equal((await settledLedger(client)).stored, 320)
  },
)

test('a unit told over MQTT or HTTP is kept, and returned by every record', LIMIT, async t => {
  const weir = await startWeir(t)
  const client = await weirClient(weir.url)
  const mqtt = await connectAsync(weir.mqttUrl)
  t.after(() => mqtt.endAsync(true))
  const record = { device_id: 'r', sensor_type: 'pressure', value: 1013, timestamp: at(0) }
  await mqtt.publishAsync('iot/data', JSON.stringify({ ...record, unit: 'hPa' }), { qos: 1 })
  assert.deepEqual(await client.read('/api/data?device_id=r'), [{ ...record, unit: 'hPa' }])
  const posted = await client.post('/api/data', { ...record, value: 1014, timestamp: at(1) })
  assert.equal(posted.status, 201)
  assert.equal(posted.json.unit, 'hPa')
  await client.post('/api/data', { ...record, sensor_type: 'temp', unit: '°C' })
  assert.deepEqual(await weir.stop(), { code: 0, signal: null })
  await weir.start()
  const records = (await client.read('/api/data')) as { unit: string }[]
  assert.deepEqual(
    records.map(({ unit }) => unit),
    ['hPa', 'hPa', '°C'],
  )
})

test('the analytics may be off, and settings are by metric', LIMIT, async t => {
  const rule = '[{match: "te*", zScore: 1000, minDeviationPct: 0}]'
  const weir = await startWeir(t, { args: [`--analytics.metrics=${rule}`] })
  const client = await weirClient(weir.url)
  await sendSteady(client, 'd')
  await client.post('/ingest', message('d', 60, 80))
  assert.deepEqual(await anomaliesOf(client), [])
  await weir.stop()
  await weir.start({ args: ['--analytics.enabled=false'] })
  await sendSteady(client, 'e')
  await client.post('/ingest', message('e', 60, 80))
  assert.deepEqual(await anomaliesOf(client), [])
  const [reading] = (await client.read('/readings?device_id=e&limit=1')).readings
  assert.equal(reading.rolling_avg, 20.5)
  await weir.stop()
  await weir.start({ args: [] })
  await until('it goes on where the log goes on', async () => {
    await sendSteady(client, 'f')
    await client.post('/ingest', message('f', 60, 80))
    return (await anomaliesOf(client, '?device_id=f')).length === 1
  })
})
