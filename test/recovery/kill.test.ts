import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { PointSource } from '../fixtures/point-source.ts'
import { usOf, type ModelPoint } from '../fixtures/point-model.ts'
import { readPoints } from '../fixtures/read-back.ts'
import { seededRandom } from '../fixtures/seeded-random.ts'
import {
  asArray,
  asFleetRecord,
  asFrame,
  sendOverHttp,
  sendOverMqtt,
} from '../fixtures/sending-clients.ts'
import { settledLedger, weirClient, type WeirClient } from '../fixtures/weir-client.ts'
import { startWeir } from '../fixtures/weir-process.ts'

const KILLS = 50
// Small heads and short files, so that kills hit flushes and merges of many partitions.
const ARGS = ['--store.headBytes=1MB', '--store.flushIntervalMs=100ms', '--store.partitionMs=1h']

test(
  `after ${KILLS} kills no acknowledged point is lost and none counts twice`,
  { timeout: 600_000 },
  async t => {
    const random = seededRandom(t)
    const weir = await startWeir(t, { args: ARGS })
    const { url, mqttUrl } = weir
    const client = await weirClient(url)
    const sources: PointSource[] = []
    const options = (device: string, points: number, atOnce: boolean) => {
      const { ledger, next } =
        sources[sources.push(new PointSource({ random, device, points, atOnce })) - 1]
      return { lifetime: t, ledger, next }
    }
    const clients = [
      sendOverHttp(url, asArray, options('array', 20, false)),
      sendOverHttp(url, asArray, options('small', 5, false)),
      sendOverHttp(url, asFrame, options('frame', 100, false)),
      sendOverHttp(url, asFleetRecord, options('fleet', 4, true)),
      sendOverMqtt(mqttUrl, { ...options('mqtt', 3, true), inFlight: 20 }),
      sendOverMqtt(mqttUrl, { ...options('lone', 3, true), inFlight: 1 }),
    ]
    for (let kill = 0; kill < KILLS; kill++) {
      await delay(random.int(50, 400))
      await weir.kill()
      const newest = sources.flatMap(({ ledger }) => ledger.newest.slice(0, 3))
      await weir.start()
      assert.deepEqual(await client.read('/ready'), { status: 'ready', reasons: [] })
      for (const point of newest) await mustBeThere(client, point, `after kill ${kill}`)
    }
    await Promise.all(clients.map(each => each.finish()))
    for (const { refusals } of clients) assert.deepEqual(refusals, [])
    let keys = 0
    for (const { device, ledger } of sources) {
      ledger.mustHold(await readPoints(client, [device]))
      keys += ledger.sureKeys
    }
    const books = await settledLedger(client)
    assert.equal(books.stored, keys, 'every key is counted once')
    t.diagnostic(`${keys} points, ${books.duplicate} sent again`)
    assert.ok(keys > 1000, `only ${keys} points came in: this tests nothing`)

    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
    await weir.start()
    for (const { device, ledger } of sources) ledger.mustHold(await readPoints(client, [device]))
    assert.equal((await settledLedger(client)).stored, keys)
  },
)

/** Its value may have been written again meanwhile; the end of the test compares all of them. */
async function mustBeThere(
  client: WeirClient,
  { device, metric, timeUs }: ModelPoint,
  what: string,
): Promise<void> {
  const path = `/api/v1/telemetry/${device}?metric=${metric}&start=${timeUs}&end=${timeUs + 1}`
  const { data } = (await client.read(path)) as { data: Record<string, unknown>[] }
  assert.equal(data.length, 1, `${what}: ${device} ${metric} ${timeUs} is lost`)
  assert.equal(usOf(data[0]['timestamp'] as string), timeUs)
}
