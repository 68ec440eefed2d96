import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { connectAsync } from 'mqtt'
import { readPoints, readRows } from '../fixtures/read-back.ts'
import { until } from '../fixtures/until.ts'
import { settledLedger, weirClient } from '../fixtures/weir-client.ts'
import { startWeir, type Lifetime, type WeirProcess } from '../fixtures/weir-process.ts'

// Mosquitto's own clients against the broker of a whole node.
const isInstalled = spawnSync('mosquitto_pub', ['--help']).error === undefined
const skip = isInstalled ? false : 'mosquitto_pub is not installed (Debian: mosquitto-clients)'
const LIMIT = { timeout: 120_000 }
/** Without it what a client prints waits in its buffer until it ends. */
const LINE_BUFFERED = ['stdbuf', '-oL']

interface Where {
  readonly lifetime: Lifetime
  readonly weir: WeirProcess
}

function mosquitto(
  tool: 'mosquitto_pub' | 'mosquitto_sub',
  args: readonly string[],
  { lifetime, weir }: Where,
): ChildProcessWithoutNullStreams {
  const broker = ['-h', '127.0.0.1', '-p', String(weir.mqttPort), '-V', '311']
  const [program, ...rest] = [...LINE_BUFFERED, tool, ...broker, ...args]
  const child = spawn(program, rest)
  lifetime.after(() => void child.kill('SIGKILL'))
  return child
}

async function publish(args: readonly string[], where: Where): Promise<void> {
  const child = mosquitto('mosquitto_pub', args, where)
  let text = ''
  child.stderr.on('data', chunk => (text += chunk))
  const [code] = (await once(child, 'close')) as [number]
  assert.equal(code, 0, text)
}

interface Subscription {
  readonly child: ChildProcessWithoutNullStreams
  /** The messages, once it has ended, which it does after as many as it was told to wait for. */
  readonly heard: Promise<string[]>
}

/** Resolves when the broker has acknowledged the subscription. */
async function subscribe(args: readonly string[], where: Where): Promise<Subscription> {
  // With -d it also says what it does.
  const child = mosquitto('mosquitto_sub', ['-d', ...args], where)
  let text = ''
  const { promise: acknowledged, resolve } = Promise.withResolvers<void>()
  child.stdout.on('data', chunk => {
    text += chunk
    if (/received SUBACK/.test(text)) resolve()
  })
  child.stderr.on('data', chunk => (text += chunk))
  const heard = once(child, 'close').then(() =>
    text.split('\n').filter(line => line !== '' && !/^(Client |Subscribed )/.test(line)),
  )
  await Promise.race([
    acknowledged,
    heard.then(() => assert.fail(`mosquitto_sub ended before it had subscribed: ${text}`)),
  ])
  return { child, heard }
}

for (const qos of ['0', '1', '2']) {
  test(
    `what mosquitto_pub sends with QoS ${qos} reaches subscribers and is read back over HTTP`,
    { skip, ...LIMIT },
    async t => {
      const weir = await startWeir(t)
      const client = await weirClient(weir.url)
      const where = { lifetime: t, weir }
      const pub = (...args: string[]): Promise<void> => publish(['-q', qos, ...args], where)
      const sub = (...args: string[]): Promise<Subscription> =>
        subscribe(['-q', qos, '-F', '%t %p %q', ...args], where)
      const all = await sub('-t', '#', '-C', '5')
      const device = await sub('-t', 'devices/pump 1/+', '-C', '3')
      const level = await sub('-t', 'plant/+/+/rpm', '-C', '1')
      const two = await sub('-t', 'devices/#', '-t', 'chat/#', '-C', '4')
      const record = '{"t":21.5,"on":true,"state":"ok","motor":{"rpm":900},"timestamp":1700000000}'
      await pub('-t', 'devices/pump 1/telemetry', '-m', record)
      await pub('-t', 'devices/pump 1/level', '-m', '7.25')
      await pub('-t', 'devices/pump 1/mode', '-m', 'auto')
      await pub('-t', 'plant/north/fan-1/rpm', '-m', '1200')
      await pub('-t', 'chat/hello', '-m', 'not telemetry')

      const messages = {
        record: `devices/pump 1/telemetry ${record} ${qos}`,
        level: `devices/pump 1/level 7.25 ${qos}`,
        mode: `devices/pump 1/mode auto ${qos}`,
        plant: `plant/north/fan-1/rpm 1200 ${qos}`,
        chat: `chat/hello not telemetry ${qos}`,
      }
      assert.deepEqual(await all.heard, Object.values(messages))
      assert.deepEqual(await device.heard, [messages.record, messages.level, messages.mode])
      assert.deepEqual(await level.heard, [messages.plant])
      assert.deepEqual(await two.heard, [
        messages.record,
        messages.level,
        messages.mode,
        messages.chat,
      ])

      const points = await readPoints(client, ['pump 1', 'fan-1'])
      const values = points.map(({ device, metric, value }) => [`${device} ${metric}`, value])
      assert.deepEqual(Object.fromEntries(values), {
        'pump 1 t': 21.5,
        'pump 1 on': 1,
        'pump 1 state': 'ok',
        'pump 1 motor.rpm': 900,
        'pump 1 level': 7.25,
        'pump 1 mode': 'auto',
        'fan-1 rpm': 1200,
      })
      const [{ timestamp }] = await readRows(client, 'pump 1', { query: '&metric=t' })
      assert.equal(timestamp, '2023-11-14T22:13:20.000Z')
      await until('the site that the topic told', async () => {
        const fan = (await client.read('/api/v1/devices/fan-1')) as { site: string | null }
        return fan.site === 'north'
      })
      const ledger = await settledLedger(client)
      assert.deepEqual([ledger.received, ledger.stored, ledger.rejected], [7, 7, 0])
    },
  )
}

test(
  'retained messages reach who comes later, and an empty one takes them back',
  { skip, ...LIMIT },
  async t => {
    const weir = await startWeir(t)
    const where = { lifetime: t, weir }
    const pub = (...args: string[]): Promise<void> => publish(['-q', '1', ...args], where)
    await pub('-r', '-t', 'state/a', '-m', 'old')
    await pub('-r', '-t', 'state/a', '-m', 'new')
    await pub('-r', '-t', 'state/b', '-m', 'gone')
    await pub('-r', '-t', 'devices/kept/level', '-m', '5')
    await pub('-r', '-t', 'state/b', '-n')
    const topics = ['-t', 'state/#', '-t', 'devices/#']
    const { heard } = await subscribe(['-q', '1', ...topics, '-F', '%t %p %r', '-C', '2'], where)
    assert.deepEqual((await heard).toSorted(), ['devices/kept/level 5 1', 'state/a new 1'])
    const client = await weirClient(weir.url)
    const rows = await readRows(client, 'kept')
    assert.equal(rows.length, 1, 'a retained telemetry message is a point like any other')
  },
)

test(
  'a will is published when its client is killed, and not when it says goodbye',
  { skip, ...LIMIT },
  async t => {
    const weir = await startWeir(t)
    const where = { lifetime: t, weir }
    const watcher = await subscribe(['-t', 'will/#', '-F', '%t %p', '-C', '1'], where)
    const withWill = (name: string): Promise<Subscription> => {
      const will = ['--will-topic', `will/${name}`, '--will-payload', 'lost']
      return subscribe(['-t', 'nothing', '-i', name, ...will], where)
    }
    const polite = await withWill('polite')
    const killed = await withWill('killed')
    // mosquitto_sub disconnects properly on SIGTERM.
    polite.child.kill('SIGTERM')
    await polite.heard
    killed.child.kill('SIGKILL')
    assert.deepEqual(await watcher.heard, ['will/killed lost'])
  },
)

test('MQTT over WebSocket at /mqtt is the same broker', LIMIT, async t => {
  const weir = await startWeir(t)
  const client = await weirClient(weir.url)
  const overTcp = await connectAsync(weir.mqttUrl)
  const overWeb = await connectAsync(`${weir.url.replace('http', 'ws')}/mqtt`)
  t.after(async () => {
    await overTcp.endAsync(true)
    await overWeb.endAsync(true)
  })
  const heard: string[] = []
  overTcp.on('message', (topic, payload) => heard.push(`tcp ${topic} ${String(payload)}`))
  overWeb.on('message', (topic, payload) => heard.push(`web ${topic} ${String(payload)}`))
  await overTcp.subscribeAsync('devices/#', { qos: 1 })
  await overWeb.subscribeAsync('devices/#', { qos: 1 })
  await overWeb.publishAsync('devices/w/telemetry', '{"a":1,"timestamp":1700000000}', { qos: 1 })
  await overWeb.publishAsync('devices/w/telemetry', '{"a":2,"timestamp":1700000001}', { qos: 2 })
  await until('both have heard both', () => heard.length === 4)
  const rows = await readRows(client, 'w')
  assert.deepEqual(
    rows.map(({ a }) => a),
    [1, 2],
  )
})
