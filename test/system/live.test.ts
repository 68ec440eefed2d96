import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liveStream, type LiveStream } from '../fixtures/live-stream.ts'
import { until } from '../fixtures/until.ts'
import { ledgerOf, weirClient, type WeirClient } from '../fixtures/weir-client.ts'
import { startWeir } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 120_000 }

interface LivePoint {
  readonly device_id: string
  readonly metric: string
  readonly timestamp: string
  readonly value: number | string
}

interface Sent {
  readonly device: string
  readonly data: object
  /** Milliseconds after the first. */
  readonly time: number
}

async function send(client: WeirClient, { device, data, time }: Sent): Promise<void> {
  const timestamp = 1_700_000_000_000 + time
  const answer = await client.post('/api/v1/telemetry', { device_id: device, timestamp, data })
  assert.equal(answer.status, 200, answer.text)
}

/** The points of the next events, until there are so many. */
async function take(stream: LiveStream, count: number): Promise<LivePoint[]> {
  const points: LivePoint[] = []
  while (points.length < count) {
    const { event, data } = await stream.next()
    assert.equal(event, 'points', JSON.stringify(data))
    points.push(...(data.points as LivePoint[]))
  }
  return points
}

const shown = ({ device_id, metric, value }: LivePoint): string =>
  `${device_id} ${metric} ${JSON.stringify(value)}`

test('a live stream has the points that its filters let through, and no other', LIMIT, async t => {
  const weir = await startWeir(t)
  const client = await weirClient(weir.url)
  for (const [id, site, product] of [
    ['a', 'north', 'pump'],
    ['b', 'south', 'pump'],
    ['c', 'north', 'fan'],
  ]) {
    const made = await client.post('/api/v1/devices', { id, site, product })
    assert.equal(made.status, 201, made.text)
  }
  const streams = {
    all: await liveStream(t, weir.url),
    devices: await liveStream(t, weir.url, { query: '?device_id=a&device_id=b' }),
    metric: await liveStream(t, weir.url, { query: '?metric=t&metric=state' }),
    site: await liveStream(t, weir.url, { query: '?site=north' }),
    both: await liveStream(t, weir.url, { query: '?site=north&product=fan&metric=u' }),
  }
  for (const [i, device] of ['a', 'b', 'c'].entries()) {
    await send(client, { device, data: { t: 1, u: -0, state: 'é' }, time: i })
  }
  // What comes last is let through everywhere: nothing else can still be on its way.
  await client.post('/api/v1/devices', { id: 'end', site: 'north', product: 'fan' })
  await client.send('PATCH', '/api/v1/devices/a', { body: { site: 'north', product: 'fan' } })
  await send(client, { device: 'a', data: { t: 9, u: 9, state: 'end' }, time: 9 })
  const untilEnd = async (stream: LiveStream): Promise<string[]> => {
    const lines: string[] = []
    for (;;) {
      const { event, data } = await stream.next()
      if (event !== 'points') continue
      lines.push(...(data.points as LivePoint[]).map(shown))
      if (lines.some(line => /^a \w+ (9|"end")$/.test(line))) return lines.toSorted()
    }
  }
  const of = (device: string, metrics: readonly string[]): string[] =>
    metrics.map(metric => `${device} ${metric} ${{ t: '1', u: '0', state: '"é"' }[metric]}`)
  const end = (metrics: readonly string[]): string[] =>
    metrics.map(metric => `a ${metric} ${metric === 'state' ? '"end"' : '9'}`)
  const every = ['t', 'u', 'state']
  const expected: Record<keyof typeof streams, string[]> = {
    all: [...of('a', every), ...of('b', every), ...of('c', every), ...end(every)],
    devices: [...of('a', every), ...of('b', every), ...end(every)],
    metric: ['a', 'b', 'c'].flatMap(id => of(id, ['t', 'state'])).concat(end(['t', 'state'])),
    site: [...of('a', every), ...of('c', every), ...end(every)],
    both: [...of('c', ['u']), ...end(['u'])],
  }
  for (const name of Object.keys(streams) as (keyof typeof streams)[]) {
    assert.deepEqual(await untilEnd(streams[name]), expected[name].toSorted(), name)
  }
  await ledgerOf(client)
})

test('a stream resumes by Last-Event-ID, also across a restart, without loss', LIMIT, async t => {
  const weir = await startWeir(t)
  const client = await weirClient(weir.url)
  const first = await liveStream(t, weir.url)
  await send(client, { device: 'a', data: { n: 1 }, time: 1 })
  const one = await first.next()
  assert.deepEqual(one.data.points, [
    { device_id: 'a', metric: 'n', timestamp: '2023-11-14T22:13:20.001Z', value: 1 },
  ])
  first.close()

  // Missed while it was away.
  await send(client, { device: 'a', data: { n: 2 }, time: 2 })
  const second = await liveStream(t, weir.url, { lastEventId: one.id! })
  assert.deepEqual((await take(second, 1)).map(shown), ['a n 2'])
  await send(client, { device: 'a', data: { n: 3 }, time: 3 })
  const three = await second.next()
  assert.deepEqual((three.data.points as LivePoint[]).map(shown), ['a n 3'])

  // A stop ends the streams, and is not held up by them.
  const ended = second.ended()
  assert.deepEqual(await weir.stop(), { code: 0, signal: null })
  await ended
  await weir.start()
  await send(client, { device: 'a', data: { n: 4 }, time: 4 })
  const third = await liveStream(t, weir.url, { lastEventId: three.id! })
  const four = await third.next()
  assert.equal(four.event, 'points', 'nothing was missed, so there is no gap')
  assert.deepEqual((four.data.points as LivePoint[]).map(shown), ['a n 4'])
  assert.ok(positionOf(four.id!) > positionOf(three.id!), 'ids go on after a restart')

  // After a kill too: what was acknowledged is in the stream, or the stream says that there is a gap.
  await send(client, { device: 'a', data: { n: 5 }, time: 5 })
  await weir.kill()
  await weir.start()
  await send(client, { device: 'a', data: { n: 6 }, time: 6 })
  const fourth = await liveStream(t, weir.url, { lastEventId: four.id! })
  const next = await fourth.next()
  if (next.event === 'gap') assert.deepEqual(next.data, { after: four.id })
  else assert.deepEqual((next.data.points as LivePoint[]).map(shown), ['a n 5'])
  assert.deepEqual((await take(fourth, 1)).map(shown), ['a n 6'])
})

test('who comes back with an id that is not kept any more is told so', LIMIT, async t => {
  const weir = await startWeir(t, { args: ['--live.replayBytes=1KB'] })
  const client = await weirClient(weir.url)
  const stream = await liveStream(t, weir.url)
  await send(client, { device: 'a', data: { n: 0 }, time: 0 })
  const { id } = await stream.next()
  stream.close()
  for (let i = 1; i <= 20; i++)
    await send(client, { device: 'a', data: { text: 'x'.repeat(200) }, time: i })
  const resumed = await liveStream(t, weir.url, { lastEventId: id! })
  assert.equal((await resumed.next()).event, 'gap')
  assert.ok((await take(resumed, 1)).length > 0)
})

function positionOf(id: string): number {
  return Number(id.split('-')[1])
}

test('a restart takes no device offline before its grace is over', LIMIT, async t => {
  const graceMs = 3000
  const args = ['--devices.expectedIntervalMs=100ms', '--devices.offlineAfterIntervals=2']
  const weir = await startWeir(t, { args: [...args, `--devices.startupGraceMs=${graceMs}`] })
  const client = await weirClient(weir.url)
  const data = { t: 1 }
  await client.post('/api/v1/telemetry', { device_id: 'silent', data })
  const statusOf = async (id: string): Promise<string> =>
    ((await client.read(`/api/v1/devices/${id}`)) as { status: string }).status
  assert.equal(await statusOf('silent'), 'online')
  assert.deepEqual(await weir.stop(), { code: 0, signal: null })

  const restartedAt = Date.now()
  await weir.start()
  const stream = await liveStream(t, weir.url)
  assert.notEqual(await statusOf('silent'), 'offline')
  // It stays silent, so in the end it is offline, but not because of the restart.
  const { event, data: change } = await stream.next()
  assert.equal(event, 'status')
  assert.equal(change.device_id, 'silent')
  assert.equal(change.status, 'offline')
  assert.ok(Date.parse(change.timestamp as string) >= restartedAt + graceMs)
  await until('offline', async () => (await statusOf('silent')) === 'offline')
})
