import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { readPoints } from '../fixtures/read-back.ts'
import { DeviceSource, NO_SERVERS, rolesApart } from '../fixtures/roles-apart.ts'
import { seededRandom } from '../fixtures/seeded-random.ts'
import { asArray, asFrame, sendOverHttp } from '../fixtures/sending-clients.ts'
import { ownPostgres } from '../fixtures/servers.ts'
import { until } from '../fixtures/until.ts'
import { settledLedger, weirClient, type WeirClient } from '../fixtures/weir-client.ts'
import { lastFirst, startWeir, type Lifetime } from '../fixtures/weir-process.ts'
import { childrenOf } from '../fixtures/worker-pids.ts'

/** At moments that come as they come; failpoint.test.ts has the one that matters most. */
const KILLS = 10
const skip = NO_SERVERS || (process.platform !== 'linux' && 'finds workers by /proc')

function senders(lifetime: Lifetime, url: string, count: number) {
  const sources = Array.from({ length: count }, (_, i) => new DeviceSource(`device-${i}`))
  const clients = sources.map(({ ledger, next }, i) =>
    sendOverHttp(url, i % 2 === 0 ? asArray : asFrame, { lifetime, ledger, next }),
  )
  return {
    sources,
    clients,
    finish: () => Promise.all(clients.map(client => client.finish())),
    newest: () => sources.flatMap(({ ledger }) => ledger.newest.slice(0, 1)),
  }
}

/** Every acknowledged point is stored once, and the ledger knows of no other. */
async function mustHoldAll(client: WeirClient, sources: readonly DeviceSource[]): Promise<void> {
  for (const { device, ledger } of sources) {
    // What a killed processor had is written when another one has its partitions.
    const isStored = async (): Promise<boolean> =>
      ledger.problems(await readPoints(client, [device])).length === 0
    await until('all is stored', isStored, 30_000).catch(() => {})
    ledger.mustHold(await readPoints(client, [device]))
  }
  const books = await settledLedger(client)
  assert.equal(books.imbalance, 0)
  assert.equal(books.dead_lettered, 0)
  const points = await readPoints(
    client,
    sources.map(({ device }) => device),
  )
  assert.equal(books.stored, points.length)
}

test(
  `after ${KILLS} kills of the processor nothing is lost and nothing is there twice`,
  { skip, timeout: 900_000 },
  async context => {
    const t = lastFirst(context)
    const random = seededRandom(context)
    const args = rolesApart(t)
    const gateway = await startWeir(t, { args: [...args, '--role=gateway'] })
    const processor = await startWeir(t, { args: [...args, '--role=processor'] })
    const client = await weirClient(gateway.url)
    const { sources, clients, finish } = senders(t, gateway.url, 4)
    for (let kill = 0; kill < KILLS; kill++) {
      // It gets its partitions when the one before is missed: now and then it has to write.
      if (kill % 3 === 0) {
        const { stored } = await client.read('/api/v1/ledger')
        const goesOn = async () => (await client.read('/api/v1/ledger')).stored > stored
        await until('it writes', goesOn, 60_000)
      }
      await delay(random.int(0, 300))
      await processor.kill()
      await processor.start()
    }
    await finish()
    // The doors were open all the while.
    for (const { refusals, breaks } of clients) assert.deepEqual([refusals, breaks], [[], []])
    await mustHoldAll(client, sources)
  },
)

test(
  'of two gateways and two processors each may be killed, and the others go on',
  { skip, timeout: 400_000 },
  async context => {
    const t = lastFirst(context)
    const args = [...rolesApart(t), '--processes.min=2', '--processes.max=2']
    const weir = await startWeir(t, { args: [...args, '--processes.processors=2'] })
    const client = await weirClient(weir.url)
    const { sources, finish, newest } = senders(t, weir.url, 4)
    await until('some are there', () => newest().length === sources.length)
    for (const [place, victim] of childrenOf(weir.pid).entries()) {
      process.kill(victim, 'SIGKILL')
      const before = newest()
      await until('points are acknowledged', () =>
        newest().every(({ timeUs }, i) => timeUs > before[i].timeUs),
      )
      const back = (): number => weir.output().split('a worker is back').length - 1
      await until('it is back', () => back() === place + 1)
    }
    await finish()
    await mustHoldAll(client, sources)
    assert.equal((await weir.stop()).code, 0)
  },
)

test(
  'while PostgreSQL is away points are taken in, and written when it is back',
  { skip, timeout: 400_000 },
  async context => {
    const t = lastFirst(context)
    const postgres = await ownPostgres(t)
    const weir = await startWeir(t, { args: rolesApart(t, postgres.address) })
    const client = await weirClient(weir.url)
    const { sources, clients, finish, newest } = senders(t, weir.url, 4)
    await until('some are there', () => newest().length === sources.length)
    for (const fail of ['stop', 'kill'] as const) {
      await postgres[fail]()
      const before = newest()
      await until('points are acknowledged meanwhile', () =>
        newest().every(({ timeUs }, i) => timeUs > before[i].timeUs + 100_000),
      )
      await postgres.start()
    }
    await finish()
    for (const { refusals, breaks } of clients) assert.deepEqual([refusals, breaks], [[], []])
    await until('it answers', async () => (await client.get('/api/v1/ledger')).status === 200)
    await mustHoldAll(client, sources)
  },
)

test(
  'what another gateway has taken is in flight at once, and until a processor has stored it',
  { skip, timeout: 300_000 },
  async context => {
    const t = lastFirst(context)
    const args = rolesApart(t)
    const [one, other] = await Promise.all(
      [0, 1].map(() => startWeir(t, { args: [...args, '--role=gateway'] })),
    )
    const { next } = new DeviceSource('device')
    const message = next()
    const { path, body, type } = asArray(message)
    const there = await weirClient(other.url)
    const { status, text } = await there.post(path, body, { 'content-type': type })
    assert.equal(status, 200, text)
    const here = await weirClient(one.url)
    const latest = '/api/v1/telemetry/latest?device_id=device'
    await until('it has heard of them', async () => (await here.get(latest)).status === 200)
    // The other one tells how many it has counted within a second, or has done so.
    const { in_flight: inFlight, imbalance, stored } = await here.read('/api/v1/ledger')
    assert.ok(inFlight > 0)
    assert.deepEqual([imbalance, stored], [0, 0])
    await startWeir(t, { args: [...args, '--role=processor'] })
    assert.equal((await settledLedger(here)).stored, message.points.length)
  },
)
