import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { dropSchema } from '../fixtures/postgres.ts'
import { readPoints } from '../fixtures/read-back.ts'
import { residentMb } from '../fixtures/resident-memory.ts'
import { DeviceSource } from '../fixtures/roles-apart.ts'
import { asArray, asFrame, sendOverHttp } from '../fixtures/sending-clients.ts'
import { kafkaServer, ownPostgres, postgresServer, redisServer } from '../fixtures/servers.ts'
import { slowProxy } from '../fixtures/slow-proxy.ts'
import { until } from '../fixtures/until.ts'
import { settledLedger, weirClient, type WeirClient } from '../fixtures/weir-client.ts'
import { lastFirst, startWeir, type Lifetime, type WeirProcess } from '../fixtures/weir-process.ts'

const skip =
  [postgresServer(), redisServer(), kafkaServer()].find(server => server.skip !== false)?.skip ||
  (process.platform !== 'linux' && 'reads memory from /proc')

const AWAY_MS = 30_000
/** What a node may hold more than before, whatever its clients send. */
const MORE_MB = 128
const CLIENTS = 8
const POINTS_A_MESSAGE = 100
const REST_MS = 150
const QUIET = 'quiet'
const CACHED = [
  `/api/v1/telemetry/latest?device_id=${QUIET}`,
  `/api/v1/telemetry/${QUIET}?start=2026-01-01T00:00:00Z&end=2026-01-01T01:00:00Z`,
]
const SMALL_BOUND = '--ingest.maxPendingBytes=8KB'
const LONG_KEPT = ['--cache.latestTtlMs=1h', '--cache.queryTtlMs=1h']

function placeOn(url: string, topology: string): string[] {
  const name = `test_${randomBytes(6).toString('hex')}`
  return [
    ...[`--topology=${topology}`, `--postgres.url=${url}`, `--postgres.schema=${name}`],
    ...[`--redis.url=${redisServer().address}`, `--redis.keyPrefix=${name}:`],
    ...[`--kafka.brokers=${kafkaServer().address}`, `--kafka.topic=${name}`],
    '--postgres.poolSize=4',
  ]
}

/** A node under the load of some clients, and what it held in memory when that began. */
async function loaded(t: Lifetime, weir: WeirProcess) {
  const client = await weirClient(weir.url)
  const quiet = { device_id: QUIET, timestamp: '2026-01-01T00:00:01Z', data: { m: 7 } }
  const answer = await client.post('/api/v1/telemetry', JSON.stringify(quiet), JSON_BODY)
  assert.equal(answer.status, 200, answer.text)
  const sources = Array.from(
    { length: CLIENTS },
    (_, i) => new DeviceSource(`device-${i}`, POINTS_A_MESSAGE),
  )
  const senders = sources.map(({ ledger, next }, i) => {
    const options = { lifetime: t, ledger, next, restMs: REST_MS }
    return sendOverHttp(weir.url, i % 2 === 0 ? asArray : asFrame, options)
  })
  const newest = (): number[] => sources.map(({ ledger }) => ledger.newest[0]?.timeUs ?? 0)
  await until('all have sent', () => newest().every(time => time > 0))
  const before = residentMb(weir.pid)
  return {
    client,
    senders,
    newest,
    refusals: () => senders.flatMap(({ refusals }) => refusals),
    mustBeSmall(): void {
      const now = residentMb(weir.pid)
      assert.ok(now < before + MORE_MB, `${now} MB of memory, and ${before} before`)
    },
    /** Every acknowledged point is there, once, and the ledger knows of no other but `others`. */
    async mustHold(others = 1): Promise<void> {
      await Promise.all(senders.map(sender => sender.finish()))
      await until('it answers', async () => (await client.get('/api/v1/ledger')).status === 200)
      const books = await settledLedger(client)
      let found = others
      for (const { device, ledger } of sources) {
        const points = await readPoints(client, [device])
        ledger.mustHold(points)
        found += points.length
      }
      assert.deepEqual([books.stored, books.dead_lettered], [found, 0])
    },
  }
}

const JSON_BODY = { 'content-type': 'application/json' }

const FURTHER = new DeviceSource('further', 2 * POINTS_A_MESSAGE).next()

/** Sends one message again until it is answered with that status: the answer. */
function answerOf(url: string, wanted: number): Promise<Response> {
  const { body, path } = asArray(FURTHER)
  return until(`it is answered ${wanted}`, async () => {
    const signal = AbortSignal.timeout(2000)
    const request = { method: 'POST', headers: JSON_BODY, body: body as string, signal }
    const response = await fetch(url + path, request).catch(() => undefined)
    return response?.status === wanted && response
  })
}

async function mustAnswer(client: WeirClient): Promise<void> {
  for (const path of CACHED) {
    const { status, text } = await client.get(path)
    assert.equal(status, 200, text)
    assert.match(text, /\b7\b/)
  }
}

suite('a database under load', { concurrency: true }, () => {
  test(
    `is suspended for ${AWAY_MS / 1000} s: memory is bounded, what is cached is read, nothing is lost`,
    { skip, timeout: 600_000 },
    async context => {
      const t = lastFirst(context)
      const postgres = await ownPostgres(t)
      const start = async (topology: string, ...args: string[]) => {
        const weir = await startWeir(t, { args: [...placeOn(postgres.address, topology), ...args] })
        return { weir, ...(await loaded(t, weir)) }
      }
      const cache = await start('cache', SMALL_BOUND, ...LONG_KEPT)
      const tune = await start('tune', SMALL_BOUND)
      const queue = await start('queue')
      const nodes = [cache, tune, queue]
      await mustAnswer(cache.client)
      postgres.pause()
      const end = performance.now() + AWAY_MS
      const taken = queue.newest()
      for (const { weir } of [cache, tune]) {
        const response = await answerOf(weir.url, 503)
        const { detail, limit } = (await response.json()) as { detail: string; limit: string }
        assert.ok(Number(response.headers.get('retry-after')) >= 1)
        assert.equal(limit, 'ingest.maxPendingBytes')
        assert.doesNotMatch(detail, /127\.0\.0\.1|:\d/)
      }
      while (performance.now() < end) {
        await mustAnswer(cache.client)
        for (const node of nodes) node.mustBeSmall()
        await delay(500)
      }
      // The log has them.
      assert.ok(queue.newest().every((time, i) => time > taken[i]))
      assert.deepEqual(queue.refusals(), [])
      postgres.resume()
      const before = nodes.map(({ newest }) => newest())
      await until('all go on', () =>
        nodes.every(({ newest }, n) => newest().every((time, i) => time > before[n][i])),
      )
      for (const node of nodes) {
        node.mustBeSmall()
        // It may have been stored already, by a try that was not waited for.
        if (node !== queue) await answerOf(node.weir.url, 200)
        await node.mustHold(node === queue ? 1 : 1 + FURTHER.points.length)
      }
    },
  )

  test(
    'answers slowly: memory is bounded, what is cached is read, nothing is lost',
    { skip, timeout: 600_000 },
    async context => {
      const t = lastFirst(context)
      const address = new URL(postgresServer().address)
      const proxy = await slowProxy(t, Number(address.port))
      address.port = String(proxy.port)
      const args = [...placeOn(address.href, 'cache'), SMALL_BOUND, ...LONG_KEPT]
      const schema = args.find(arg => arg.startsWith('--postgres.schema='))!.split('=')[1]
      t.after(() => dropSchema(schema))
      const weir = await startWeir(t, { args })
      const node = await loaded(t, weir)
      await mustAnswer(node.client)
      proxy.delayMs = 400
      for (let round = 0; round < 3; round++) {
        const before = node.newest()
        await until('all are acknowledged', async () => {
          await mustAnswer(node.client)
          node.mustBeSmall()
          return node.newest().every((time, i) => time > before[i])
        })
      }
      assert.ok(node.refusals().every(text => /^503 .*"limit":/.test(text)))
      proxy.delayMs = 0
      await node.mustHold()
    },
  )
})
