/**
 * What it costs to ask for keys: the same loads against an open and a closed server, in turns, so
 * that both see the same machine. The server's CPU time of a request is told too: where other work
 * shares the cores, the rates say little. Run with `node bench/keys.bench.ts [rounds] [seconds]`.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './figure.ts'
import { runLoad } from './load/load.ts'
import type { LoadSpec } from './load/spec.ts'
import { startServer, type BenchServer } from './server.ts'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const rounds = Number(process.argv[2] ?? 5)
const seconds = Number(process.argv[3] ?? 2)
const DEVICES = 1024

type Place = Pick<BenchServer, 'httpPort' | 'mqttPort'>
const times = { warmupMs: 500, windowMs: seconds * 1000, windows: 1 }
const http = ({ httpPort: port }: Place, connections: number) =>
  ({ protocol: 'http', port, connections, ...times }) as const

const LOADS: Readonly<Record<string, (place: Place) => LoadSpec>> = {
  'one record a POST (lane)': place => ({
    ...http(place, 64),
    payload: { kind: 'single', devices: DEVICES },
  }),
  'latest of a device (lane)': place => ({
    ...http(place, 64),
    payload: { kind: 'latest', devices: DEVICES },
  }),
  'JSON batches': place => ({
    ...http(place, 8),
    payload: { kind: 'json', devices: 4000, messages: 250, startMs: Date.now() - 36_000_000 },
  }),
  'MQTT QoS 1': ({ mqttPort: port }) => ({
    ...{ protocol: 'mqtt', port, connections: 50, inFlight: 64, devices: 5000 },
    ...{ startMs: Date.now() - 36_000_000, ...times },
  }),
}

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
for (const [name, load] of Object.entries(LOADS)) {
  const rates: [open: number[], closed: number[]] = [[], []]
  const micros: typeof rates = [[], []]
  for (let round = 0; round < rounds; round++) {
    // In turns, and not always the same first.
    for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const spec = load(which === 0 ? open : closed)
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
  const spread = ratios.map(ratio => ratio.toFixed(2)).join(' ')
  console.log(
    `${name}: open ${shown(rates[0])}/s, closed ${shown(rates[1])}/s, closed/open ` +
      `${(median(rates[1]) / median(rates[0])).toFixed(3)} (each round: ${spread}); CPU a request ` +
      `${cpu[0].toFixed(1)} and ${cpu[1].toFixed(1)} µs, ${(cpu[1] / cpu[0]).toFixed(3)}`,
  )
}
await open.stop()
await closed.kill()
