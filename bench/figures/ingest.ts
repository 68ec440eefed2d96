import {
  atLeast,
  atMost,
  median,
  rates,
  type BenchContext,
  type Figure,
  type Goal,
} from '../figure.ts'
import { startLoad } from '../load/load.ts'
import type { LoadSpec, Payload } from '../load/spec.ts'
import { startServer, type BenchServer } from '../server.ts'
import { watch } from '../watch.ts'

const HOUR_MS = 3_600_000

interface IngestFigure {
  readonly name: string
  readonly what: 'requests' | 'points'
  readonly unit: string
  readonly goals: readonly Goal[]
  readonly load: (server: BenchServer) => LoadSpec
}

/** Runs one load against a fresh server and judges it. */
async function ingest(context: BenchContext, figure: IngestFigure): Promise<Figure> {
  const { name, what, unit, goals } = figure
  const server = await startServer(context.folder(name))
  try {
    const watching = await watch(server)
    const load = startLoad(figure.load(server), window => {
      const rate = Math.round(window[what] / window.seconds).toLocaleString('en-US')
      context.say(`  ${name}: ${rate} ${unit}, p99 ${window.p99Ms.toFixed(1)} ms`)
    })
    const totals = await load.done
    const { observation, problems } = await watching.end([totals])
    await server.stop()
    const values = rates(totals, what)
    const { p50Ms, p99Ms, cpu } = totals.overall
    return {
      ...{ name, unit, values, value: median(values), p50Ms, p99Ms, goals },
      observation,
      problems,
      generatorCpu: cpu,
    }
  } catch (error) {
    await server.kill().catch(() => {})
    throw error
  }
}

/** Device time begins hours ago: a bench sends more than a second of device time each second. */
const startMs = (): number => Math.floor((Date.now() - 10 * HOUR_MS) / 1000) * 1000

function times(
  context: BenchContext,
  windows: number,
): { warmupMs: number; windowMs: number; windows: number } {
  return context.quick
    ? { warmupMs: 1000, windowMs: 1000, windows: 3 }
    : { warmupMs: 5000, windowMs: 5000, windows }
}

function batches(
  context: BenchContext,
  name: string,
  options: { goals: Goal[]; payload: Payload; windows: number },
): Promise<Figure> {
  const { goals, payload, windows } = options
  const load = (server: BenchServer): LoadSpec => ({
    ...{ protocol: 'http', port: server.httpPort, connections: 8, payload },
    ...times(context, windows),
  })
  return ingest(context, { name, what: 'points', unit: 'points/s', goals, load })
}

export const jsonFigure = (context: BenchContext): Promise<Figure> =>
  batches(context, 'JSON batches', {
    goals: [atLeast(1e6, 2e6)],
    payload: { kind: 'json', devices: 4000, messages: 250, startMs: startMs() },
    windows: 12,
  })

export const influxFigure = (context: BenchContext): Promise<Figure> =>
  batches(context, 'InfluxDB lines', {
    goals: [atLeast(1.5e6, 3e6)],
    payload: { kind: 'lines', devices: 4000, lines: 5000, startMs: startMs() },
    windows: 6,
  })

export const columnarFigure = (context: BenchContext): Promise<Figure> =>
  batches(context, 'columnar JSON', {
    goals: [atLeast(2e6, 4e6)],
    payload: { kind: 'columnar', devices: 4000, rows: 1000, startMs: startMs() },
    windows: 6,
  })

export const binaryFigure = (context: BenchContext): Promise<Figure> =>
  batches(context, 'binary frame', {
    goals: [atLeast(3e6, 6e6)],
    payload: { kind: 'frames', devices: 4000, group: 250, rows: 10, startMs: startMs() },
    windows: 6,
  })

export const singleFigure = (context: BenchContext): Promise<Figure> =>
  ingest(context, {
    name: 'one message a POST',
    what: 'requests',
    unit: 'requests/s',
    goals: [atLeast(25_000, 40_000), atMost('p99Ms', 10, 5)],
    load: server => ({
      ...{ protocol: 'http', port: server.httpPort, connections: 64 },
      payload: { kind: 'single', devices: 1024 },
      ...times(context, 6),
    }),
  })

export const mqttFigure = (context: BenchContext): Promise<Figure> =>
  ingest(context, {
    name: 'MQTT QoS 1',
    what: 'requests',
    unit: 'messages/s',
    goals: [atLeast(60_000, 120_000)],
    load: server => ({
      ...{ protocol: 'mqtt', port: server.mqttPort, connections: 50, inFlight: 64 },
      ...{ devices: 5000, startMs: startMs() },
      ...times(context, 6),
    }),
  })
