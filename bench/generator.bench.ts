/**
 * The lab's load generator against a server that does nothing: what it can send, how late it is,
 * and what a request costs it. Run with `npm run bench -- generator [seconds]`, or
 * `node bench/generator.bench.ts [seconds] [rates]`.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { startLoad } from '../src/lab/generator/generator.ts'
import type { LoadPlan } from '../src/lab/generator/load.ts'
import type { Workload } from '../src/lab/workloads/workload.ts'
import { cpuSecondsOf } from './server.ts'

const seconds = Number(process.argv[2]) || 5
const rates = (process.argv[3] ?? '1000,10000,25000,50000').split(',').map(Number)
const WARM_UP_MS = 2000
const CONNECTIONS = 64

const slo = { p99Ms: 300, p95Ms: 150, maxErrorShare: 0.01, minAchievedShare: 0.99 }
const VALUE = { is: 'number', min: -100, max: 100, decimals: 3 } as const
/** Half reads, half writes with two values and a time, as in the lab's profiles. */
const workload: Workload = {
  ...{ id: 'noop', title: 'No-op', summary: 'Nothing.', devices: 1000, devicePrefix: 'device-' },
  metrics: {},
  requests: [
    {
      ...{ name: 'GET latest', weight: 1, method: 'GET', expects: [200], points: 0 },
      path: ['/api/telemetry/latest/', { is: 'device' }],
    },
    {
      ...{ name: 'POST telemetry', weight: 1, method: 'POST', expects: [200], points: 2 },
      path: ['/api/telemetry/', { is: 'device' }],
      body: {
        is: 'object',
        fields: { x: VALUE, y: VALUE, device_time: { is: 'time', unique: true } },
      },
    },
  ],
  history: { points: 0, intervalMs: 0 },
  executor: { kind: 'constant-arrival-rate', arrivals: 'poisson', rate: 1, durationMs: 1 },
  slo: { ...slo, freshnessP99Ms: 2000 },
}

const server = fork(new URL('./load/noop-child.ts', import.meta.url))
const [port] = (await once(server, 'message')) as [number]
const ms = (value: number): string => value.toFixed(2)
console.log(
  'rate/s    achieved/s  lag p50 ms  lag p99 ms  p99 ms  CPU of a core  CPU µs a request  server',
)
for (const rate of rates) {
  const plan: LoadPlan = {
    ...{ url: `http://127.0.0.1:${port}`, workload, slo: workload.slo, seed: 1 },
    executor: {
      ...{ kind: 'constant-arrival-rate', arrivals: 'poisson', rate },
      durationMs: WARM_UP_MS + 1000 * seconds,
    },
    ...{ connections: CONNECTIONS, warmUpMs: WARM_UP_MS, timeoutMs: 10_000 },
  }
  const before = cpuSecondsOf(server.pid!)
  const result = await (await startLoad(plan)).result
  const serverShare = (cpuSecondsOf(server.pid!) - before) / (seconds + WARM_UP_MS / 1000)
  const { achievedRate, sendLag, latency, generatorCpuShare, firstFailure } = result
  const micros = (1e6 * generatorCpuShare) / achievedRate
  const columns = [
    [String(rate), 10],
    [achievedRate.toFixed(0), 12],
    [ms(sendLag.p50Ms), 12],
    [ms(sendLag.p99Ms), 12],
    [ms(latency.p99Ms), 8],
    [generatorCpuShare.toFixed(2), 15],
    [micros.toFixed(1), 18],
    [serverShare.toFixed(2), 0],
  ] as const
  console.log(columns.map(([text, width]) => text.padEnd(width)).join(''))
  if (firstFailure !== undefined) console.log(`  failed: ${firstFailure}`)
}
server.disconnect()
