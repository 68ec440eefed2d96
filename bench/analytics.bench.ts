/**
 * What the analytics cost: the same load against nodes with and without them, by turns, in CPU
 * seconds of the server for a million points (other work on the machine moves rates, hardly these),
 * from the end of a warm-up to the end of the process: whatever came has been written to blocks by
 * then. The load is long, so that what the warm-up left to be written is a small part.
 *
 *   node bench/analytics.bench.ts [ROUNDS [PART OF A NAME]...]
 */
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLoad } from './load/load.ts'
import type { LoadSpec, Payload } from './load/spec.ts'
import { startServer, type BenchServer } from './server.ts'

const HOUR_MS = 3_600_000
const ROUNDS = Number(process.argv[2] ?? 3)
const WARMING = { warmupMs: 1000, windowMs: 3000, windows: 1 }
const MEASURING = { warmupMs: 0, windowMs: 10_000, windows: 1 }
const beginMs = Math.floor((Date.now() - 10 * HOUR_MS) / 1000) * 1000

interface Where extends Pick<BenchServer, 'httpPort' | 'mqttPort'> {
  /** Device time of the first points. */
  readonly startMs: number
  readonly times: typeof WARMING
}

const post = ({ httpPort, times }: Where, payload: Payload): LoadSpec => ({
  ...{ protocol: 'http', port: httpPort, connections: 8, payload, ...times },
})

const LOADS: Readonly<Record<string, (where: Where) => LoadSpec>> = {
  'JSON batches': where =>
    post(where, { kind: 'json', devices: 4000, messages: 250, startMs: where.startMs }),
  'columnar JSON': where =>
    post(where, { kind: 'columnar', devices: 4000, rows: 1000, startMs: where.startMs }),
  'binary frame': where =>
    post(where, { kind: 'frames', devices: 4000, group: 250, rows: 10, startMs: where.startMs }),
  'InfluxDB lines': where =>
    post(where, { kind: 'lines', devices: 4000, lines: 5000, startMs: where.startMs }),
  'MQTT QoS 1': ({ mqttPort: port, startMs, times }) => ({
    ...{ protocol: 'mqtt', port, connections: 50, inFlight: 64, devices: 5000, startMs, ...times },
  }),
}

interface Cost {
  /** CPU seconds a million points, of the process and of its main thread. */
  readonly all: number
  /** While the load ran. */
  readonly main: number
  /** Points a second. */
  readonly rate: number
}

async function measure(name: string, enabled: boolean): Promise<Cost> {
  const root = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const folder = join(root, 'data')
  mkdirSync(folder)
  process.env['WEIR_ANALYTICS_ENABLED'] = String(enabled)
  const server = await startServer(folder)
  try {
    const { httpPort, mqttPort } = server
    const load = (startMs: number, times: typeof WARMING) =>
      startLoad(LOADS[name]({ httpPort, mqttPort, startMs, times }), () => {}).done
    await load(beginMs, WARMING)
    const before = {
      ...{ all: server.cpuSeconds(), main: mainSeconds(server.pid) },
      points: (await server.ledger()).received,
    }
    // Later times than the warm-up's, or the detectors would pass them over as late.
    const { overall } = await load(beginMs + 5 * HOUR_MS, MEASURING)
    const main = mainSeconds(server.pid) - before.main
    const millions = ((await server.ledger()).received - before.points) / 1e6
    const others = childSeconds()
    await server.stop()
    return {
      all: (childSeconds() - others - before.all) / millions,
      main: main / millions,
      rate: overall.points / overall.seconds,
    }
  } finally {
    await server.kill().catch(() => {})
    rmSync(root, { recursive: true, force: true })
  }
}

/** CPU seconds of the thread that has the doors (Linux). */
function mainSeconds(pid: number): number {
  const [first] = readdirSync(`/proc/${pid}/task`).sort((a, b) => Number(a) - Number(b))
  const [user, system] = timesIn(`/proc/${pid}/task/${first}/stat`)
  return user + system
}

/** CPU seconds of the children of this process that have ended (Linux). */
function childSeconds(): number {
  const [, , user, system] = timesIn('/proc/self/stat')
  return user + system
}

/** User and system time, and those of children that have ended. */
function timesIn(path: string): number[] {
  const stat = readFileSync(path, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).map(ticks => Number(ticks) / 100)
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]

const wanted = process.argv.slice(3)
for (const name of Object.keys(LOADS)) {
  if (wanted.length > 0 && !wanted.some(part => name.includes(part))) continue
  const off: Cost[] = []
  const on: Cost[] = []
  for (let round = 0; round < ROUNDS; round++) {
    off.push(await measure(name, false))
    on.push(await measure(name, true))
  }
  const line = (what: 'all' | 'main'): string => {
    const [without, with_] = [off, on].map(costs => median(costs.map(cost => cost[what])))
    const percent = (with_ / without - 1) * 100
    return `${without.toFixed(3)} s without, ${with_.toFixed(3)} s with: ${percent.toFixed(1)} %`
  }
  const [offRate, onRate] = [off, on].map(costs => median(costs.map(({ rate }) => rate)) / 1e6)
  const ratios = on.map(({ rate }, i) => (rate / off[i].rate).toFixed(2)).join(' ')
  console.log(
    `${name}: ${offRate.toFixed(2)} M points/s without, ${onRate.toFixed(2)} M with: ` +
      `${(onRate / offRate).toFixed(2)} (each round: ${ratios})`,
  )
  console.log(`${name}, CPU a million points: ${line('all')}`)
  console.log(`${name}, on the main thread:   ${line('main')}`)
}
