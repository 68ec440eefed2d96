import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RawRead, ScanRead, SeriesPoints } from '../../ports/store.ts'
import { timeWindows } from './time-windows.ts'
import { encodeWideCsv, type WideRequest } from './wide-csv.ts'

/** A store of some series, in chunks of `chunkPoints`; counts what was read of it. */
function storeOf(series: readonly SeriesPoints[], chunkPoints = 10) {
  const store = {
    chunks: 0,
    running: 0,
    read: ({ limit, ...request }: RawRead) =>
      Promise.resolve(chosen(series, request).map(one => part(one, 0, limit))),
    async *scan(request: ScanRead) {
      store.running++
      try {
        for (const one of chosen(series, request)) {
          for (let at = 0; at < one.timestamps.length; at += chunkPoints) {
            store.chunks++
            await Promise.resolve()
            yield [part(one, at, at + chunkPoints)]
          }
        }
      } finally {
        store.running--
      }
    },
  }
  return store
}

function chosen(all: readonly SeriesPoints[], { select, range }: ScanRead): SeriesPoints[] {
  return all
    .filter(({ device }) => select.devices.includes(device))
    .filter(({ metric }) => select.metrics.length === 0 || select.metrics.includes(metric))
    .map(one => {
      const from = one.timestamps.findIndex(time => time >= range.start)
      const to = one.timestamps.findLastIndex(time => time < range.end)
      return part(one, from < 0 ? one.timestamps.length : from, to + 1)
    })
    .filter(({ timestamps }) => timestamps.length > 0)
}

function part({ texts, ...one }: SeriesPoints, from: number, to: number): SeriesPoints {
  return {
    ...one,
    timestamps: one.timestamps.slice(from, to),
    values: one.values.slice(from, to),
    ...(texts === undefined ? {} : { texts: texts.slice(from, to) }),
  }
}

function seriesOf(device: string, metric: string, points: Record<number, number | string>) {
  const times = Object.keys(points).map(Number)
  const values = Object.values(points)
  const isText = values.some(value => typeof value === 'string')
  const texts = values.map(value => (typeof value === 'string' ? value : undefined))
  return {
    ...{ device, metric, timestamps: Float64Array.from(times) },
    values: Float64Array.from(values, value => (typeof value === 'string' ? NaN : value)),
    ...(isText ? { texts } : {}),
  } as SeriesPoints
}

const REQUEST: WideRequest = {
  ...{ tenant: 't', devices: ['a', 'b', 'c'], metrics: [], time: 'us' },
  range: { start: 0, end: 2 ** 53 },
}

async function wide(series: readonly SeriesPoints[], request: Partial<WideRequest> = {}) {
  const store = storeOf(series)
  const pieces = await Array.fromAsync(encodeWideCsv(store, { ...REQUEST, ...request }))
  assert.equal(store.running, 0)
  return Buffer.concat(pieces).toString()
}

test('a row is a time of a device, a column a metric, and what is not there is empty', async () => {
  const series = [
    seriesOf('a', 't', { 10: 1.5, 20: -0, 30: 3 }),
    seriesOf('a', 'state', { 20: 'on, now', 25: '' }),
    seriesOf('b', 't', { 10: 7 }),
    seriesOf('b', 'device_id', { 10: 1 }),
  ]
  assert.equal(
    await wide(series),
    [
      'time_us,device_id,device_id (metric),state,t',
      '10,a,,,1.5',
      '20,a,,"on, now",-0',
      '25,a,,"",',
      '30,a,,,3',
      '10,b,1,,7',
      '',
    ].join('\n'),
  )
})

test('range, metrics and the way of times are kept to, and columns are those with a point', async () => {
  const series = [
    seriesOf('a', 't', { 10: 1, 20: 2 }),
    seriesOf('a', 'u', { 10: 1, 20: 2 }),
    seriesOf('a', '=x', { 30: 1 }),
  ]
  const range = { start: 10, end: 20 }
  assert.equal(await wide(series, { range }), 'time_us,device_id,t,u\n10,a,1,1\n')
  assert.equal(
    await wide(series, { metrics: ['=x', 'none'], time: 'iso' }),
    "time,device_id,'=x\n1970-01-01T00:00:00.000030Z,a,1\n",
  )
  assert.equal(await wide([]), 'time_us,device_id\n')
})

test('too many metrics are refused before anything is written', async () => {
  const series = Array.from({ length: 4097 }, (_, i) => seriesOf('a', `m${i}`, { 1: 1 }))
  await assert.rejects(wide(series), { kind: 'rejected', message: /at most 4096 metrics/ })
})

const METRICS = ['m0', 'm1', 'm2']

test('windows have every point once, in order, and never more than their bound', async () => {
  const times = fc.uniqueArray(fc.integer({ min: 0, max: 2000 }), { maxLength: 300 })
  // Most of them close together, far from where the range begins.
  const base = fc.constantFrom(0, 1_000_000, 1.7e15)
  await fc.assert(
    fc.asyncProperty(fc.array(times, { maxLength: 3 }), base, fc.integer({ min: 6, max: 80 }), run),
    { numRuns: 200 },
  )
})

async function run(all: readonly number[][], base: number, bound: number): Promise<void> {
  const series = all.map((times, at) => {
    const sorted = times.map(time => base + time).sort((a, b) => a - b)
    const timestamps = Float64Array.from(sorted)
    return { device: 'a', metric: METRICS[at], timestamps, values: timestamps }
  })
  const store = storeOf(series)
  const select = { tenant: 't', devices: ['a'], metrics: METRICS }
  const range = { start: 0, end: 2 ** 53 }
  const seen = new Map<string, number[]>(METRICS.map(metric => [metric, []]))
  let last = -1
  for await (const window of timeWindows(store, { select, range }, bound)) {
    const points = [...window.values()].flat().flatMap(({ timestamps }) => [...timestamps])
    assert.ok(points.length > 0 && points.length <= bound, `${points.length} of ${bound}`)
    for (const time of points) assert.ok(time > last, 'no window begins before the last has ended')
    last = Math.max(...points)
    for (const [metric, parts] of window) {
      for (const { timestamps } of parts) seen.get(metric)!.push(...timestamps)
    }
  }
  for (const { metric, timestamps } of series) assert.deepEqual(seen.get(metric), [...timestamps])
  assert.equal(store.running, 0)
}

test('looking for windows reads not many times what there is', async () => {
  const series = METRICS.map(metric => {
    const timestamps = Float64Array.from({ length: 20_000 }, (_, i) => 1.7e15 + i * 1e6)
    return { device: 'a', metric, timestamps, values: timestamps }
  })
  const store = storeOf(series, 100)
  const select = { tenant: 't', devices: ['a'], metrics: METRICS }
  const scan = { select, range: { start: 0, end: 2 ** 53 } }
  let windows = 0
  for await (const _ of timeWindows(store, scan, 2000)) windows++
  assert.ok(windows < 100, String(windows))
  assert.ok(store.chunks < 3 * 600, `${store.chunks} chunks of 600`)
})
