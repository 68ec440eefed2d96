import {
  atLeast,
  atMost,
  median,
  rates,
  type BenchContext,
  type Figure,
  type Goal,
} from '../figure.ts'
import { runLoad, startLoad } from '../load/load.ts'
import type { HttpLoadSpec, Payload } from '../load/spec.ts'
import type { LoadTotals } from '../load/tally.ts'
import type { ReadRange } from '../load/read-requests.ts'
import { diskBytes } from '../disk.ts'
import { startServer, type BenchServer } from '../server.ts'
import { judgeLedger, watch } from '../watch.ts'
import { checkAnswers } from './answers.ts'

const DEVICES = 2000
const METRICS = 5
const DAY_MS = 86_400_000
const LIVE_POINTS_PER_SECOND = 100_000

export type HistoryPart = 'size' | 'queries' | 'recovery'

/**
 * A day of 10 000 series (20 M points): its size on disk once settled, queries of it while
 * 100 000 points a second come in, memory and event loop under that, and the start after SIGKILL.
 */
export async function historyFigures(
  context: BenchContext,
  parts: ReadonlySet<HistoryPart>,
): Promise<Figure[]> {
  const figures: Figure[] = []
  const folder = context.folder('history')
  const endMs = Math.floor(Date.now() / 1000) * 1000 - 60_000
  const range = { devices: DEVICES, startMs: endMs - DAY_MS, endMs }
  let server = await startServer(folder)
  try {
    const loaded = await loadHistory(context, server, range)
    const stopMs = await server.stop()
    context.say(`  stopped in ${(stopMs / 1000).toFixed(1)} s`)
    if (parts.has('size')) figures.push(sizeFigure(folder, loaded.acknowledgedPoints))
    server = await startServer(folder)
    context.say(`  started on it in ${(server.readyMs / 1000).toFixed(2)} s`)
    let held = loaded.acknowledgedPoints
    if (parts.has('queries') || parts.has('recovery')) {
      const queries = await queryFigures(context, server, range)
      held += queries.livePoints
      if (parts.has('queries')) figures.push(...queries.figures)
    }
    if (parts.has('recovery')) {
      const recovery = await recover(context, server, held)
      server = recovery.server
      figures.push(recovery.figure)
    }
    await server.stop()
    return figures
  } catch (error) {
    await server.kill().catch(() => {})
    throw error
  }
}

async function loadHistory(
  context: BenchContext,
  server: BenchServer,
  range: ReadRange,
): Promise<LoadTotals> {
  const rows = 20
  const readings = Math.ceil(context.historyPoints / (DEVICES * METRICS) / rows) * rows
  const intervalMs = (range.endMs - range.startMs) / readings
  const before = await server.ledger()
  const totals = await runLoad({
    ...{ protocol: 'http', port: server.httpPort, connections: 4 },
    ...{ warmupMs: 0, windowMs: 0, windows: 0 },
    payload: {
      kind: 'mixture',
      group: 100,
      rows,
      intervalMs,
      readings,
      devices: DEVICES,
      startMs: range.startMs,
    },
  })
  const problems = judgeLedger(before, await server.ledger(), [totals])
  if (problems.length > 0) throw new Error(`loading the history: ${problems.join('; ')}`)
  const { points, seconds } = totals.overall
  context.say(`  loaded ${points.toLocaleString('en-US')} points in ${seconds.toFixed(1)} s`)
  return totals
}

function sizeFigure(folder: string, points: number): Figure {
  const value = diskBytes(folder, { without: 'log' }) / points
  return {
    ...{ name: 'bytes a point on disk, settled', unit: 'bytes', value, values: [value] },
    ...{ goals: [atMost('value', 2, 1.2)], problems: [] },
  }
}

interface QueryKind {
  readonly kind: 'raw' | 'buckets' | 'fleet'
  readonly name: string
  readonly latency: readonly Goal[]
  readonly throughput: Goal
}

const QUERIES: readonly QueryKind[] = [
  {
    ...{ kind: 'raw', name: '1 h raw of one series' },
    latency: [atMost('p50Ms', 1, 0.3), atMost('p99Ms', 8, 2)],
    throughput: atLeast(6000, 12_000),
  },
  {
    ...{ kind: 'buckets', name: '1 day in 5-min buckets' },
    latency: [atMost('p50Ms', 2, 0.5), atMost('p99Ms', 15, 4)],
    throughput: atLeast(1500, 4000),
  },
  {
    ...{ kind: 'fleet', name: '100 devices × 12 h hourly' },
    latency: [atMost('p50Ms', 15, 3), atMost('p99Ms', 50, 10)],
    throughput: atLeast(80, 300),
  },
]

async function queryFigures(
  context: BenchContext,
  server: BenchServer,
  range: ReadRange,
): Promise<{ figures: Figure[]; livePoints: number }> {
  const watching = await watch(server)
  const live = startLoad(liveIngest(server))
  const measured: { query: QueryKind; clients: number; totals: LoadTotals }[] = []
  const wrong = await checkAnswers(
    server.httpPort,
    range,
    context.historyPoints / (DEVICES * METRICS),
  )
  for (const clients of [1, 8]) {
    for (const query of QUERIES) {
      const totals = await runLoad(queryLoad(context, server, { range, kind: query.kind, clients }))
      measured.push({ query, clients, totals })
      const { p50Ms, p99Ms } = totals.overall
      const rate = Math.round(median(rates(totals, 'requests')))
      context.say(
        `  ${query.name}, ${clients} client(s): ${rate}/s, p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)} ms`,
      )
    }
  }
  live.stop()
  const liveTotals = await live.done
  const { observation, problems } = await watching.end([
    liveTotals,
    ...measured.map(({ totals }) => totals),
  ])
  const liveRate = liveTotals.overall.points / liveTotals.overall.seconds
  if (liveRate < 0.98 * LIVE_POINTS_PER_SECOND) {
    problems.push(`only ${Math.round(liveRate)} points/s came in beside the queries`)
  }
  problems.push(...wrong)
  const figures = measured.map(({ query, clients, totals }): Figure => {
    const values = rates(totals, 'requests')
    const { p50Ms, p99Ms, cpu } = totals.overall
    const alone = clients === 1
    return {
      name: alone ? query.name : `${query.name}, 8 clients`,
      ...{ unit: 'queries/s', value: median(values), values, p50Ms, p99Ms },
      ...{
        goals: alone ? query.latency : [query.throughput],
        problems,
        observation,
        generatorCpu: cpu,
      },
    }
  })
  return { figures, livePoints: liveTotals.acknowledgedPoints }
}

function liveIngest(server: BenchServer): HttpLoadSpec {
  const group = 100
  const payload: Payload = {
    ...{ kind: 'mixture', devices: DEVICES, group, rows: 1, intervalMs: 100 },
    ...{ startMs: Date.now(), readings: 1e9 },
  }
  return {
    ...{ protocol: 'http', port: server.httpPort, connections: 4, payload },
    ...{ warmupMs: 0, windowMs: 1000, windows: 1e6 },
    requestsPerSecond: LIVE_POINTS_PER_SECOND / (group * METRICS),
  }
}

interface QueryLoad {
  readonly range: ReadRange
  readonly kind: QueryKind['kind']
  readonly clients: number
}

function queryLoad(
  context: BenchContext,
  server: BenchServer,
  { range, kind, clients }: QueryLoad,
): HttpLoadSpec {
  const times = context.quick
    ? { warmupMs: 500, windowMs: 1000, windows: 2 }
    : { warmupMs: 2000, windowMs: 2000, windows: 5 }
  return {
    ...{ protocol: 'http', port: server.httpPort, connections: clients, ...times },
    payload: { kind, ...range },
  }
}

/** Kills the server with what it has not put in blocks yet, and waits until it is ready again. */
async function recover(
  context: BenchContext,
  running: BenchServer,
  held: number,
): Promise<{ figure: Figure; server: BenchServer }> {
  let server = running
  const readyMs: number[] = []
  const problems: string[] = []
  for (let run = 0; run < (context.quick ? 1 : 3); run++) {
    await server.kill()
    server = await startServer(server.dataFolder)
    readyMs.push(server.readyMs)
    const { stored, duplicate, in_flight } = await server.ledger()
    const found = stored + duplicate + in_flight
    if (found !== held)
      problems.push(`${held} points were acknowledged, ${found} are held after SIGKILL`)
  }
  const name = `ready after kill -9 with ${(held / 1e6).toFixed(0)} M points`
  const figure = {
    name,
    unit: 'ms',
    value: median(readyMs),
    values: readyMs,
    goals: [atMost('value', 5000)],
    problems,
  }
  return { figure, server }
}
