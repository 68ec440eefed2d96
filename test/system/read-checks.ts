import assert from 'node:assert/strict'
import {
  aggregated,
  isoOf,
  usOf,
  type PointModel,
  type PointValue,
} from '../fixtures/point-model.ts'
import { readDevices, readRows } from '../fixtures/read-back.ts'
import type { SeededRandom } from '../fixtures/seeded-random.ts'
import type { WeirClient } from '../fixtures/weir-client.ts'

const AGGREGATES = [
  'avg',
  'min',
  'max',
  'count',
  'sum',
  'first',
  'last',
  'p0',
  'p50',
  'p95',
  'p99.9',
]
const INTERVALS: readonly (readonly [text: string, us: number])[] = [
  ['10s', 10e6],
  ['5m', 300e6],
  ['7h', 7 * 3600e6],
  ['1d', 86_400e6],
  ['1w', 7 * 86_400e6],
]

/** Every read path, against the model. Devices that the model does not know are left out. */
export async function checkReads(
  client: WeirClient,
  model: PointModel,
  random: SeededRandom,
): Promise<void> {
  for (const device of model.devices) {
    await checkRows(client, model, { device, random })
    await checkBuckets(client, model, { device, random })
    await checkChart(client, model, { device, random })
    await checkFleet(client, model, device)
  }
  await checkMany(client, model, random)
  await checkLatest(client, model)
}

interface OfDevice {
  readonly device: string
  readonly random: SeededRandom
}

async function checkRows(
  client: WeirClient,
  model: PointModel,
  { device, random }: OfDevice,
): Promise<void> {
  const rows = model.rows(device)
  assert.deepEqual(await readRows(client, device), rows, device)
  const limit = Math.ceil(rows.length / random.int(1, 12))
  const { start, end } = rangeOf(model, device, random)
  const ranged = `&start=${isoOf(start)}&end=${isoOf(end)}`
  const down = await readRows(client, device, { query: `${ranged}&order=desc`, limit })
  assert.deepEqual(down, model.rows(device, { start, end }).toReversed(), `${device} by ${limit}`)
  const metrics = random.shuffle(model.series(device).map(({ metric }) => metric)).slice(0, 2)
  const query = metrics.map(metric => `&metric=${encodeURIComponent(metric)}`).join('')
  const some = await readRows(client, device, { query, limit: random.int(50, 1000) })
  assert.deepEqual(some, model.rows(device, { metrics }), `${device} ${query}`)
}

async function checkBuckets(
  client: WeirClient,
  model: PointModel,
  { device, random }: OfDevice,
): Promise<void> {
  const [interval, us] = random.pick(INTERVALS)
  const range = random.chance(0.5) ? undefined : rangeOf(model, device, random)
  const bounds = range === undefined ? '' : `&start=${range.start}&end=${isoOf(range.end)}`
  const path = `/api/v1/telemetry/${encodeURIComponent(device)}?interval=${interval}`
  const answer = await client.read(`${path}&agg=${AGGREGATES.join(',')}${bounds}`)
  mustBeBuckets(answer.series, model.buckets(device, us, range), `${device} ${interval}${bounds}`)
}

type SeriesAnswer = { device_id: string; metric: string; timestamps: string[] } & Record<
  string,
  (number | null)[]
>

function mustBeBuckets(
  series: SeriesAnswer[],
  expected: ReturnType<PointModel['buckets']>,
  what: string,
): void {
  assert.deepEqual(series.map(({ metric }) => metric).sort(), [...expected.keys()].sort(), what)
  for (const answer of series) {
    const buckets = expected.get(answer.metric)!
    assert.deepEqual(answer.timestamps, [...buckets.keys()], `${what} ${answer.metric}`)
    for (const name of AGGREGATES) {
      assert.equal(answer[name].length, buckets.size)
      let at = 0
      for (const values of buckets.values()) {
        mustBeAggregate(answer[name][at], values, { name, what: `${what} ${answer.metric} ${at}` })
        at++
      }
    }
  }
}

function mustBeAggregate(
  found: number | null,
  values: readonly number[],
  { name, what }: { name: string; what: string },
): void {
  const wanted = aggregated(values, name)
  // The model adds in the plainest way, so its own sums are rounded; all else is exact.
  const size = values.reduce((sum, value) => sum + Math.abs(value), 0)
  const isSum = name === 'sum' || name === 'avg'
  const isClose = isSum && found !== null && Math.abs(found - wanted) <= 1e-12 * size
  assert.ok(found === wanted || isClose, `${what} ${name}: ${found}, not ${wanted}`)
}

async function checkChart(
  client: WeirClient,
  model: PointModel,
  { device, random }: OfDevice,
): Promise<void> {
  const points = random.int(2, 200)
  const path = `/api/v1/telemetry/${encodeURIComponent(device)}?max_points=${points}`
  const { series } = (await client.read(path)) as { series: ChartSeries[] }
  const numeric = numericSeries(model, device)
  assert.deepEqual(series.map(({ metric }) => metric).sort(), [...numeric.keys()].sort())
  for (const { metric, timestamps, values } of series) {
    const all = numeric.get(metric)!
    const kept = timestamps.map((time, i) => [usOf(time), values[i]])
    const what = `${device} ${metric} max_points=${points}`
    if (all.length <= points) assert.deepEqual(kept, all, what)
    else {
      assert.equal(kept.length, points, what)
      assert.deepEqual(kept[0], all[0], what)
      assert.deepEqual(kept.at(-1), all.at(-1), what)
      const byTime = new Map(all.map(([time, value]) => [time, value]))
      for (const [time, value] of kept) assert.ok(Object.is(byTime.get(time), value), what)
      assert.ok(
        kept.every(([time], i) => i === 0 || time > kept[i - 1][0]),
        what,
      )
    }
  }
}

interface ChartSeries {
  readonly metric: string
  readonly timestamps: string[]
  readonly values: number[]
}

function numericSeries(model: PointModel, device: string): Map<string, [number, number][]> {
  const found = new Map<string, [number, number][]>()
  for (const { metric, points } of model.series(device)) {
    const numbers = points.flatMap(({ timeUs, value }): [number, number][] =>
      typeof value === 'number' ? [[timeUs, value]] : [],
    )
    if (numbers.length > 0) found.set(metric, numbers)
  }
  return found
}

/** The fleet benchmark API reads the same points. */
async function checkFleet(client: WeirClient, model: PointModel, device: string): Promise<void> {
  const path = encodeURIComponent(device)
  const rows = model.rows(device).toReversed()
  const records = (await client.read(`/api/telemetry/${path}?limit=500`)) as Record<
    string,
    unknown
  >[]
  const shown = records.map(({ device_time, ...rest }): Record<string, unknown> => {
    return { timestamp: device_time, ...rest }
  })
  assert.equal(shown.length, Math.min(500, rows.length))
  for (const [i, record] of shown.entries()) {
    const { device_id, device_uuid: _uuid, alias, system_time_utc: _arrival, ...metrics } = record
    assert.deepEqual([device_id, alias], [device, null])
    assert.deepEqual(metrics, rows[i])
  }
  const newest = (await client.read(`/api/telemetry/latest/${path}`)) as Record<string, unknown>
  const latest = model.latest(device)
  assert.equal(newest['device_time'], rows[0]['timestamp'])
  for (const [metric, { value }] of latest) assert.deepEqual(newest[metric], value, metric)
}

/** Many devices in one call. */
async function checkMany(
  client: WeirClient,
  model: PointModel,
  random: SeededRandom,
): Promise<void> {
  const devices = random.shuffle(model.devices).slice(0, random.int(2, model.devices.length))
  const query = async (body: object): Promise<SeriesAnswer[]> => {
    const answer = await client.post('/api/v1/query', { devices, ...body })
    assert.equal(answer.status, 200, answer.text)
    return answer.json.series as SeriesAnswer[]
  }
  const [interval, us] = random.pick(INTERVALS)
  const buckets = await query({ interval, aggregates: AGGREGATES })
  for (const device of devices) {
    const own = buckets.filter(({ device_id }) => device_id === device)
    mustBeBuckets(own, model.buckets(device, us), `many: ${device} ${interval}`)
  }
  assert.ok(buckets.every(({ device_id }) => devices.includes(device_id)))

  const { start, end } = rangeOf(model, devices[0], random)
  const metrics = ['counter', 'state', 'motor.rpm']
  const raw = (
    await query({ metrics, start: isoOf(start), end, limit: 100_000, order: 'desc' })
  ).map(({ device_id, metric, timestamps, ...rest }) => ({
    device_id,
    metric,
    timestamps,
    ...rest,
  }))
  const expected = devices.flatMap(device =>
    model.series(device, { metrics, start, end }).map(({ metric, points }) => ({
      device_id: device,
      metric,
      timestamps: points.map(({ timeUs }) => isoOf(timeUs)).reverse(),
      values: points.map(({ value }) => value).reverse(),
    })),
  )
  const byName = (a: { device_id: string; metric: string }, b: typeof a): number =>
    JSON.stringify([a.device_id, a.metric]) < JSON.stringify([b.device_id, b.metric]) ? -1 : 1
  assert.deepEqual(raw.sort(byName), expected.sort(byName) as unknown)
}

interface LatestRow {
  readonly device_id: string
  readonly metric: string
  readonly timestamp: string
  readonly value: PointValue
}

async function checkLatest(client: WeirClient, model: PointModel): Promise<void> {
  const known = new Set(model.devices)
  const expected = new Map(
    model.devices.flatMap(device =>
      [...model.latest(device)].map(([metric, point]) => [`${device}/${metric}`, point] as const),
    ),
  )
  const rows: LatestRow[] = []
  for (let cursor = ''; ;) {
    const page = await client.read(`/api/v1/telemetry/latest?limit=3${cursor}`)
    rows.push(...(page.data as LatestRow[]))
    if (page.next_cursor === null) break
    cursor = `&cursor=${encodeURIComponent(page.next_cursor as string)}`
  }
  mustBeLatest(rows, expected, known)
  const named = model.devices.map(device => `device_id=${encodeURIComponent(device)}`).join('&')
  const answer = await client.read(`/api/v1/telemetry/latest?${named}`)
  mustBeLatest(answer.data as LatestRow[], expected, known)
  const one = await client.read(`/api/v1/telemetry/latest?${named}&metric=counter&metric=state`)
  const narrowed = [...expected].filter(([key]) => /\/(counter|state)$/.test(key))
  mustBeLatest(one.data as LatestRow[], new Map(narrowed), known)

  const newest = (await client.read('/api/telemetry/latest')) as { device_time: string }
  const times = [...expected.values()].map(({ timestamp }) => usOf(timestamp))
  assert.ok(usOf(newest.device_time) >= Math.max(...times))
  const ids = new Set(await readDevices(client))
  for (const device of known) assert.ok(ids.has(device), `${device} is in the registry`)
}

function mustBeLatest(
  rows: readonly LatestRow[],
  expected: ReadonlyMap<string, { timestamp: string; value: PointValue }>,
  known: ReadonlySet<string>,
): void {
  const found = new Map<string, { timestamp: string; value: PointValue }>()
  for (const { device_id, metric, timestamp, value } of rows) {
    if (!known.has(device_id)) continue
    const key = `${device_id}/${metric}`
    assert.ok(!found.has(key), `${key} is there twice`)
    found.set(key, { timestamp, value })
  }
  assert.deepEqual(sorted(found), sorted(expected))
}

const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1))

/** A random range that touches the points of the device. */
function rangeOf(
  model: PointModel,
  device: string,
  random: SeededRandom,
): { start: number; end: number } {
  const times = model.series(device).flatMap(({ points }) => points.map(({ timeUs }) => timeUs))
  const [a, b] = [random.pick(times), random.pick(times)]
  return { start: Math.min(a, b), end: Math.max(a, b) + random.int(0, 2) }
}
