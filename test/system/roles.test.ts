import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { liveStream } from '../fixtures/live-stream.ts'
import { readPoints } from '../fixtures/read-back.ts'
import { DeviceSource, NO_SERVERS, rolesApart, scaledOut } from '../fixtures/roles-apart.ts'
import { asArray, asFrame, sendOverHttp, sendOverMqtt } from '../fixtures/sending-clients.ts'
import { postgresServer } from '../fixtures/servers.ts'
import { until } from '../fixtures/until.ts'
import { settledLedger, weirClient } from '../fixtures/weir-client.ts'
import { lastFirst, startWeir, type Lifetime } from '../fixtures/weir-process.ts'
import { childrenOf } from '../fixtures/worker-pids.ts'

const skip = NO_SERVERS

/** One connection, so one worker answers all of its requests. */
function oneConnection(lifetime: Lifetime, url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  lifetime.after(() => agent.destroy())
  return (path: string, body?: object): Promise<{ status: number; text: string }> => {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
    const headers = { 'content-type': 'application/json' }
    const sent = request(url + path, { agent, headers, method: body ? 'POST' : 'GET' }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
    })
    sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
    return promise
  }
}

test(
  'gateways and a processor are one Weir: what one takes in, all answer',
  {
    skip,
    timeout: 240_000,
  },
  async context => {
    const t = lastFirst(context)
    const args = [...rolesApart(t), '--processes.min=2', '--processes.max=2']
    const weir = await startWeir(t, { args })
    assert.equal(childrenOf(weir.pid).length, 3)
    const one = oneConnection(t, weir.url)
    const two = oneConnection(t, weir.url)
    const stream = await liveStream(t, weir.url, { query: '?device_id=pump-1' })
    // Whichever has the stream: both are sent to.
    for (const [place, send] of [one, two].entries()) {
      const timestamp = `2026-01-01T00:00:0${place}Z`
      const body = { device_id: 'pump-1', timestamp, data: { flow: place } }
      assert.equal((await send('/api/v1/telemetry', body)).status, 200)
    }
    const events = [await stream.next(), await stream.next()]
    const values: number[] = events.flatMap(({ data }) =>
      data.points.map((point: { value: number }) => point.value),
    )
    assert.deepEqual(
      values.toSorted((a, b) => a - b),
      [0, 1],
    )
    // Older by device time: it comes last and is not the latest.
    const late = { device_id: 'pump-1', timestamp: '2025-01-01T00:00:00Z', data: { flow: 7 } }
    await one('/api/v1/telemetry', late)
    for (const get of [one, two]) {
      await until('the latest value is there', async () => {
        const { text } = await get('/api/v1/telemetry/latest?device_id=pump-1')
        return JSON.parse(text).data[0]?.value === 1
      })
      await until('history is there', async () => {
        const { text } = await get('/api/v1/telemetry/pump-1?start=2025-01-01T00:00:00Z')
        return JSON.parse(text).count === 3
      })
      const { text } = await get('/api/v1/telemetry/latest?device_id=pump-1')
      assert.equal(JSON.parse(text).data[0].value, 1)
    }
    const client = await weirClient(weir.url)
    const books = await settledLedger(client)
    assert.deepEqual([books.received, books.stored, books.imbalance], [3, 3, 0])
    const metrics = await (await fetch(`${weir.url}/metrics`)).text()
    assert.match(metrics, /process_cpu_seconds_total\{process="gateway-2"\}/)
    assert.match(metrics, /freshness_seconds_count\{process="processor-1"\} [1-9]/)
    assert.match(metrics, /^weir_workers\{kind="gateway"\} 2$/m)
    assert.equal((await weir.stop()).code, 0)
  },
)

test(
  'a stream that comes back to another gateway goes on where it was',
  {
    skip,
    timeout: 240_000,
  },
  async context => {
    const t = lastFirst(context)
    const args = [...rolesApart(t), '--processes.min=2', '--processes.max=2']
    const weir = await startWeir(t, { args })
    const send = oneConnection(t, weir.url)
    const point = (flow: number) => ({
      ...{ device_id: 'pump-1', timestamp: `2026-01-01T00:00:0${flow}Z`, data: { flow } },
    })
    // Each new connection goes to the other worker.
    const streams = [await liveStream(t, weir.url), await liveStream(t, weir.url)]
    await send('/api/v1/telemetry', point(1))
    const [first, same] = await Promise.all(streams.map(stream => stream.next()))
    assert.equal(first.id, same.id, 'ids are of the log')
    streams.forEach(stream => stream.close())
    await send('/api/v1/telemetry', point(2))
    const lastEventId = first.id ?? ''
    for (let connection = 0; connection < 2; connection++) {
      const again = await liveStream(t, weir.url, { lastEventId })
      const { event, data } = await again.next()
      assert.deepEqual([event, data.points[0].value], ['points', 2])
    }
    const stranger = await liveStream(t, weir.url, { lastEventId: 'of-something-else' })
    const { event, data } = await stranger.next()
    assert.deepEqual([event, data], ['gap', { after: 'of-something-else' }])
  },
)

test(
  'a rolling restart under load refuses, breaks and loses nothing',
  {
    skip: skip || (process.platform !== 'linux' && 'finds its workers by /proc'),
    timeout: 400_000,
  },
  async context => {
    const t = lastFirst(context)
    const args = [...rolesApart(t), '--processes.min=2', '--processes.max=2']
    const weir = await startWeir(t, { args })
    const before = childrenOf(weir.pid)
    const sources = Array.from({ length: 8 }, (_, i) => new DeviceSource(`device-${i}`))
    const clients = sources.map(({ ledger, next }, i) =>
      sendOverHttp(weir.url, i < 4 ? asArray : asFrame, { lifetime: t, ledger, next }),
    )
    const overMqtt = new DeviceSource('over-mqtt', 1)
    const { ledger, next } = overMqtt
    const mqtt = sendOverMqtt(weir.mqttUrl, { lifetime: t, ledger, next, inFlight: 5 })
    weir.signal('SIGUSR2')
    await until(
      'all workers are replaced',
      () => /all workers are replaced/.test(weir.output()),
      300_000,
    )
    await Promise.all([...clients, mqtt].map(client => client.finish()))
    for (const { refusals, breaks } of clients) assert.deepEqual([refusals, breaks], [[], []])
    assert.equal(childrenOf(weir.pid).filter(pid => before.includes(pid)).length, 0)
    const client = await weirClient(weir.url)
    const books = await settledLedger(client)
    assert.equal(books.imbalance, 0)
    for (const source of [...sources, overMqtt]) {
      source.ledger.mustHold(await readPoints(client, [source.device]))
    }
  },
)

test(
  'workers without a log tell each other what is new, and an id of another is a gap',
  {
    skip: postgresServer().skip,
    timeout: 240_000,
  },
  async context => {
    const t = lastFirst(context)
    const weir = await startWeir(t, { args: scaledOut(t) })
    const one = oneConnection(t, weir.url)
    const two = oneConnection(t, weir.url)
    const point = (flow: number) => ({
      ...{ device_id: 'pump-1', timestamp: `2026-01-01T00:00:0${flow}Z`, data: { flow } },
    })
    // Each new connection goes to the other worker.
    const streams = [await liveStream(t, weir.url), await liveStream(t, weir.url)]
    const seen = streams.map(async stream => {
      const points = new Set<number>()
      const ids: string[] = []
      while (points.size < 2) {
        const { id = '', event, data } = await stream.next()
        assert.equal(event, 'points')
        for (const { value } of data.points as { value: number }[]) points.add(value)
        ids.push(id)
      }
      return { ids }
    })
    let isHeard = false
    const heard = Promise.all(seen).finally(() => (isHeard = true))
    // Until each knows what the other wants, it tells nothing.
    await until('both streams have the points of both workers', async () => {
      await Promise.all([one('/api/v1/telemetry', point(1)), two('/api/v1/telemetry', point(2))])
      return isHeard
    })
    const [here, there] = await heard
    assert.notEqual(here.ids[0], there.ids[0])
    // What one has acknowledged is in the next answer of the other.
    for (let flow = 3; flow < 9; flow++) {
      const [write, read] = flow % 2 === 0 ? [one, two] : [two, one]
      await write('/api/v1/telemetry', point(flow))
      const { text } = await read('/api/v1/telemetry/latest?device_id=pump-1')
      assert.equal(JSON.parse(text).data[0].value, flow)
    }
    const events: string[] = []
    for (let connection = 0; connection < 2; connection++) {
      const again = await liveStream(t, weir.url, { lastEventId: here.ids[0] })
      events.push((await again.next()).event)
    }
    assert.deepEqual(
      events.toSorted((a, b) => (a < b ? -1 : 1)),
      ['gap', 'points'],
    )
  },
)
