import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { curl, curlStream, sending } from '../fixtures/curl.ts'
import { noProgram } from '../fixtures/no-program.ts'
import { until } from '../fixtures/until.ts'
import { settledLedger, weirClient } from '../fixtures/weir-client.ts'
import { startWeir, type WeirProcess } from '../fixtures/weir-process.ts'

// A point that came through one door is there behind every other: with curl and mosquitto_pub.

const skip = noProgram('curl') === false ? noProgram('mosquitto_pub') : noProgram('curl')
const LIMIT = { timeout: 180_000 }
const TIME = '2023-11-14T22:13:20.000Z'

async function publish({ mqttPort }: WeirProcess, topic: string, payload: string): Promise<void> {
  const broker = ['-h', '127.0.0.1', '-p', String(mqttPort), '-q', '1']
  await promisify(execFile)('mosquitto_pub', [...broker, '-t', topic, '-m', payload])
}

interface Case {
  readonly door: string
  readonly device: string
  readonly metric: string
  readonly value: number
  readonly send: (weir: WeirProcess) => Promise<unknown>
  /** Whether the message brought its time. */
  readonly hasTime: boolean
}

const post = (path: string, body: object | string, type?: string) => async (weir: WeirProcess) => {
  const answer = await curl(weir.url + path, sending('POST', body, type))
  assert.ok(answer.status < 300, answer.body)
}

const cases: readonly Case[] = [
  {
    ...{ door: 'MQTT devices/…/telemetry', device: 'm1', metric: 'a', value: 1.5, hasTime: true },
    send: weir => publish(weir, 'devices/m1/telemetry', `{"a":1.5,"timestamp":"${TIME}"}`),
  },
  {
    ...{ door: 'MQTT devices/…/{metric}', device: 'm2', metric: 'b', value: 2, hasTime: false },
    send: weir => publish(weir, 'devices/m2/b', '2'),
  },
  {
    ...{ door: 'MQTT iot/data', device: 'm3', metric: 'c', value: 3, hasTime: true },
    send: weir => {
      const record = { device_id: 'm3', sensor_type: 'c', value: 3, timestamp: TIME }
      return publish(weir, 'iot/data', JSON.stringify(record))
    },
  },
  {
    ...{ door: 'MQTT template', device: 'm4', metric: 'd', value: 4, hasTime: false },
    send: weir => publish(weir, 'plant/north/m4/d', '4'),
  },
  {
    ...{ door: 'HTTP telemetry', device: 'h1', metric: 'e', value: 5, hasTime: true },
    send: post('/api/v1/telemetry', { device_id: 'h1', timestamp: TIME, data: { e: 5 } }),
  },
  {
    ...{ door: 'HTTP NDJSON', device: 'h2', metric: 'f', value: 6, hasTime: true },
    send: post(
      '/api/v1/telemetry',
      `{"device_id":"h2","timestamp":1700000000000,"data":{"f":6}}\n`,
      'content-type: application/x-ndjson',
    ),
  },
  {
    ...{ door: 'HTTP rows', device: 'h3', metric: 'g', value: 7, hasTime: true },
    send: post('/api/v1/telemetry/batch', { device_id: 'h3', data: [{ timestamp: TIME, g: 7 }] }),
  },
  {
    ...{ door: 'HTTP columns', device: 'h4', metric: 'h', value: 8, hasTime: true },
    send: post('/api/v1/telemetry/batch', {
      device_id: 'h4',
      timestamps: [1_700_000_000],
      metrics: { h: [8] },
    }),
  },
  {
    ...{ door: 'HTTP fleet record', device: 'h5', metric: 'x_coord', value: 9, hasTime: true },
    send: post('/api/telemetry/h5', { x_coord: 9, device_time: TIME }),
  },
]

test(
  'what each door takes is seen live, and read through every route',
  { skip, ...LIMIT },
  async t => {
    const weir = await startWeir(t)
    const client = await weirClient(weir.url)
    for (const each of cases) await t.test(each.door, sub => crossDoors(sub, weir, each))
    const { received, stored } = await settledLedger(client)
    assert.deepEqual([received, stored], [cases.length, cases.length])
  },
)

async function crossDoors(t: TestContext, weir: WeirProcess, each: Case): Promise<void> {
  const { device, metric, value, send, hasTime } = each
  const read = async (path: string) => (await curl(weir.url + path)).json
  const stream = curlStream(t, `${weir.url}/api/v1/live?device_id=${device}`)
  const other = curlStream(t, `${weir.url}/api/v1/live?device_id=somebody-else`)
  await until('both streams are open', () => [stream, other].every(({ text }) => text() !== ''))
  await send(weir)
  const rows = (await read(`/api/v1/telemetry/${device}`)).data
  assert.equal(rows.length, 1, 'acknowledged is readable at once')
  const [{ timestamp, ...values }] = rows
  assert.deepEqual(values, { [metric]: value })
  if (hasTime) assert.equal(timestamp, TIME)
  const point = { device_id: device, metric, timestamp, value }
  await until('it is on the stream', () => stream.text().includes(JSON.stringify(point)))
  assert.doesNotMatch(other.text(), /event:/, 'and only on that')

  const latest = await read(`/api/v1/telemetry/latest?device_id=${device}`)
  assert.deepEqual(latest.data, [point])
  assert.equal((await read(`/api/telemetry/latest/${device}`))[metric], value)
  const start = `start=${encodeURIComponent(timestamp)}`
  const buckets = await read(`/api/v1/telemetry/${device}?${start}&interval=1h&agg=avg,count`)
  assert.match(JSON.stringify(buckets), new RegExp(`\\b${value}\\b`))
  const asked = { devices: [device, 'nobody'], metrics: [metric], start: timestamp }
  const query = (await curl(`${weir.url}/api/v1/query`, sending('POST', asked))).json
  assert.match(JSON.stringify(query), new RegExp(`"${metric}".*\\b${value}\\b`))
  assert.equal((await read(`/api/v1/devices/${device}`)).id, device)
  await Promise.all([stream.close(), other.close()])
}

test('the same point through two doors is one point', { skip, ...LIMIT }, async t => {
  const weir = await startWeir(t, { args: ['--store.flushIntervalMs=100ms'] })
  const client = await weirClient(weir.url)
  await publish(weir, 'devices/both/telemetry', `{"a":1,"timestamp":"${TIME}"}`)
  const message = { device_id: 'both', timestamp: TIME, data: { a: 2 } }
  await post('/api/v1/telemetry', message)(weir)
  await post('/api/telemetry/both', { a: 3, device_time: TIME })(weir)
  const { data } = (await curl(`${weir.url}/api/v1/telemetry/both`)).json
  assert.deepEqual(data, [{ timestamp: TIME, a: 3 }], 'the last write wins')
  const ledger = await settledLedger(client)
  assert.deepEqual([ledger.received, ledger.stored, ledger.duplicate], [3, 1, 2])
})
