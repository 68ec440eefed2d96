/**
 * What it costs to ask for keys: the same loads against an open and a closed server, in turns, so
 * that both see the same machine. The server's CPU time of a request is told too: where other work
 * shares the cores, the rates say little. What comes second is slower, for the first one's points are still
 * being written: so each is first in half of the rounds, and ratios are geometric means.
 *
 *   node bench/keys.bench.ts [ROUNDS [SECONDS [PART OF A NAME]...]]
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './figure.ts'
import { runLoad } from './load/load.ts'
import type { LoadSpec, Payload } from './load/spec.ts'
import { startServer, type BenchServer } from './server.ts'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
/** An even number. */
const rounds = 2 * Math.ceil(Number(process.argv[2] ?? 6) / 2)
const seconds = Number(process.argv[3] ?? 2)
const wanted = process.argv.slice(4)
const DEVICES = 1024
const HOUR_MS = 3_600_000
const beginMs = Math.floor((Date.now() - 10 * HOUR_MS) / 1000) * 1000
/** More device time than a round sends, so that none repeats points. */
const ROUND_MS = 20 * 60_000
/** What the queries find: a day of ten-second readings. */
const STEP_MS = 10_000
const DAY_READINGS = (24 * HOUR_MS) / STEP_MS
const endMs = beginMs - 24 * HOUR_MS
const history = { devices: 400, startMs: endMs - 24 * HOUR_MS, endMs }

type Place = Pick<BenchServer, 'httpPort' | 'mqttPort'>
const times = { warmupMs: 500, windowMs: seconds * 1000, windows: 1 }
const http = ({ httpPort: port }: Place, connections: number) =>
  ({ protocol: 'http', port, connections, ...times }) as const

const post = (place: Place, payload: Payload): LoadSpec => ({ ...http(place, 8), payload })
const query = (place: Place, kind: 'raw' | 'buckets' | 'fleet'): LoadSpec => ({
  ...http(place, 8),
  payload: { kind, ...history },
})

const LOADS: Readonly<Record<string, (place: Place, startMs: number) => LoadSpec>> = {
  'one record a POST (lane)': place => ({
    ...http(place, 64),
    payload: { kind: 'single', devices: DEVICES },
  }),
  'latest of a device (lane)': place => ({
    ...http(place, 64),
    payload: { kind: 'latest', devices: DEVICES },
  }),
  'JSON batches': (place, startMs) =>
    post(place, { kind: 'json', devices: 4000, messages: 250, startMs }),
  'InfluxDB lines': (place, startMs) =>
    post(place, { kind: 'lines', devices: 4000, lines: 5000, startMs }),
  'columnar JSON': (place, startMs) =>
    post(place, { kind: 'columnar', devices: 4000, rows: 1000, startMs }),
  'binary frame': (place, startMs) =>
    post(place, { kind: 'frames', devices: 4000, group: 250, rows: 10, startMs }),
  'MQTT QoS 1': ({ mqttPort: port }, startMs) => ({
    ...{ protocol: 'mqtt', port, connections: 50, inFlight: 64, devices: 5000 },
    ...{ startMs, ...times },
  }),
  '1 h raw of one series': place => query(place, 'raw'),
  '1 day in 5-min buckets': place => query(place, 'buckets'),
  '100 devices × 12 h hourly': place => query(place, 'fleet'),
}

/** The geometric mean. */
const mean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)

const root = mkdtempSync(join(tmpdir(), 'weir-keys-bench-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
const folder = (name: string): string => {
  const path = join(root, name, 'data')
  mkdirSync(path, { recursive: true })
  return path
}
const closedFolder = folder('closed')
const key = execFileSync(
  process.execPath,
  [MAIN, 'keys', 'create', '--data', closedFolder, '--scopes', 'ingest,read,admin'],
  { stdio: ['ignore', 'pipe', 'ignore'] },
)
  .toString()
  .trim()
const open = await startServer(folder('open'))
const closed = await startServer(closedFolder, ['--auth.mode=keys'])
for (const place of [open, closed]) {
  await runLoad({
    ...{ protocol: 'http', port: place.httpPort, connections: 4, key },
    ...{ warmupMs: 0, windowMs: 0, windows: 0 },
    payload: {
      ...{ kind: 'mixture', group: 100, rows: 20, intervalMs: STEP_MS, readings: DAY_READINGS },
      ...{ devices: history.devices, startMs: history.startMs },
    },
  })
}
for (const [name, load] of Object.entries(LOADS)) {
  if (wanted.length > 0 && !wanted.some(part => name.includes(part))) continue
  const rates: [open: number[], closed: number[]] = [[], []]
  const micros: typeof rates = [[], []]
  for (let round = 0; round < rounds; round++) {
    // In turns, and not always the same first.
    for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const spec = load(which === 0 ? open : closed, beginMs + round * ROUND_MS)
      const server = which === 0 ? open : closed
      const began = server.cpuSeconds()
      const totals = await runLoad(which === 0 ? spec : { ...spec, key })
      const { overall, failures, firstFailure, acknowledgedPoints } = totals
      const all = overall.points > 0 ? acknowledgedPoints / (overall.points / overall.requests) : 0
      if (failures > 0) throw new Error(`${name}: ${firstFailure}`)
      rates[which].push(overall.requests / overall.seconds)
      const whole = overall.requests * (1 + times.warmupMs / times.windowMs)
      micros[which].push((1e6 * (server.cpuSeconds() - began)) / (all || whole))
    }
  }
  const ratios = rates[0].map((rate, i) => rates[1][i] / rate)
  const shown = (values: number[]): string => Math.round(median(values)).toLocaleString('en-US')
  const cpu = micros.map(values => median(values))
  const cpuRatios = micros[0].map((value, i) => micros[1][i] / value)
  const spread = ratios.map(ratio => ratio.toFixed(2)).join(' ')
  console.log(
    `${name}: open ${shown(rates[0])}/s, closed ${shown(rates[1])}/s, closed/open ` +
      `${mean(ratios).toFixed(3)} (each round: ${spread}); CPU a request ` +
      `${cpu[0].toFixed(1)} and ${cpu[1].toFixed(1)} µs, ${mean(cpuRatios).toFixed(3)}`,
  )
}
await open.stop()
await closed.kill()
