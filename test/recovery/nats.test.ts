import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ClientLedger } from '../fixtures/client-ledger.ts'
import { noProgram } from '../fixtures/no-program.ts'
import { readPoints } from '../fixtures/read-back.ts'
import { seededRandom } from '../fixtures/seeded-random.ts'
import { asArray, asFrame, sendOverHttp, sendOverMqtt } from '../fixtures/sending-clients.ts'
import { ownNats } from '../fixtures/servers.ts'
import { until } from '../fixtures/until.ts'
import { weirClient } from '../fixtures/weir-client.ts'
import { startWeir } from '../fixtures/weir-process.ts'

const ROUNDS = 6

test(
  'no acknowledged point is lost when Weir is killed, and NATS killed or suspended, in turn',
  { timeout: 300_000, skip: noProgram('nats-server') },
  async t => {
    const random = seededRandom(t)
    const nats = await ownNats(t)
    const weir = await startWeir(t, {
      args: [
        ...['--log.engine=nats', '--log.maxBytes=256MB', '--nats.partitions=3'],
        ...['--nats.requestTimeoutMs=1s', '--nats.sessionTimeoutMs=1s', '--nats.trimDelayMs=2s'],
        ...['--store.headBytes=1MB', '--store.flushIntervalMs=100ms'],
      ],
      env: { WEIR_NATS_SERVERS: nats.address },
    })
    const start = Date.now() * 1000 - 3600e6
    const devices = ['array', 'frame', 'mqtt']
    const sources = devices.map(device => {
      const ledger = new ClientLedger()
      let at = 0
      const next = () => {
        const timeUs = start + ++at * 20_000
        return { device, points: [{ device, metric: 'm', timeUs, value: random.next() }] }
      }
      return { device, ledger, options: { lifetime: t, ledger, next } }
    })
    const [array, frame, mqtt] = sources.map(({ options }) => options)
    const clients = [
      sendOverHttp(weir.url, asArray, array),
      sendOverHttp(weir.url, asFrame, frame),
      sendOverMqtt(weir.mqttUrl, { ...mqtt, inFlight: 10 }),
    ]
    for (let round = 0; round < ROUNDS; round++) {
      await delay(random.int(100, 600))
      if (round % 3 === 0) {
        await weir.kill()
        await weir.start()
      } else if (round % 3 === 1) {
        await nats.kill()
        await nats.start()
      } else {
        nats.pause()
        await delay(random.int(500, 2500))
        nats.resume()
      }
      const before = sources.map(({ ledger }) => ledger.sureKeys)
      await until('points are acknowledged again', () =>
        sources.every(({ ledger }, i) => ledger.sureKeys > before[i]),
      )
    }
    await Promise.all(clients.map(client => client.finish()))
    const client = await weirClient(weir.url)
    for (const { device, ledger } of sources) {
      await until(`every acknowledged point of ${device} is there`, async () => {
        return ledger.problems(await readPoints(client, [device])).length === 0
      }).catch(() => {})
      ledger.mustHold(await readPoints(client, [device]))
      assert.ok(ledger.sureKeys > 2 * ROUNDS, `only ${ledger.sureKeys} points of ${device} came in`)
    }
    await until('the log is trimmed to what the store lacks', async () => {
      const text = await (await fetch(`${weir.url}/metrics`)).text()
      return text.includes('log_lag_entries{group="writer"} 0')
    })
    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
  },
)
