/**
 * The embedded store on its own, in process: ingest, bytes a point, query times, and the same
 * while points come in. WEIR_BENCH_POINTS sets the size (20 M), WEIR_BENCH_SECONDS the time for each figure.
 *
 * The data, ten kinds of series in turn: five walks in steps of 0.01, 0.1 and 1; two daily sines
 * rounded to 0.01; a counter; a state of four; one with full-entropy doubles. Times are regular
 * with some milliseconds of jitter on every third series.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeFrame, framePoints } from '../src/model/frame.ts'
import type { LogEntry } from '../src/ports/log.ts'
import type { Aggregate, SeriesSelector } from '../src/ports/store.ts'
import { BlocksStore } from '../src/store/blocks/blocks-store.ts'
import { Random } from '../src/store/test-log.ts'

const POINTS = Number(process.env.WEIR_BENCH_POINTS ?? 20_000_000)
const SECONDS = Number(process.env.WEIR_BENCH_SECONDS ?? 3)
const DEVICES = 2500
const METRICS = ['temperature', 'pressure', 'flow', 'state']
const SERIES = DEVICES * METRICS.length
const DAY_US = 86_400_000_000
const DAY = Date.UTC(2026, 0, 15) * 1000
const FRAME_SERIES = 1000
const UNDER_WAY = 16

const devices = Array.from({ length: DEVICES }, (_, i) => `device-${String(i).padStart(5, '0')}`)
const random = new Random(7)
const state = new Float64Array(SERIES)

function valueOf(series: number, round: number, rounds: number): number {
  const kind = series % 10
  if (kind < 5) {
    const step = [0.01, 0.01, 0.1, 0.1, 1][kind]
    state[series] += random.between(-2, 3)
    return Math.round(state[series] + 100) * step
  }
  if (kind < 7) {
    const angle = (2 * Math.PI * (round + series)) / rounds
    return Math.round(2000 + 500 * Math.sin(angle) + random.between(-3, 4)) / 100
  }
  if (kind === 7) return (state[series] += random.between(0, 4))
  if (kind === 8)
    return (state[series] = random.chance(0.01) ? random.between(0, 4) : state[series])
  return random.next() * 100
}

let offset = 0

const NOTHING = {
  ...{ tenant: '', devices: [], metrics: [] },
  ...{ seriesDevice: new Uint32Array(0), seriesMetric: new Uint32Array(0) },
  seriesIndex: new Uint32Array(0),
  ...{ timestamps: new Float64Array(0), values: new Float64Array(0) },
}

/** One frame: so many rounds over some devices' series, in order of arrival. */
function frameOf(
  firstDevice: number,
  { from, to, rounds }: Record<'from' | 'to' | 'rounds', number>,
) {
  const count = FRAME_SERIES * (to - from)
  const own = FRAME_SERIES / METRICS.length
  const batch = {
    tenant: 'default',
    devices: devices.slice(firstDevice, firstDevice + own),
    metrics: METRICS,
    seriesDevice: Uint32Array.from({ length: FRAME_SERIES }, (_, s) =>
      Math.floor(s / METRICS.length),
    ),
    seriesMetric: Uint32Array.from({ length: FRAME_SERIES }, (_, s) => s % METRICS.length),
    seriesIndex: new Uint32Array(count),
    timestamps: new Float64Array(count),
    values: new Float64Array(count),
  }
  const step = Math.floor(DAY_US / rounds / 1000) * 1000
  let at = 0
  for (let round = from; round < to; round++) {
    for (let s = 0; s < FRAME_SERIES; s++) {
      const series = firstDevice * METRICS.length + s
      const jitter = series % 3 === 0 ? random.between(0, 20) * 1000 : 0
      batch.seriesIndex[at] = s
      batch.timestamps[at] = DAY + round * step + jitter
      batch.values[at++] = valueOf(series, round, rounds)
    }
  }
  // The store takes the frame alone; columns would only fill the memory that is measured.
  const entry = { batch: NOTHING, frame: encodeFrame(batch), position: { partition: 0, offset } }
  offset++
  return entry
}

function percentile(sorted: number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]
}

function select(device: number, count: number): SeriesSelector {
  return {
    tenant: 'default',
    devices: devices.slice(device, device + count),
    metrics: ['temperature'],
  }
}

const queries: Record<string, (store: BlocksStore) => Promise<unknown>> = {
  '1 h raw of one series': store => {
    const start = DAY + random.between(0, 23) * 3_600_000_000
    const range = { start, end: start + 3_600_000_000 }
    return store.read({
      select: select(random.between(0, DEVICES), 1),
      range,
      limit: 1e6,
      order: 'asc',
    })
  },
  '1 day in 5-min buckets of one series': store => {
    const aggregates: Aggregate[] = ['avg', 'min', 'max']
    const range = { start: DAY, end: DAY + DAY_US }
    const chosen = select(random.between(0, DEVICES), 1)
    return store.buckets({ select: chosen, range, intervalUs: 300_000_000, aggregates })
  },
  '100 devices, 12 h, hourly avg': store => {
    const range = { start: DAY + DAY_US / 4, end: DAY + (3 * DAY_US) / 4 }
    const chosen = select(random.between(0, DEVICES - 100), 100)
    return store.buckets({ select: chosen, range, intervalUs: 3_600_000_000, aggregates: ['avg'] })
  },
}

async function ask(store: BlocksStore, note: string): Promise<void> {
  for (const [name, query] of Object.entries(queries)) {
    for (let i = 0; i < 50; i++) await query(store)
    const times: number[] = []
    const until = performance.now() + SECONDS * 1000
    while (performance.now() < until) {
      const start = performance.now()
      await query(store)
      times.push(performance.now() - start)
    }
    times.sort((a, b) => a - b)
    const [p50, p99, most] = [percentile(times, 0.5), percentile(times, 0.99), times.at(-1)!]
    const figures = `p50 ${p50.toFixed(3)} ms  p99 ${p99.toFixed(3)} ms  max ${most.toFixed(1)} ms`
    console.log(`${name}${note}: ${figures}  (${times.length} queries)`)
  }
}

async function ingest(store: BlocksStore, frames: readonly LogEntry[]): Promise<void> {
  const start = performance.now()
  const cpu = process.cpuUsage()
  const underWay: Promise<void>[] = []
  let calls = 0
  for (const frame of frames) {
    if (underWay.length === UNDER_WAY) await underWay.shift()
    const before = performance.now()
    underWay.push(store.write([frame]))
    calls += performance.now() - before
  }
  await Promise.all(underWay)
  const taken = performance.now() - start
  await store.flush()
  const all = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  const points = frames.reduce((sum, { frame }) => sum + framePoints(frame), 0)
  const rate = (ms: number): string => `${(points / ms / 1000).toFixed(2)} M points/s`
  console.log(`ingest: ${rate(taken)} until queryable, ${rate(all)} until in blocks`)
  const cores = `${(user / 1e6).toFixed(1)} s of user and ${(system / 1e6).toFixed(1)} s of system time`
  console.log(`took ${cores} of all threads, so ${rate((user + system) / 1000)} a core`)
  console.log(
    `a write call: ${((calls * 1000) / frames.length).toFixed(1)} µs for ${points / frames.length} points`,
  )
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const store = await BlocksStore.open({ directory })
  try {
    const rounds = Math.round(POINTS / SERIES)
    const frames: LogEntry[] = []
    // Ten rounds a frame: what a group commit of some thousand messages gives.
    for (let from = 0; from < rounds; from += 10) {
      const to = Math.min(rounds, from + 10)
      for (let device = 0; device < DEVICES; device += FRAME_SERIES / METRICS.length) {
        frames.push(frameOf(device, { from, to, rounds }))
      }
    }
    await ingest(store, frames)
    const { stored, diskBytes } = await store.stats()
    console.log(`${stored} points, ${(diskBytes / stored).toFixed(2)} bytes a point on disk`)
    await ask(store, '')
    frames.length = 0
    const stop = trickle(store, rounds)
    await ask(store, ' while 100 k points/s come in')
    await stop()
    const { heapUsed, rss } = process.memoryUsage()
    console.log(
      `memory: ${(rss / 2 ** 20).toFixed(0)} MB, heap of this thread ${(heapUsed / 2 ** 20).toFixed(0)} MB`,
    )
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
}

/** 100 k points a second of the next day, in frames of 1000 points. */
function trickle(store: BlocksStore, rounds: number): () => Promise<void> {
  let round = rounds
  let device = 0
  const timer = setInterval(() => {
    const frame = frameOf(device, { from: round, to: round + 1, rounds })
    device += FRAME_SERIES / METRICS.length
    if (device >= DEVICES) {
      device = 0
      round++
    }
    void store.write([frame])
  }, 10)
  return async () => {
    clearInterval(timer)
    await store.flush()
  }
}

await main()
