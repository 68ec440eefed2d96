import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { PointSource } from '../fixtures/point-source.ts'
import { readPoints } from '../fixtures/read-back.ts'
import { seededRandom } from '../fixtures/seeded-random.ts'
import { asArray, asFleetRecord, sendOverHttp, sendOverMqtt } from '../fixtures/sending-clients.ts'
import { SYSTEM_TOPOLOGIES } from '../fixtures/system-topology.ts'
import { until } from '../fixtures/until.ts'
import { lastFirst, startWeir } from '../fixtures/weir-process.ts'
import { ledgerOf, settledLedger, weirClient, type WeirClient } from '../fixtures/weir-client.ts'

const KILLS = 2
const BALANCES = 10
/** Counts of a process that was killed are given up after a while; then nothing is in flight. */
const LIMIT = { timeout: 300_000 }

for (const { name, skip, start } of SYSTEM_TOPOLOGIES) {
  test(
    `${name}: the ledger balances under load, after kills and at rest`,
    { ...LIMIT, skip },
    async t => {
      const random = seededRandom(t)
      const weir = await start(t)
      const client = await weirClient(weir.url)
      const sources: PointSource[] = []
      const options = (device: string, points: number, atOnce: boolean) => {
        const { ledger, next } =
          sources[sources.push(new PointSource({ random, device, points, atOnce })) - 1]
        return { lifetime: t, ledger, next }
      }
      const clients = [
        sendOverHttp(weir.url, asArray, options('array', 20, false)),
        sendOverHttp(weir.url, asFleetRecord, options('fleet', 4, true)),
        sendOverMqtt(weir.mqttUrl, { ...options('mqtt', 3, true), inFlight: 20 }),
      ]
      let refused = 0
      for (let kill = 0; kill <= KILLS; kill++) {
        if (kill > 0) {
          await weir.kill()
          await weir.start()
          refused = 0
        }
        for (let look = 0; look < BALANCES; look++) {
          refused += await sendBad(client)
          // A sibling tells its counts about once a second.
          await until(
            `${refused} refusals are counted`,
            async () => (await ledgerOf(client)).rejected >= refused,
          )
          await delay(random.int(0, 100))
        }
      }
      await Promise.all(clients.map(each => each.finish()))
      // And the one good point that is sent with the bad ones, again and again.
      const keys = sources.reduce((sum, { ledger }) => sum + ledger.sureKeys, 1)
      const books = await until('every key is counted', async () => {
        const settled = await settledLedger(client)
        return settled.stored === keys && settled
      })
      assert.equal(books.received, books.stored + books.duplicate + books.rejected)
      for (const { device, ledger } of sources) ledger.mustHold(await readPoints(client, [device]))

      assert.deepEqual(await weir.stop(), { code: 0, signal: null })
      await weir.start()
      const again = await settledLedger(client)
      assert.equal(again.stored, keys)
      assert.equal(again.duplicate, books.duplicate)
    },
  )
}

const tune = SYSTEM_TOPOLOGIES.find(({ name }) => name === 'tune')!

test(
  'of two processes on one database each answers for both, also when one is killed',
  { ...LIMIT, skip: tune.skip },
  async t => {
    const random = seededRandom(t)
    const lifetime = lastFirst(t)
    const args = tune.place(lifetime)
    const nodes = [await startWeir(lifetime, { args }), await startWeir(lifetime, { args })]
    const clients = await Promise.all(nodes.map(({ url }) => weirClient(url)))
    const sources = ['one', 'two'].map(
      device => new PointSource({ random, device, points: 10, atOnce: false }),
    )
    const senders = sources.map(({ ledger, next }, i) =>
      sendOverHttp(nodes[i].url, asArray, { lifetime, ledger, next }),
    )
    for (let look = 0; look < BALANCES; look++) {
      for (const client of clients) await ledgerOf(client)
      await sendBad(clients[look % 2])
      await delay(random.int(0, 100))
    }
    await nodes[1].kill()
    for (let look = 0; look < BALANCES; look++) await ledgerOf(clients[0])
    await nodes[1].start()
    await Promise.all(senders.map(each => each.finish()))
    const keys = sources.reduce((sum, { ledger }) => sum + ledger.sureKeys, 1)
    for (const client of clients) {
      // A killed process is waited for a while; then all its points are settled or counted.
      const books = await until('every key is counted', async () => {
        const settled = await settledLedger(client)
        return settled.stored === keys && settled
      })
      assert.equal(books.received, books.stored + books.duplicate + books.rejected)
    }
  },
)

/** Half of it is good; how many points were refused. */
async function sendBad(client: WeirClient): Promise<number> {
  const items = [
    { device_id: 'bad', timestamp: 1_700_000_000, data: { a: 1, b: null } },
    { device_id: 'bad', timestamp: 'yesterday', data: { c: 1 } },
  ]
  const { status, json } = await client.post('/api/v1/telemetry', items)
  assert.equal(status, 200)
  return (json.rejected as unknown[]).length
}
