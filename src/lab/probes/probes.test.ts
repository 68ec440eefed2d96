import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { labWorkload } from '../../../test/fixtures/lab-workload.ts'
import { until } from '../../../test/fixtures/until.ts'
import type { LoadResult } from '../generator/load.ts'
import { HttpClient } from '../system/http-client.ts'
import { urlSystem } from '../system/url-system.ts'
import { startProbes } from './probes.ts'

const LIMIT = { timeout: 60_000 }

interface FakeWeir {
  readonly url: string
  /** Points that clients were told are stored. */
  acknowledged: number
  /** Requests that it got. */
  readonly seen: Set<string>
  /** Connections that are open. */
  readonly sockets: Set<Socket>
  close(): void
}

interface Faults {
  /** Which of its acknowledged points it loses: the last of so many. */
  readonly losesOneOf?: number
  /** Points that were taken in and are not stored, as its ledger tells it when it is asked. */
  readonly backlog?: () => number
  /** It answers 404 to everything. */
  readonly isForeign?: boolean
}

/** What the probes need of a Weir, kept in memory, with faults. */
async function fakeWeir(t: TestContext, faults: Faults = {}): Promise<FakeWeir> {
  const points = new Set<number>()
  const close = (): void => {
    server.closeAllConnections()
    server.close()
  }
  const sockets = new Set<Socket>()
  const weir = { url: '', acknowledged: 0, seen: new Set<string>(), sockets, close }
  const ledger = () => {
    const writer = faults.backlog?.() ?? 0
    const in_flight_at = { log: 0, writer, unsettled: 0 }
    const none = { duplicate: 0, rejected: 0, dead_lettered: 0, imbalance: 0 }
    return { received: points.size + writer, stored: points.size, ...none, in_flight_at }
  }
  const answerTo = async (request: IncomingMessage): Promise<object | undefined> => {
    const url = new URL(request.url!, 'http://localhost')
    weir.seen.add(`${request.method} ${url.pathname}`)
    if (faults.isForeign === true) return undefined
    if (url.pathname === '/api/v1/ledger') return ledger()
    if (request.method === 'POST' && url.pathname === '/api/v1/telemetry') {
      const { timestamp } = JSON.parse((await request.toArray()).join('')) as { timestamp: number }
      weir.acknowledged++
      if (weir.acknowledged % (faults.losesOneOf ?? Infinity) !== 0) points.add(timestamp)
      return { accepted: 1, rejected: [] }
    }
    if (url.pathname.startsWith('/api/v1/telemetry/')) {
      const timeMs = Number(url.searchParams.get('start'))
      return { data: points.has(timeMs) ? [{ seen: timeMs }] : [] }
    }
    return undefined
  }
  const server = createServer((request, response) => {
    void answerTo(request).then(answer => {
      response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? {}))
    })
  })
  // Those whom nobody uses stay open, too.
  server.keepAliveTimeout = 0
  server.on('connection', socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(close)
  weir.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return weir
}

/** The result of a load that has sent `points`, all acknowledged, until now. */
function loadOf(acknowledgedPoints: number, startedMs: number): LoadResult {
  const startedAt = new Date(startedMs).toISOString()
  const measuredMs = Date.now() - startedMs
  return { startedAt, measuredMs, acknowledgedPoints, uncertainPoints: 0 } as unknown as LoadResult
}

/** Sends it as many points as a generator would; how many. */
async function send(weir: FakeWeir, count: number): Promise<number> {
  const client = new HttpClient(weir.url)
  // Not of the milliseconds that the probe uses.
  const sending = Array.from({ length: count }, (_, timestamp) =>
    client.send('POST', '/api/v1/telemetry', { body: { timestamp } }),
  )
  await Promise.all(sending)
  client.close()
  return count
}

const options = { workload: labWorkload(3, 0), seed: 5, warmUpMs: 0 }
const finish = { drainLimitMs: 300, counts: false }

test('a system that loses one of 1000 points is found out', LIMIT, async t => {
  for (const losesOneOf of [1000, Infinity]) {
    const weir = await fakeWeir(t, { losesOneOf })
    const startedMs = Date.now()
    const probes = await startProbes(urlSystem(weir.url), options)
    t.after(() => probes.stop())
    const sent = await send(weir, 1000)
    const { ledger } = await probes.finish(loadOf(sent, startedMs), finish)
    assert.equal(ledger.acknowledged, weir.acknowledged)
    const lost = losesOneOf === 1000 ? 1 : 0
    assert.equal(ledger.stored, weir.acknowledged - lost)
    if (lost === 0) assert.deepEqual(ledger.problems, [])
    else assert.match(ledger.problems.join(), /^1 of \d+ acknowledged points are missing/)
  }
})

test('a backlog that grows has a slope, and is not empty at the end', LIMIT, async t => {
  const beganMs = performance.now()
  let asked = 0
  const backlog = (): number => {
    asked++
    return Math.round(performance.now() - beganMs)
  }
  const weir = await fakeWeir(t, { backlog })
  const startedMs = Date.now()
  const probes = await startProbes(urlSystem(weir.url), options)
  t.after(() => probes.stop())
  await until('the ledger was asked some times', () => asked >= 4)
  const figures = await probes.finish(loadOf(0, startedMs), finish)
  // One point a millisecond.
  const { slopePerSecond, drainedMs, maxPoints } = figures.backlog
  assert.ok(slopePerSecond > 500 && slopePerSecond < 2000, String(slopePerSecond))
  assert.equal(drainedMs, undefined)
  assert.ok(maxPoints > 0)
  // What is on its way is not lost.
  assert.deepEqual(figures.ledger.problems, [])
})

test('a backlog that is empty after the load says since when', LIMIT, async t => {
  let isEmpty = false
  const weir = await fakeWeir(t, { backlog: () => (isEmpty ? 0 : 50) })
  const startedMs = Date.now()
  const probes = await startProbes(urlSystem(weir.url), options)
  t.after(() => probes.stop())
  const load = loadOf(0, startedMs)
  setTimeout(() => (isEmpty = true), 100)
  const { backlog, ledger } = await probes.finish(load, { ...finish, drainLimitMs: 20_000 })
  assert.ok(backlog.drainedMs !== undefined && backlog.drainedMs >= 0)
  assert.deepEqual(ledger.problems, [])
})

test('a backlog that was empty before the last answers came is not empty yet', LIMIT, async t => {
  let points = 0
  let asked = 0
  const backlog = (): number => {
    asked++
    return points
  }
  const weir = await fakeWeir(t, { backlog })
  const startedMs = Date.now()
  const probes = await startProbes(urlSystem(weir.url), options)
  t.after(() => probes.stop())
  const load = loadOf(0, startedMs)
  const toMs = performance.now()
  // An answer to what was asked after the end is there when the next one is asked for.
  const before = asked
  await until('it was seen empty after the end', () => asked >= before + 3)
  points = 50
  let emptyMs = Infinity
  setTimeout(() => {
    points = 0
    emptyMs = performance.now()
  }, 100)
  const figures = await probes.finish(load, { ...finish, drainLimitMs: 20_000 })
  const { drainedMs } = figures.backlog
  // The times of the load are of another clock, in whole milliseconds.
  assert.ok(drainedMs! >= emptyMs - toMs - 5, `${drainedMs} of ${emptyMs - toMs} ms`)
})

test('how fresh queries are is measured until a point is visible', LIMIT, async t => {
  const weir = await fakeWeir(t)
  const startedMs = Date.now()
  const probes = await startProbes(urlSystem(weir.url), options)
  t.after(() => probes.stop())
  await until('some points were sent', () => weir.acknowledged >= 3)
  const { freshness } = await probes.finish(loadOf(0, startedMs), finish)
  assert.ok(freshness.count >= 3)
  assert.ok(freshness.p50Ms > 0 && freshness.maxMs >= freshness.p50Ms)
})

test('a point that never becomes visible has waited until the end', LIMIT, async t => {
  const weir = await fakeWeir(t, { losesOneOf: 1 })
  const startedMs = Date.now()
  const probes = await startProbes(urlSystem(weir.url), options)
  t.after(() => probes.stop())
  await until('a point was sent', () => weir.acknowledged >= 1)
  const { freshness, ledger } = await probes.finish(loadOf(0, startedMs), finish)
  assert.ok(freshness.count >= 1)
  assert.ok(freshness.maxMs >= finish.drainLimitMs, String(freshness.maxMs))
  assert.match(ledger.problems.join(), /are missing/)
})

test('nothing is sent to a system that is no Weir, and its ledger is missing', LIMIT, async t => {
  const other = await fakeWeir(t, { isForeign: true })
  const startedMs = Date.now()
  const probes = await startProbes(urlSystem(other.url), options)
  t.after(() => probes.stop())
  const figures = await probes.finish(loadOf(77, startedMs), finish)
  assert.deepEqual(
    [...other.seen].filter(request => !request.startsWith('GET ')),
    [],
  )
  const { missing, problems, acknowledged } = figures.ledger
  assert.match(missing!, /no Weir/)
  assert.deepEqual(
    [problems, acknowledged, figures.roles, figures.freshness.count],
    [[], 77, [], 0],
  )
})

test('probes that cannot begin leave nothing open', LIMIT, async t => {
  const weir = await fakeWeir(t)
  const database = { databaseUrl: 'postgres://weir@127.0.0.1:1/weir', databaseName: 'weir' }
  const starting = startProbes({ ...urlSystem(weir.url), ...database }, options)
  await assert.rejects(starting, /127\.0\.0\.1:1|ECONNREFUSED/)
  await until('the connections are closed', () => weir.sockets.size === 0, 10_000)
  assert.ok(weir.seen.has('GET /api/v1/ledger'))
})

test(
  'of a system that has gone meanwhile nothing is known, and no loss is told',
  LIMIT,
  async t => {
    const weir = await fakeWeir(t)
    const startedMs = Date.now()
    const probes = await startProbes(urlSystem(weir.url), options)
    t.after(() => probes.stop())
    weir.close()
    const { ledger } = await probes.finish(loadOf(10, startedMs), finish)
    assert.match(ledger.unread!, /ECONN|hang up/)
    assert.deepEqual([ledger.problems, ledger.missing], [[], undefined])
  },
)
