import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { connectAsync, type MqttClient } from 'mqtt'
import {
  httpDoors,
  mqttDoors,
  pointsOf,
  type FleetDoor,
  type FleetMessage,
} from '../fixtures/fleet-doors.ts'
import { PointModel, usOf, type PointValue } from '../fixtures/point-model.ts'
import { seededRandom, type SeededRandom } from '../fixtures/seeded-random.ts'
import { eventually, until } from '../fixtures/until.ts'
import { ledgerOf, settledLedger, weirClient, type WeirClient } from '../fixtures/weir-client.ts'
import { SYSTEM_TOPOLOGIES, type SystemTopology } from '../fixtures/system-topology.ts'
import { readRows } from '../fixtures/read-back.ts'
import { checkReads } from './read-checks.ts'

const DAY_US = 86_400e6
const DEVICES = 16
/** The first topology is Weir's own engines: more of what they do by themselves happens in it. */
const ROUNDS = { embedded: 4, others: 2 }
const BUNDLES = 60
const LANES = 8

for (const topology of SYSTEM_TOPOLOGIES) {
  const { name, skip } = topology
  test(
    `${name}: what came through every door in any order is what every read path answers`,
    { skip },
    t => compare(t, topology),
  )
}

async function compare(t: TestContext, topology: SystemTopology): Promise<void> {
  const { name, start, readsItsWrites } = topology
  const rounds = name === 'embedded' ? ROUNDS.embedded : ROUNDS.others
  const random = seededRandom(t)
  const weir = await start(t)
  const client = await weirClient(weir.url)
  const clients: MqttClient[] = []
  for (let i = 0; i < 3; i++) clients.push(await connectAsync(weir.mqttUrl))
  t.after(() => Promise.all(clients.map(mqtt => mqtt.endAsync(true))).then(() => {}))
  const doors = [
    ...httpDoors(client, random),
    ...clients.flatMap((mqtt, i) => [mqttDoors(mqtt, random)[i]]),
  ]
  const fleet = new Fleet(random)
  const model = new PointModel()
  const check = async (asked: WeirClient): Promise<void> => {
    if (readsItsWrites) return checkReads(asked, model, random)
    await eventually(() => checkReads(asked, model, random))
  }
  let sent = 0
  for (let round = 0; round < rounds; round++) {
    const bundles = Array.from({ length: BUNDLES }, () => fleet.bundle())
    for (const bundle of bundles) for (const point of pointsOf(bundle)) model.set(point)
    const repeated = bundles.filter(() => random.chance(0.2))
    const tasks = random.shuffle([...bundles, ...repeated]).map(bundle => {
      const door = random.pick(doors)
      sent += pointsOf(bundle).length
      return () => sendAll(door, bundle)
    })
    await inLanes(tasks)
    fleet.endRound()
    await ledgerOf(client)
    // Acknowledged a moment ago: partly in memory, partly being flushed.
    await check(client)
  }
  const markers = await readRows(client, 'marker')
  for (const { timestamp, x } of markers) {
    model.set({ device: 'marker', metric: 'x', timeUs: usOf(timestamp), value: x })
  }
  sent += markers.length
  sent += await sendBareValues(client, clients, { model, readsItsWrites })

  // A sibling tells its counts about once a second.
  await eventually(async () => assert.equal((await settledLedger(client)).received, sent))
  const settled = await settledLedger(client)
  assert.equal(settled.rejected, 0)
  assert.equal(settled.stored, model.count, 'stored is the number of distinct keys')
  await check(client)

  assert.deepEqual(await weir.stop(), { code: 0, signal: null })
  await weir.start()
  const again = await weirClient(weir.url)
  await check(again)
  const restarted = await settledLedger(again)
  assert.equal(restarted.stored, model.count)
  assert.equal(restarted.stored + restarted.duplicate, sent, 'the ledger spans the restart')
}

/** Messages of random devices and times; within a round no two bundles write the same key. */
class Fleet {
  readonly #random: SeededRandom
  readonly #first = Math.floor(Date.now() / 86_400e3 - 5) * DAY_US
  /** Keys of earlier rounds, to be written again, and those of this one. */
  readonly #used: { device: string; timeUs: number }[] = []
  readonly #fresh: { device: string; timeUs: number }[] = []

  constructor(random: SeededRandom) {
    this.#random = random
  }

  bundle(): FleetMessage[] {
    const random = this.#random
    const device = `device ${random.int(0, DEVICES)}`
    const start = this.#first + Math.floor(random.next() * 5 * DAY_US)
    const length = random.int(1, 40)
    const messages: FleetMessage[] = []
    for (let i = 0; i < length; i++) {
      const isRewrite = this.#used.length > 0 && random.chance(0.25)
      const at = isRewrite
        ? this.#used.splice(random.int(0, this.#used.length), 1)[0]
        : // A second apart as a rule, some with milliseconds or microseconds.
          {
            device,
            timeUs: start + i * 1e6 + (random.chance(0.8) ? 0 : random.int(0, 999_999)),
          }
      messages.push({ ...at, metrics: this.#metrics() })
      // The same key twice in one request: the later item wins.
      if (random.chance(0.05)) messages.push({ ...at, metrics: this.#metrics() })
      if (!isRewrite) this.#fresh.push(at)
    }
    return random.chance(0.5) ? random.shuffle(messages) : messages
  }

  /** The keys of the round that ended may be written again. */
  endRound(): void {
    this.#used.push(...this.#fresh.splice(0))
  }

  #metrics(): FleetMessage['metrics'] {
    const random = this.#random
    const all: Record<string, PointValue | boolean> = {
      temperature: Math.round(200 + 50 * random.next()) / 10,
      counter: random.int(0, 1e9),
      'motor.rpm': random.int(0, 3000),
      'motor.bearing.vibration': random.next() * 10 ** random.int(-9, 9),
      noise: (random.next() - 0.5) * 10 ** random.int(-300, 300),
      odd: random.pick([-0, 0, 5e-324, 2 ** 53, -(2 ** 53), 0.1, 1e21, 123456789012345680000]),
      running: random.chance(0.5),
      state: random.pick(['idle', 'on', '', 'ü "quoted"\n\\', '🚰', '1', 'null']),
      // Changes its type, as real devices do after an update.
      mixed: random.chance(0.5) ? random.int(0, 10) : random.pick(['error', 'n/a']),
    }
    const names = random.chance(0.3) ? Object.keys(all) : ['temperature', 'counter', 'state']
    const kept = names.filter(() => random.chance(0.7))
    return Object.fromEntries((kept.length > 0 ? kept : ['counter']).map(name => [name, all[name]]))
  }
}

async function sendAll(door: FleetDoor, bundle: readonly FleetMessage[]): Promise<void> {
  if (!door.ofOneDevice) return door.send(bundle)
  const devices = new Set(bundle.map(({ device }) => device))
  for (const device of devices) await door.send(bundle.filter(message => message.device === device))
}

async function inLanes(tasks: (() => Promise<void>)[]): Promise<void> {
  const lane = async (): Promise<void> => {
    for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) await task()
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

/** Values without a time get the time of their arrival. */
async function sendBareValues(
  client: WeirClient,
  [mqtt]: MqttClient[],
  { model, readsItsWrites }: { model: PointModel; readsItsWrites: boolean },
): Promise<number> {
  const values: [metric: string, payload: string, value: PointValue][] = [
    ['level', '21.5', 21.5],
    ['open', 'true', 1],
    ['mode', '"auto"', 'auto'],
    ['note', 'needs oil', 'needs oil'],
    ['zero', '-0', -0],
  ]
  const device = 'bare'
  for (const qos of [0, 1, 2] as const) {
    const before = Date.now() * 1000
    for (const [metric, payload] of values) {
      await mqtt.publishAsync(`devices/${device}/${metric}${qos}`, payload, { qos })
    }
    await mqtt.publishAsync(`devices/${device}/last${qos}`, '1', { qos: 1 })
    const after = (Date.now() + 1) * 1000
    if (!readsItsWrites) {
      await until('all are there', async () => {
        const rows = await readRows(client, device)
        return new Set(rows.flatMap(row => Object.keys(row))).size > (qos + 1) * (values.length + 1)
      })
    }
    for (const [metric, , value] of [...values, ['last', '1', 1] as const]) {
      const name = `${metric}${qos}`
      const rows = await readRows(client, device, { query: `&metric=${name}` })
      assert.equal(rows.length, 1, name)
      const timeUs = usOf(rows[0].timestamp)
      assert.deepEqual(rows[0][name], value)
      assert.ok(timeUs >= before && timeUs <= after, `${name} at ${rows[0].timestamp}`)
      model.set({ device, metric: name, timeUs, value })
    }
  }
  return 3 * (values.length + 1)
}
