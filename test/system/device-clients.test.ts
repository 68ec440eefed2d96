import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { connectAsync } from 'mqtt'
import { until } from '../fixtures/until.ts'
import { ledgerOf, settledLedger, weirClient, type WeirClient } from '../fixtures/weir-client.ts'
import { startWeir } from '../fixtures/weir-process.ts'

// Clients of InfluxDB and ThingsBoard as they are, against a whole node; what they sent is read
// through the native API.
const LIMIT = { timeout: 120_000 }
const TIME = '2023-11-14T22:13:20.000Z'

const missing = (program: string): string | false =>
  spawnSync(program, ['--help']).error === undefined ? false : `${program} is not installed`

/** Runs a program to its end and returns what it printed. */
async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(program, args)
  let text = ''
  child.stdout.on('data', chunk => (text += chunk))
  child.stderr.on('data', chunk => (text += chunk))
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number]
  assert.equal(code, 0, text)
  return text
}

async function valuesOf(client: WeirClient, device: string): Promise<Record<string, unknown>> {
  const url = `/api/v1/telemetry/latest?device_id=${encodeURIComponent(device)}`
  const { data } = await client.read(url)
  return Object.fromEntries(
    data.map((one: { metric: string; value: unknown }) => [one.metric, one.value]),
  )
}

test(
  'curl sends line protocol, and every bad line is named',
  { ...LIMIT, skip: missing('curl') },
  async t => {
    const weir = await startWeir(t)
    const client = await weirClient(weir.url)
    const curl = (url: string, body: string): Promise<string> =>
      run('curl', ['-s', '-w', '%{http_code}', '--data-binary', '@-', weir.url + url], body)
    const lines = `weather,device_id=roof t=21.5,on=t,s="a b" 1700000000\r\ncpu,host=h,cpu=cpu0 idle=1i\n`
    assert.equal(await curl('/api/v2/write?org=a&bucket=b&precision=s', lines), '204')
    assert.deepEqual(await valuesOf(client, 'roof'), {
      'weather.on': 1,
      'weather.s': 'a b',
      'weather.t': 21.5,
    })
    assert.deepEqual(await valuesOf(client, 'h'), { 'cpu.idle,cpu=cpu0': 1 })
    const rows = await client.read('/api/v1/telemetry/roof?metric=weather.t')
    assert.deepEqual(rows.data, [{ timestamp: TIME, 'weather.t': 21.5 }])
    const answer = await curl('/write?db=a&u=me&p=pass', 'm,host=h v=1 5\nnonsense\nm v=1\n')
    assert.match(
      answer,
      /partial write: 1 points were stored; unable to parse line 2: has no fields/,
    )
    assert.match(answer, /"line":3,.*400$/)
    const { received, stored, rejected } = await settledLedger(client)
    assert.deepEqual([received, stored, rejected], [7, 5, 2])
  },
)

test('line protocol of the same points again, gzip, changes nothing', LIMIT, async t => {
  const weir = await startWeir(t, { args: ['--store.flushIntervalMs=500'] })
  const client = await weirClient(weir.url)
  const body = Array.from({ length: 5000 }, (_, i) => {
    return `m,device_id=d${i % 50} a=${i / 4},b=${i}i ${1_700_000_000_000_000_000n + BigInt(i) * 1000n}`
  }).join('\n')
  for (let i = 0; i < 2; i++) {
    const { status, text } = await client.post('/api/v2/write', gzipSync(body), {
      'content-encoding': 'gzip',
    })
    assert.equal(status, 204, text)
  }
  const { stored, duplicate } = await settledLedger(client)
  assert.deepEqual([stored, duplicate], [10_000, 10_000])
  const { data } = await client.read('/api/v1/telemetry/d7?metric=m.a&limit=1000')
  assert.deepEqual(
    data.map((row: Record<string, unknown>) => row['m.a']),
    Array.from({ length: 100 }, (_, i) => (7 + 50 * i) / 4),
  )
})

test(
  "ThingsBoard's devices and gateways speak HTTP and MQTT",
  { ...LIMIT, skip: missing('mosquitto_pub') },
  async t => {
    const weir = await startWeir(t, { args: ['--logging.level=debug'] })
    const client = await weirClient(weir.url)
    const broker = ['-h', '127.0.0.1', '-p', String(weir.mqttPort), '-q', '1']
    const publish = (topic: string, message: unknown, ...args: string[]): Promise<string> =>
      run('mosquitto_pub', [...broker, ...args, '-t', topic, '-m', JSON.stringify(message)])
    const ts = Date.parse(TIME)
    await client.post('/api/v1/tok-http/telemetry', [{ ts, values: { t: 1 } }, { u: 2 }])
    await publish('v1/devices/me/telemetry', { ts, values: { t: 3 } }, '-u', 'tok-mqtt')
    await publish('v1/devices/me/attributes', { firmware: '1.2' }, '-u', 'tok-mqtt')
    await publish('v1/devices/me/attributes', { firmware: '2.0' }, '-u', 'tok-new')
    await publish('v1/gateway/connect', { device: 'Device A' })
    await publish('v1/gateway/telemetry', { 'Device A': [{ ts, values: { t: 4 } }], B: [{ t: 5 }] })
    await publish('v1/gateway/attributes', { 'Device A': { floor: 2 } })
    // One that gives no user name has no device, and the message is refused, not the connection.
    const nobody = await connectAsync(weir.mqttUrl)
    t.after(() => nobody.endAsync(true))
    await nobody.publishAsync('v1/devices/me/telemetry', '{"t":1}', { qos: 1 })
    await until('the refusal in the log', () =>
      Promise.resolve(/the client gave no user name/.test(weir.output())),
    )
    const { text } = await client.get('/metrics')
    for (const token of ['tok-http', 'tok-mqtt', 'tok-new']) {
      assert.ok(!text.includes(token), `${token} is no label`)
      assert.ok(!weir.output().includes(token), `${token} is not logged`)
    }
    // From here on the test itself names them, as devices.
    assert.deepEqual(await valuesOf(client, 'tok-http'), { t: 1, u: 2 })
    assert.deepEqual(await valuesOf(client, 'tok-mqtt'), { t: 3 })
    assert.deepEqual(await valuesOf(client, 'Device A'), { t: 4 })
    assert.deepEqual(await valuesOf(client, 'B'), { t: 5 })
    const attributes = async (id: string): Promise<unknown> =>
      (await client.read(`/api/v1/devices/${encodeURIComponent(id)}`)).attributes
    assert.deepEqual(await attributes('tok-mqtt'), { firmware: '1.2' })
    assert.deepEqual(await attributes('tok-new'), { firmware: '2.0' })
    assert.deepEqual(await attributes('Device A'), { floor: 2 })
    const { received, rejected } = await ledgerOf(client)
    assert.deepEqual([received, rejected], [6, 1])
  },
)
