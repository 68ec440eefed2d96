import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type MqttClient } from 'mqtt'
import { startBridgedWeir } from '../fixtures/bridged-weir.ts'
import { faultyDisk, noFaultyDisk } from '../fixtures/faulty-disk.ts'
import { startMosquitto, type Mosquitto } from '../fixtures/mosquitto.ts'
import { noProgram } from '../fixtures/no-program.ts'
import { readRows } from '../fixtures/read-back.ts'
import { seededRandom } from '../fixtures/seeded-random.ts'
import { until } from '../fixtures/until.ts'
import { settledLedger, type WeirClient } from '../fixtures/weir-client.ts'
import { lastFirst, type Lifetime } from '../fixtures/weir-process.ts'

const skip = noProgram('mosquitto')
const LIMIT = { timeout: 600_000 }
const DEVICES = 5
const START_MS = Date.now() - 3_600_000
const BRIDGE = { name: 'plant', clientId: 'weir', version: 'v5' }
/** What comes twice is counted when it is flushed. */
const ARGS = ['--store.flushIntervalMs=100ms']

/**
 * Publishes numbered messages with QoS 1 and notes when the broker acknowledged each. The number is
 * in the time and in the value.
 */
class Load {
  /** By number: when PUBACK came. */
  readonly acknowledgedMs = new Map<number, number>()
  #next = 0
  #isFinishing = false
  readonly #client: MqttClient
  readonly #finished: Promise<unknown>

  constructor(t: Lifetime, url: string, { inFlight }: { readonly inFlight: number }) {
    this.#client = connect(url, { reconnectPeriod: 50, clientId: 'load', clean: false })
    this.#client.on('error', () => {})
    t.after(() => this.#client.endAsync(true))
    this.#finished = Promise.all(Array.from({ length: inFlight }, () => this.#lane()))
  }

  /** Sends no more; resolves when all that was sent is acknowledged. */
  async finish(): Promise<void> {
    this.#isFinishing = true
    await this.#finished
    await this.#client.endAsync()
  }

  async #lane(): Promise<void> {
    while (!this.#isFinishing) {
      const n = this.#next++
      const payload = `{"n":${n},"timestamp":${START_MS + n}}`
      const topic = `devices/d${n % DEVICES}/telemetry`
      // MQTT.js sends it again by itself after a reconnection.
      await this.#client.publishAsync(topic, payload, { qos: 1 })
      this.acknowledgedMs.set(n, Date.now())
      if (n % 50 === 0) await delay(1)
    }
  }
}

async function numbersIn(client: WeirClient): Promise<number[]> {
  const numbers: number[] = []
  for (let d = 0; d < DEVICES; d++) {
    for (const { timestamp, n } of await readRows(client, `d${d}`)) {
      assert.equal(Date.parse(timestamp), START_MS + Number(n), 'its value is that of its time')
      assert.equal(Number(n) % DEVICES, d)
      numbers.push(Number(n))
    }
  }
  return numbers
}

/** Everything that must be there is, and nothing twice. */
async function mustHold(client: WeirClient, sure: readonly number[]): Promise<void> {
  const wanted = new Set(sure)
  const numbers = await until('all that was acknowledged', async () => {
    const found = await numbersIn(client)
    const missing = wanted.difference(new Set(found))
    return missing.size === 0 && found
  }).catch(async () => {
    const missing = [...wanted.difference(new Set(await numbersIn(client)))]
    assert.fail(`${missing.length} of ${wanted.size} are lost: ${missing.slice(0, 20).join(', ')}`)
  })
  assert.equal(new Set(numbers).size, numbers.length, 'no number is there twice')
  assert.equal((await settledLedger(client)).stored, numbers.length, 'no point counts twice')
}

test(
  'Weir killed again and again loses nothing that the broker has acknowledged',
  { skip, ...LIMIT },
  async t => {
    const random = seededRandom(t)
    const broker = await startMosquitto(t)
    const bridged = await startBridgedWeir(t, [{ ...BRIDGE, url: broker.url, share: 'weir' }], {
      args: ARGS,
    })
    const { weir, client, connected } = bridged
    await connected()
    const load = new Load(t, broker.url, { inFlight: 50 })
    const kills = 8
    for (let kill = 0; kill < kills; kill++) {
      await delay(random.int(100, 600))
      await weir.kill()
      await weir.start()
      await connected()
    }
    await load.finish()
    await mustHold(client, [...load.acknowledgedMs.keys()])
    t.diagnostic(`${load.acknowledgedMs.size} messages, ${kills} kills`)
    assert.ok(load.acknowledgedMs.size > 1000, 'this tests something')
    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
  },
)

test(
  'Mosquitto killed again and again: what it had on its disk is stored, once',
  { skip, ...LIMIT },
  async t => {
    const random = seededRandom(t)
    const broker = await startMosquitto(t)
    const { client, connected, metrics } = await startBridgedWeir(
      t,
      [{ ...BRIDGE, url: broker.url }],
      { args: ARGS },
    )
    await connected()
    const load = new Load(t, broker.url, { inFlight: 50 })
    const doubtful = new Set<number>()
    for (let kill = 0; kill < 5; kill++) {
      await delay(random.int(300, 900))
      await broker.kill()
      for (const n of lostByBroker(load, broker)) doubtful.add(n)
      await broker.start()
      await connected()
    }
    await load.finish()
    const sure = [...load.acknowledgedMs.keys()].filter(n => !doubtful.has(n))
    await mustHold(client, sure)
    const reconnects = (await metrics()).get('mqtt_bridge_reconnects_total{bridge="plant"}') ?? 0
    t.diagnostic(`${sure.length} messages, ${doubtful.size} in doubt, ${reconnects} reconnections`)
    assert.ok(reconnects >= 5)
    assert.ok(sure.length > 1000 && sure.length > doubtful.size, 'this tests something')
  },
)

test(
  'a full disk: messages wait at the broker, and come in when there is room',
  { skip, ...LIMIT },
  async t => {
    const reason = await noFaultyDisk()
    if (reason !== undefined) return t.skip(reason)
    const disk = await faultyDisk()
    const lifetime = lastFirst(t)
    lifetime.after(() => disk.remove())
    const data = join(disk.directory, 'data')
    mkdirSync(data)
    const broker = await startMosquitto(lifetime)
    const bridge = { ...BRIDGE, url: broker.url }
    // No flush while the disk is full: that is another test.
    const { client, connected, metrics } = await startBridgedWeir(lifetime, [bridge], {
      ...{ data, env: disk.env },
    })
    await connected()
    const load = new Load(lifetime, broker.url, { inFlight: 20 })
    const count = async (kind: string): Promise<number> =>
      (await metrics()).get(`mqtt_bridge_messages_total{bridge="plant",kind="${kind}"}`) ?? 0
    await until('some are stored', async () => (await count('stored')) > 100)
    await disk.set('full')
    const { reasons } = await until('the bridge waits', async () => {
      const { json } = await client.get('/ready')
      return (json as { reasons: string[] }).reasons.length > 0 && (json as { reasons: string[] })
    })
    assert.match(reasons.join(), /the bridge plant waits: the log takes no points/)
    await until('it has tried again', async () => (await count('retried')) > 50)
    await load.finish()
    const stored = await count('stored')
    assert.ok(stored < load.acknowledgedMs.size, 'the broker has more than Weir')
    await disk.set('none')
    await until('the rest is stored', async () => (await count('stored')) > stored)
    const numbers = await until('all', async () => {
      const found = await numbersIn(client)
      return found.length >= load.acknowledgedMs.size && found
    })
    assert.equal(new Set(numbers).size, load.acknowledgedMs.size)
    assert.equal(numbers.length, load.acknowledgedMs.size)
    assert.equal((await metrics()).get('mqtt_bridge_reconnects_total{bridge="plant"}'), 0)
  },
)

/**
 * Mosquitto acknowledges before it saves, so what it acknowledged after its last save may be gone
 * with it, whoever listens. A save that ends after an acknowledgement began after it, because it
 * does one thing at a time.
 */
function lostByBroker({ acknowledgedMs }: Load, broker: Mosquitto): number[] {
  const savedMs = broker.savedMs()
  return [...acknowledgedMs].filter(([, atMs]) => atMs >= savedMs).map(([n]) => n)
}
