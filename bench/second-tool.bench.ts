/**
 * Does another tool see what the lab's generator sees? One cell, `write-heavy` at fixed rates on the
 * embedded topology, by the lab and by k6 at the same time on the same node, so that what else the machine
 * does happens to both: `npm run bench -- second-tool`. k6 is that of WEIR_TEST_K6, else of PATH. Both
 * have even arrivals here; k6 counts latency from the actual sending, the lab from the intended.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportWorkload } from '../src/lab/exports/exports.ts'
import { startLoad } from '../src/lab/generator/generator.ts'
import type { LoadResult } from '../src/lab/generator/load.ts'
import type { Workload } from '../src/lab/workloads/workload.ts'
import { WRITE_HEAVY } from '../src/lab/workloads/write-heavy.ts'
import { toolProgram } from '../test/fixtures/load-tools.ts'
import { describeMachine } from './machine.ts'
import { cpuSecondsOf, startServer, type BenchServer } from './server.ts'

const RATES = [100, 300]
const ROUNDS = 3
const WARM_UP_MS = 5000
const MEASURED_MS = 20_000
const MAX_DIFFERENCE = 0.05

// A slow moment is a figure here, not the end of the run.
const WORKLOAD: Workload = {
  ...WRITE_HEAVY,
  slo: { ...WRITE_HEAVY.slo, p95Ms: 60_000, p99Ms: 60_000 },
}

interface Seen {
  readonly rate: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  /** From the intended time to the sending; k6 does not tell. */
  readonly lagP50Ms: number
  readonly lagP99Ms: number
  readonly errors: number
  /** Of one core. */
  readonly toolCpu: number
}

const program = toolProgram('k6')
if (program === undefined) {
  console.error('k6 is not installed, nor named by WEIR_TEST_K6: there is nothing to compare with.')
  process.exit(3)
}
const root = mkdtempSync(join(tmpdir(), 'weir-second-tool-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))

const urlOf = ({ httpPort }: BenchServer): string => `http://127.0.0.1:${httpPort}`

async function lab(server: BenchServer, rate: number, durationMs: number): Promise<LoadResult> {
  const load = await startLoad({
    url: urlOf(server),
    workload: WORKLOAD,
    executor: { kind: 'constant-arrival-rate', arrivals: 'constant', rate, durationMs },
    slo: WORKLOAD.slo,
    ...{ seed: 1, connections: 64, warmUpMs: 0, timeoutMs: 10_000 },
  })
  return load.result
}

async function byLab(server: BenchServer, rate: number): Promise<Seen> {
  const result = await lab(server, rate, MEASURED_MS)
  // Of the writes, as the reads are few.
  const { latency } = result.endpoints.find(({ name }) => name === 'POST telemetry')!
  return {
    ...{ p50Ms: latency.p50Ms, p95Ms: latency.p95Ms, p99Ms: latency.p99Ms },
    ...{ lagP50Ms: result.sendLag.p50Ms, lagP99Ms: result.sendLag.p99Ms },
    ...{ rate: result.achievedRate, errors: result.errorShare, toolCpu: result.generatorCpuShare },
  }
}

async function byK6(server: BenchServer, rate: number): Promise<Seen> {
  const options = { url: urlOf(server), rate, durationMs: MEASURED_MS }
  const [{ name, text }] = exportWorkload(WORKLOAD, 'k6', options)
  const script = join(root, name)
  const summary = join(root, 'summary.json')
  writeFileSync(script, text)
  const args = ['run', '--quiet', '--no-usage-report', '--summary-export', summary, script]
  const child = spawn(program!, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  let cpuSeconds = 0
  const timer = setInterval(() => {
    if (child.exitCode === null) cpuSeconds = cpuSecondsOf(child.pid!)
  }, 250)
  const [code] = (await once(child, 'close')) as [number | null]
  clearInterval(timer)
  // 99: a threshold was crossed, which the figures show.
  if (code !== 0 && code !== 99) throw new Error(`k6 ended with code ${code}`)
  const { metrics } = JSON.parse(readFileSync(summary, 'utf8')) as {
    metrics: Record<string, Record<string, number>>
  }
  const latency = metrics['http_req_duration{name:POST telemetry}']
  return {
    rate: metrics['http_reqs']['count'] / (MEASURED_MS / 1000),
    ...{ p50Ms: latency['p(50)'], p95Ms: latency['p(95)'], p99Ms: latency['p(99)'] },
    ...{ lagP50Ms: NaN, lagP99Ms: NaN },
    errors: metrics['http_req_failed']['value'],
    toolCpu: cpuSeconds / (MEASURED_MS / 1000),
  }
}

interface Pair {
  readonly lab: Seen
  readonly k6: Seen
}

/** On a node of its own, with a point of every device, and warm. */
async function bothAtOnce(rate: number, round: number): Promise<Pair> {
  const folder = join(root, `${rate}-${round}`, 'data')
  mkdirSync(folder, { recursive: true })
  const server = await startServer(folder)
  try {
    const response = await fetch(`${urlOf(server)}/api/v1/telemetry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(
        Array.from({ length: WORKLOAD.devices }, (_, place) => ({
          device_id: WORKLOAD.devicePrefix + String(place).padStart(5, '0'),
          timestamp: '2026-01-01T00:00:00Z',
          data: { x_coord: 0, y_coord: 0 },
        })),
      ),
    })
    if (!response.ok) throw new Error(`the devices were refused: ${response.status}`)
    await lab(server, 2 * rate, WARM_UP_MS)
    const [own, other] = await Promise.all([byLab(server, rate), byK6(server, rate)])
    return { lab: own, k6: other }
  } finally {
    await server.stop()
  }
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

const COLUMNS = [
  ...(['rate', 'p50Ms', 'p95Ms', 'p99Ms'] as const),
  ...(['lagP50Ms', 'lagP99Ms', 'errors', 'toolCpu'] as const),
]

function line(name: string, seen: Seen): void {
  const cells = COLUMNS.map(column => seen[column].toFixed(column === 'rate' ? 1 : 2).padStart(9))
  console.log(`${name.padEnd(14)}${cells.join('')}`)
}

console.log(JSON.stringify(describeMachine()))
console.log(''.padEnd(14) + COLUMNS.map(column => column.padStart(9)).join(''))
let isApart = false
for (const rate of RATES) {
  const pairs: Pair[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const pair = await bothAtOnce(rate, round)
    pairs.push(pair)
    line(`lab ${rate}/s`, pair.lab)
    line(`k6  ${rate}/s`, pair.k6)
  }
  const difference = (column: (typeof COLUMNS)[number]): number =>
    median(pairs.map(pair => pair.lab[column] / pair.k6[column])) - 1
  const columns = ['rate', 'p50Ms', 'p95Ms', 'p99Ms'] as const
  const told = columns.map(column => `${column} ${(100 * difference(column)).toFixed(1)} %`)
  console.log(`lab against k6, median of the pairs: ${told.join(', ')}\n`)
  if (Math.abs(difference('rate')) > MAX_DIFFERENCE) isApart = true
}
// Latencies are told, not judged: the tools count from different moments.
if (isApart) {
  console.error(`The achieved rates differ by more than ${MAX_DIFFERENCE * 100} %.`)
  process.exit(1)
}
