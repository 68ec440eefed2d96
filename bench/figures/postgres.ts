import { randomBytes } from 'node:crypto'
import { PostgresPool } from '../../src/postgres/postgres-pool.ts'
import type { PostgresOptions } from '../../src/postgres/postgres-pool.ts'
import { providePostgres } from '../../src/provide/postgres-server.ts'
import { systemClock } from '../../src/ports/clock.ts'
import type { Aggregate, StoreEntry } from '../../src/ports/store.ts'
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts'
import { Rollups } from '../../src/store/postgres/rollups.ts'
import { median, type BenchContext, type Figure, type Goal } from '../figure.ts'

const DEVICES = 2500
const METRICS = ['temperature', 'pressure', 'flow', 'state']
const DAY_US = 86_400_000_000
const DAY = Date.UTC(2026, 0, 15) * 1000
/** As a message of a gateway would bring them. */
const ENTRY_DEVICES = 250
/** Of the history that is read by days: so many points of each series a day. */
const DAY_POINTS = 8640
const HISTORY_DEVICES = 10
const UNDER_WAY = 120
const LANES = 64
const WINDOWS = 5
const devices = Array.from({ length: DEVICES }, (_, i) => `device-${String(i).padStart(5, '0')}`)

interface Result {
  /** Points a second of each window. */
  readonly rates: readonly number[]
  readonly p50Ms: number
  readonly p99Ms: number
}

/**
 * The store in PostgreSQL on its own, in this process, with the server on the same machine: the index (series, time) is
 * there from the start. WEIR_TEST_POSTGRES_URL names another server than the one that Weir starts.
 */
export async function postgresFigures(context: BenchContext): Promise<Figure[]> {
  const own = process.env.WEIR_TEST_POSTGRES_URL
  const server =
    own === undefined
      ? await providePostgres({ directory: context.folder('postgres'), report: context.say })
      : undefined
  const schema = `bench_${randomBytes(4).toString('hex')}`
  const options: PostgresOptions = {
    ...{ url: own ?? server!.address, schema, poolSize: 15, statementTimeoutMs: 120_000 },
    ...{ connectTimeoutMs: 30_000, idleTimeoutMs: 30_000 },
  }
  try {
    await tellSettings(options, context)
    return await figuresOf(options, context)
  } finally {
    const pool = await PostgresPool.open(options)
    await pool.query({ text: `DROP SCHEMA IF EXISTS ${schema} CASCADE` })
    await pool.close()
    await server?.stop()
  }
}

async function figuresOf(postgres: PostgresOptions, context: BenchContext): Promise<Figure[]> {
  const seconds = context.quick ? 5 : 30
  const merged = await PostgresStore.open({ postgres, writes: 'merged' })
  const perRound = DEVICES / ENTRY_DEVICES
  let entries = 0
  const bulk = await sustain(merged, { lanes: UNDER_WAY, seconds }, () => {
    const n = entries++
    return entryOf((n % perRound) * ENTRY_DEVICES, ENTRY_DEVICES, Math.floor(n / perRound))
  })
  const { stored, diskBytes } = await merged.stats()
  context.say(`${stored} points, ${Math.round(diskBytes / stored)} bytes each`)
  await tellQueries(merged, context)
  await tellRollups(postgres, context)
  let message = 0
  // Later than all of the above.
  const one = (): StoreEntry => {
    const n = message++
    return entryOf(n % DEVICES, 1, 40_000 + Math.floor(n / DEVICES))
  }
  const tuned = await sustain(merged, { lanes: LANES, seconds }, one)
  await merged.close()
  const plain = await PostgresStore.open({ postgres, writes: 'single' })
  const single = await sustain(plain, { lanes: LANES, seconds }, one)
  await plain.close()
  const least = (atLeast: number): Goal[] => [{ what: 'value', better: 'higher', atLeast }]
  return [
    figureOf('merged writes', { unit: 'points/s', scale: 1, goals: least(150_000) }, bulk),
    figureOf(
      'messages of 4 points, merged',
      { unit: 'requests/s', scale: 1 / METRICS.length, goals: [] },
      tuned,
    ),
    figureOf(
      'messages of 4 points, single',
      { unit: 'requests/s', scale: 1 / METRICS.length, goals: least(2000) },
      single,
    ),
  ]
}

function figureOf(
  name: string,
  { unit, scale, goals }: { unit: string; scale: number; goals: Goal[] },
  { rates, p50Ms, p99Ms }: Result,
): Figure {
  const values = rates.map(rate => Math.round(rate * scale))
  return {
    ...{ name: `PostgreSQL store alone: ${name}`, unit, value: median(values), values },
    ...{ p50Ms, p99Ms, goals, problems: [] },
  }
}

/** One value of every metric of some devices. */
function entryOf(first: number, count: number, round: number): StoreEntry {
  const series = count * METRICS.length
  return {
    // Only its size is looked at.
    frame: new Uint8Array(0),
    batch: {
      tenant: 'default',
      devices: devices.slice(first, first + count),
      metrics: METRICS,
      seriesDevice: Uint32Array.from({ length: series }, (_, s) => Math.floor(s / METRICS.length)),
      seriesMetric: Uint32Array.from({ length: series }, (_, s) => s % METRICS.length),
      seriesIndex: Uint32Array.from({ length: series }, (_, s) => s),
      timestamps: new Float64Array(series).fill(DAY + round * 1_000_000),
      values: Float64Array.from({ length: series }, () => Math.round(Math.random() * 1e4) / 100),
    },
  }
}

/** Keeps so many writes under way for so long. */
async function sustain(
  store: PostgresStore,
  { lanes, seconds }: { lanes: number; seconds: number },
  next: () => StoreEntry,
): Promise<Result> {
  const begun = performance.now()
  const windowMs = (seconds * 1000) / WINDOWS
  const points = new Array<number>(WINDOWS).fill(0)
  const latencies: number[] = []
  const lane = async (): Promise<void> => {
    for (;;) {
      const entry = next()
      const start = performance.now()
      await store.write([entry])
      const end = performance.now()
      const window = Math.floor((end - begun) / windowMs)
      if (window >= WINDOWS) return
      latencies.push(end - start)
      points[window] += entry.batch.timestamps.length
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  const rates = points.map(count => (count * 1000) / windowMs)
  return { rates, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) }
}

async function tellSettings(options: PostgresOptions, { say }: BenchContext): Promise<void> {
  const pool = await PostgresPool.open(options)
  const names = ['server_version', 'shared_buffers', 'max_wal_size', 'synchronous_commit', 'fsync']
  const { rows } = await pool.query<{ name: string; value: string }>({
    text: 'SELECT name, current_setting(name) AS value FROM unnest($1::text[]) name',
    values: [names],
  })
  say(rows.map(({ name, value }) => `${name} ${value}`).join(', '))
  await pool.close()
}

async function tellQueries(store: PostgresStore, { say, quick }: BenchContext): Promise<void> {
  const range = { start: DAY, end: DAY + DAY_US }
  const select = (count: number) => {
    const first = Math.floor(Math.random() * (DEVICES - count))
    return { tenant: 'default', devices: devices.slice(first, first + count), metrics: ['flow'] }
  }
  const aggregates: Aggregate[] = ['avg', 'min', 'max']
  const all: Record<string, () => Promise<unknown>> = {
    'latest of a device': () => store.read({ select: select(1), range, limit: 1, order: 'desc' }),
    'raw of a series': () => store.read({ select: select(1), range, limit: 1e6, order: 'asc' }),
    'a series by minutes': () =>
      store.buckets({ select: select(1), range, intervalUs: 60_000_000, aggregates }),
    '100 devices by hours': () =>
      store.buckets({ select: select(100), range, intervalUs: 3_600_000_000, aggregates: ['avg'] }),
  }
  for (const [name, query] of Object.entries(all)) {
    say(`${name}: ${await timed(query, quick ? 1000 : 3000)}`)
  }
}

/** A history by days: from its points, and from the hours that the store keeps of old partitions. */
async function tellRollups(postgres: PostgresOptions, { say, quick }: BenchContext): Promise<void> {
  const days = quick ? 10 : 90
  const range = { start: DAY - days * DAY_US, end: DAY }
  const before = await PostgresStore.open({ postgres })
  for (let start = range.start; start < range.end; start += DAY_US) {
    await before.write(devices.slice(0, HISTORY_DEVICES).map(device => dayOf(device, start)))
  }
  const query = (store: PostgresStore, count: number) => () =>
    store.buckets({
      select: { tenant: 'default', devices: devices.slice(0, count), metrics: ['flow'] },
      ...{ range, intervalUs: DAY_US, aggregates: ['avg', 'min', 'max'] },
    })
  const tell = async (store: PostgresStore, from: string): Promise<void> => {
    for (const count of [1, HISTORY_DEVICES]) {
      const what = `${count} series, ${days} days of ${DAY_POINTS} points by days, from ${from}`
      say(`${what}: ${await timed(query(store, count), quick ? 1000 : 5000)}`)
    }
  }
  await tell(before, 'points')
  await before.close()
  const pool = await PostgresPool.open(postgres)
  const { rowCount } = await pool.query({ text: 'SELECT FROM partitions' })
  if (rowCount === 0) {
    say('no rollups: the points are a hypertable')
    return pool.close()
  }
  const rollups = new Rollups(pool, { partitions: { load: async () => {} }, clock: systemClock })
  // The first run notes how many rows were written, the second finds that nobody has written since.
  await rollups.run()
  const start = performance.now()
  await rollups.run()
  const seconds = (performance.now() - start) / 1000
  const points = days * DAY_POINTS * HISTORY_DEVICES
  say(`rolled up ${days} days (${points} points) and that of before in ${seconds.toFixed(1)} s`)
  await pool.close()
  const after = await PostgresStore.open({ postgres })
  await tell(after, 'rollups')
  await after.close()
}

function dayOf(device: string, start: number): StoreEntry {
  const stepUs = DAY_US / DAY_POINTS
  return {
    frame: new Uint8Array(0),
    batch: {
      ...{ tenant: 'default', devices: [device], metrics: ['flow'] },
      ...{ seriesDevice: Uint32Array.of(0), seriesMetric: Uint32Array.of(0) },
      seriesIndex: new Uint32Array(DAY_POINTS),
      timestamps: Float64Array.from({ length: DAY_POINTS }, (_, i) => start + i * stepUs),
      values: Float64Array.from(
        { length: DAY_POINTS },
        () => Math.round(Math.random() * 1e4) / 100,
      ),
    },
  }
}

/** Does it again and again for so long. */
async function timed(query: () => Promise<unknown>, forMs: number): Promise<string> {
  const times: number[] = []
  const until = performance.now() + forMs
  while (performance.now() < until) {
    const start = performance.now()
    await query()
    times.push(performance.now() - start)
  }
  const [p50, p99] = [0.5, 0.99].map(p => quantile(times, p).toFixed(2))
  return `p50 ${p50} ms, p99 ${p99} ms`
}

function quantile(values: readonly number[], p: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(p * (values.length - 1))]
}
