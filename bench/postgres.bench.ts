/**
 * The store in PostgreSQL on its own, in this process: merged writes with the index in place, a statement a message, and
 * queries. WEIR_TEST_POSTGRES_URL names the server. WEIR_BENCH_SECONDS sets the time of each (10).
 */
import { randomBytes } from 'node:crypto'
import { PostgresPool } from '../src/postgres/postgres-pool.ts'
import type { PostgresOptions } from '../src/postgres/postgres-pool.ts'
import { PostgresStore } from '../src/store/postgres/postgres-store.ts'
import type { Aggregate, StoreEntry } from '../src/ports/store.ts'

const SECONDS = Number(process.env.WEIR_BENCH_SECONDS ?? 10)
const DEVICES = 2500
const METRICS = ['temperature', 'pressure', 'flow', 'state']
const DAY_US = 86_400_000_000
const DAY = Date.UTC(2026, 0, 15) * 1000
const ENTRY_DEVICES = 250
const UNDER_WAY = 120
const FRAME = new Uint8Array(64)
const devices = Array.from({ length: DEVICES }, (_, i) => `device-${String(i).padStart(5, '0')}`)

const url = process.env.WEIR_TEST_POSTGRES_URL ?? ''
const schema = `bench_${randomBytes(4).toString('hex')}`
const postgres: PostgresOptions = {
  ...{ url, schema, poolSize: 15, connectTimeoutMs: 30_000, idleTimeoutMs: 30_000 },
  statementTimeoutMs: 120_000,
}

/** One value of every metric of some devices, as a message of a gateway would bring. */
function entryOf(first: number, count: number, round: number): StoreEntry {
  const series = count * METRICS.length
  return {
    frame: FRAME,
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

async function settings(): Promise<void> {
  const pool = await PostgresPool.open(postgres)
  const { rows } = await pool.query<{ version: string }>({ text: 'SELECT version()' })
  console.log(rows[0].version)
  const names = [
    'shared_buffers',
    'max_wal_size',
    'synchronous_commit',
    'fsync',
    'full_page_writes',
  ]
  for (const name of names) {
    const { rows } = await pool.query<Record<string, string>>({ text: `SHOW ${name}` })
    console.log(`  ${name} ${rows[0][name]}`)
  }
  await pool.close()
}

/** Keeps so many writes under way for the time; returns points a second by five parts of it. */
async function sustain(
  store: PostgresStore,
  underWay: number,
  next: () => StoreEntry,
): Promise<{ perSecond: number[]; latencies: number[] }> {
  const begun = performance.now()
  const parts = new Array<number>(5).fill(0)
  const latencies: number[] = []
  const lane = async (): Promise<void> => {
    for (;;) {
      const entry = next()
      const start = performance.now()
      await store.write([entry])
      const end = performance.now()
      latencies.push(end - start)
      const part = Math.floor(((end - begun) / (SECONDS * 1000)) * parts.length)
      if (part >= parts.length) return
      parts[part] += entry.batch.timestamps.length
    }
  }
  await Promise.all(Array.from({ length: underWay }, lane))
  latencies.sort((a, b) => a - b)
  return {
    perSecond: parts.map(points => Math.round(points / (SECONDS / parts.length))),
    latencies,
  }
}

function told(name: string, { perSecond, latencies }: Awaited<ReturnType<typeof sustain>>): void {
  const of = (p: number): string => latencies[Math.floor(p * (latencies.length - 1))].toFixed(1)
  const median = perSecond.toSorted((a, b) => a - b)[2]
  console.log(
    `${name}: ${median}/s (${perSecond.join(' ')}), p50 ${of(0.5)} ms, p99 ${of(0.99)} ms`,
  )
}

async function queries(store: PostgresStore): Promise<void> {
  const range = { start: DAY, end: DAY + DAY_US }
  const select = (count: number) => {
    const first = Math.floor(Math.random() * (DEVICES - count))
    return { tenant: 'default', devices: devices.slice(first, first + count), metrics: ['flow'] }
  }
  const aggregates: Aggregate[] = ['avg', 'min', 'max']
  const all: Record<string, () => Promise<unknown>> = {
    'latest of a device': () => store.read({ select: select(1), range, limit: 1, order: 'desc' }),
    'raw of a series': () => store.read({ select: select(1), range, limit: 1e6, order: 'asc' }),
    'a day of a series in minutes': () =>
      store.buckets({ select: select(1), range, intervalUs: 60_000_000, aggregates }),
    'a day of 100 devices in hours': () =>
      store.buckets({ select: select(100), range, intervalUs: 3_600_000_000, aggregates: ['avg'] }),
  }
  for (const [name, query] of Object.entries(all)) {
    const times: number[] = []
    const until = performance.now() + (SECONDS * 1000) / 5
    while (performance.now() < until) {
      const start = performance.now()
      await query()
      times.push(performance.now() - start)
    }
    times.sort((a, b) => a - b)
    const of = (p: number): string => times[Math.floor(p * (times.length - 1))].toFixed(2)
    console.log(`${name}: p50 ${of(0.5)} ms, p99 ${of(0.99)} ms (${times.length})`)
  }
}

await settings()
const merged = await PostgresStore.open({ postgres, writes: 'merged' })
let entries = 0
const perRound = DEVICES / ENTRY_DEVICES
told(
  'merged writes, points',
  await sustain(merged, UNDER_WAY, () => {
    const n = entries++
    return entryOf((n % perRound) * ENTRY_DEVICES, ENTRY_DEVICES, Math.floor(n / perRound))
  }),
)
await queries(merged)
const { stored, duplicate, diskBytes } = await merged.stats()
console.log(
  `${stored} points stored, ${duplicate} repeated, ${Math.round(diskBytes / stored)} bytes each`,
)
let message = 0
const one = (): StoreEntry => {
  const n = message++
  const entry = entryOf(n % DEVICES, 1, 50_000 + Math.floor(n / DEVICES))
  return entry
}
const perMessage = METRICS.length
const requests = (result: Awaited<ReturnType<typeof sustain>>) => ({
  ...result,
  perSecond: result.perSecond.map(points => Math.round(points / perMessage)),
})
told('merged writes, messages of 4 points (64 at once)', requests(await sustain(merged, 64, one)))
await merged.close()
const single = await PostgresStore.open({ postgres, writes: 'single' })
told('single writes, messages of 4 points (64 at once)', requests(await sustain(single, 64, one)))
await single.close()
const pool = await PostgresPool.open(postgres)
await pool.query({ text: `DROP SCHEMA ${schema} CASCADE` })
await pool.close()
