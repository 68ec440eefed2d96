import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { memoryAnomalies } from '../../test/fixtures/memory-anomalies.ts'
import { MAX_TIME_US } from '../model/time.ts'
import type { Anomaly } from '../model/anomaly.ts'
import type { RawRead, SeriesPoints } from '../ports/store.ts'
import { Readings } from './readings.ts'

interface Stored {
  readonly device: string
  readonly metric: string
  readonly timeUs: number
  readonly value: number | string
}

const WINDOW = 3
const ALL_TIME = { start: 0, end: MAX_TIME_US }

/** Readings over points, of which a key is there once. */
function readingsOf(points: readonly Stored[]) {
  const anomalies = memoryAnomalies()
  const names = [...new Set(points.map(({ device, metric }) => `${device} ${metric}`))]
  const read = async ({ select, range, limit, order }: RawRead): Promise<SeriesPoints[]> =>
    names.flatMap(name => {
      const [device, metric] = name.split(' ')
      const sign = order === 'asc' ? 1 : -1
      const own = points
        .filter(point => point.device === device && point.metric === metric)
        .filter(({ timeUs }) => timeUs >= range.start && timeUs < range.end)
        .sort((a, b) => sign * (a.timeUs - b.timeUs))
        .slice(0, limit)
      const fits =
        select.tenant === 't' &&
        select.devices.includes(device) &&
        (select.metrics.length === 0 || select.metrics.includes(metric))
      if (!fits || own.length === 0) return []
      return {
        ...{ device, metric },
        timestamps: Float64Array.from(own, ({ timeUs }) => timeUs),
        values: Float64Array.from(own, ({ value }) => (typeof value === 'number' ? value : NaN)),
        texts: own.map(({ value }) => (typeof value === 'string' ? value : undefined)),
      }
    })
  const readings = new Readings({
    store: {
      read,
      async buckets(request) {
        const all = await read({ ...request, limit: Infinity, order: 'asc' })
        return all.map(({ device, metric, values }) => {
          const numbers = values.filter(value => value === value)
          const sum = numbers.reduce((total, value) => total + value, 0)
          const columns = [Float64Array.of(numbers.length), Float64Array.of(sum)]
          return { device, metric, timestamps: Float64Array.of(0), columns }
        })
      },
    },
    anomalies,
    windowOf: () => WINDOW,
    longestWindow: WINDOW,
    latest: {
      async newestSeries({ tenant, device, metric, limit }) {
        if (tenant !== 't') return []
        return points
          .filter(point => device === undefined || point.device === device)
          .filter(point => metric === undefined || point.metric === metric)
          .toSorted(newestFirst)
          .filter((point, i, all) => all.findIndex(other => isSameSeries(point, other)) === i)
          .slice(0, limit)
      },
    },
  })
  return { readings, anomalies }
}

const isSameSeries = (a: Stored, b: Stored): boolean =>
  a.device === b.device && a.metric === b.metric

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))
const newestFirst = (a: Stored, b: Stored): number =>
  b.timeUs - a.timeUs || compare(a.device, b.device) || compare(a.metric, b.metric)

/** The average of the numbers before a point, counted out. */
function averageBefore(points: readonly Stored[], { device, metric, timeUs }: Stored): number {
  const before = points
    .filter(point => point.device === device && point.metric === metric)
    .filter(point => point.timeUs < timeUs && typeof point.value === 'number')
    .sort((a, b) => a.timeUs - b.timeUs)
    .slice(-WINDOW)
    .map(({ value }) => value as number)
  return before.reduce((sum, value) => sum + value, 0) / before.length
}

const stored = fc.uniqueArray(
  fc.record({
    device: fc.constantFrom('a', 'b', 'c', 'd'),
    metric: fc.constantFrom('m', 'n'),
    timeUs: fc.nat(30),
    value: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 9 }) },
      { weight: 1, arbitrary: fc.constant('text') },
    ),
  }),
  { selector: ({ device, metric, timeUs }) => `${device} ${metric} ${timeUs}`, maxLength: 60 },
)

test('any page of any points is what sorting all of them gives', async () => {
  const only = fc.record({
    device: fc.option(fc.constantFrom('a', 'b', 'x'), { nil: undefined }),
    metric: fc.option(fc.constantFrom('m', 'n', 'x'), { nil: undefined }),
    limit: fc.integer({ min: 1, max: 12 }),
    offset: fc.nat(12),
  })
  await fc.assert(
    fc.asyncProperty(stored, only, async (points, request) => {
      const { readings } = readingsOf(points)
      const { device, metric, limit, offset } = request
      const expected = points
        .filter(point => device === undefined || point.device === device)
        .filter(point => metric === undefined || point.metric === metric)
        .sort(newestFirst)
      const page = await readings.newest({ tenant: 't', range: ALL_TIME, ...request })
      assert.deepEqual(
        page.map(({ device: id, metric: name, timeUs, value }) => [id, name, timeUs, value]),
        expected.slice(offset, offset + limit).map(point => Object.values(point)),
      )
      for (const reading of page) {
        const average = averageBefore(points, reading)
        if (typeof reading.value === 'string') assert.ok(Number.isNaN(reading.rollingAvg))
        else if (Number.isNaN(average)) assert.ok(Number.isNaN(reading.rollingAvg))
        else assert.ok(Math.abs(reading.rollingAvg - average) < 1e-9)
      }
      const latest = await readings.latest({ tenant: 't', ...request })
      const newest = expected.filter(
        (point, i) =>
          expected.findIndex(p => p.device === point.device && p.metric === point.metric) === i,
      )
      assert.deepEqual(
        latest.map(({ device: id, metric: name, timeUs }) => [id, name, timeUs]),
        newest.slice(offset, offset + limit).map(p => [p.device, p.metric, p.timeUs]),
      )
    }),
  )
})

test('a range bounds the page, and not what the averages are made of', async () => {
  const points = [1, 2, 3, 4].map(i => ({ device: 'a', metric: 'm', timeUs: i, value: 10 * i }))
  const { readings } = readingsOf(points)
  const page = await readings.newest({
    ...{ tenant: 't', device: 'a', limit: 10, offset: 0 },
    range: { start: 3, end: 4 },
  })
  assert.deepEqual(
    page.map(({ value, rollingAvg }) => [value, rollingAvg]),
    [[30, 15]],
  )
})

test('readings that are anomalies say so, those of another tenant or metric do not count', async () => {
  const points = [1, 2].map(i => ({ device: 'a', metric: 'm', timeUs: i, value: i }))
  const { readings, anomalies } = readingsOf(points)
  const anomaly: Anomaly = {
    ...{ tenant: 't', device: 'a', metric: 'm', timeUs: 2, detector: 'x', severity: 'low' },
    ...{ value: 2, average: 1, deviationPct: 100, score: 9 },
  }
  await anomalies.save([
    anomaly,
    { ...anomaly, tenant: 'u', timeUs: 1 },
    { ...anomaly, metric: 'n', timeUs: 1 },
  ])
  const page = await readings.newest({ tenant: 't', range: ALL_TIME, limit: 5, offset: 0 })
  assert.deepEqual(
    page.map(({ isAnomaly }) => isAnomaly),
    [true, false],
  )
  const [stats] = await readings.stats('t', ['a'])
  assert.equal(stats.anomalies, 2)
})

test('the figures of a device are over all its numbers', async () => {
  await fc.assert(
    fc.asyncProperty(stored, async points => {
      const { readings } = readingsOf(points)
      const stats = await readings.stats('t', ['a', 'b', 'x'])
      const expected = ['a', 'b'].flatMap(device => {
        const own = points.filter(point => point.device === device)
        if (own.length === 0) return []
        const numbers = own.filter(point => typeof point.value === 'number')
        const averages = numbers
          .map(point => averageBefore(points, point))
          .filter(average => !Number.isNaN(average))
        const sum = numbers.reduce((total, { value }) => total + (value as number), 0)
        const rolling = averages.reduce((total, average) => total + average, 0) / averages.length
        return [{ device, count: numbers.length, sum, rolling }]
      })
      assert.deepEqual(
        stats.map(({ device, count, sum }) => ({ device, count, sum })),
        expected.map(({ device, count, sum }) => ({ device, count, sum })),
      )
      const total = expected.reduce((all, { count }) => all + count, 0)
      assert.equal(await readings.count('t', ['a', 'b', 'x']), total)
      assert.deepEqual(await readings.stats('other', ['a']), [])
    }),
  )
})
