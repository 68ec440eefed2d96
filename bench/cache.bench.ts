/**
 * Latest reads of one process: from its memory (embedded, for comparison), and where it keeps nothing
 * in memory, on PostgreSQL and Redis that Weir starts: without a cache, through Redis, and through
 * memory in front of Redis; alone, and while devices send. Run with `node bench/cache.bench.ts [seconds]`.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, rates } from './figure.ts'
import { runLoad } from './load/load.ts'
import { deviceName } from './load/request.ts'
import { startServer } from './server.ts'

const seconds = Number(process.argv[2] ?? 2)
const DEVICES = 1024
const DIRECT = ['--log.engine=none', '--store.engine=postgres', '--catalog.engine=postgres']
const COMPOSITIONS: Readonly<Record<string, readonly string[]>> = {
  embedded: [],
  'store alone': DIRECT,
  redis: [...DIRECT, '--cache.engine=redis', '--cache.latestTtlMs=60s'],
  tiered: [...DIRECT, '--cache.engine=tiered', '--cache.latestTtlMs=60s'],
}

/** A record of every device. */
async function seed(port: number): Promise<void> {
  const records = Array.from({ length: DEVICES }, (_, device) => ({
    device_id: deviceName(device),
    data: { temperature: 20.5, pressure: 1.25, humidity: 60, running: true },
  }))
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/telemetry`, {
    ...{ method: 'POST', body: JSON.stringify(records) },
    headers: { 'content-type': 'application/json' },
  })
  if (!answer.ok) throw new Error(`the devices were not stored: ${answer.status}`)
}

const root = mkdtempSync(join(tmpdir(), 'weir-cache-bench-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
for (const [name, args] of Object.entries(COMPOSITIONS)) {
  const data = join(root, name.replace(' ', '-'), 'data')
  mkdirSync(data, { recursive: true })
  const server = await startServer(data, args)
  const http = { protocol: 'http', port: server.httpPort, connections: 64 } as const
  const times = { warmupMs: 1000, windowMs: seconds * 1000, windows: 3 }
  const latest = { ...http, ...times, payload: { kind: 'latest', devices: DEVICES } } as const
  const single = { ...http, payload: { kind: 'single', devices: DEVICES } } as const
  await seed(server.httpPort)
  const told = async (what: string, began: number, load: ReturnType<typeof runLoad>) => {
    const totals = await load
    if (totals.failures > 0) throw new Error(`${name}: ${totals.firstFailure}`)
    const { p50Ms, p99Ms } = totals.overall
    const rate = median(rates(totals, 'requests'))
    const all = totals.overall.requests * (1 + times.warmupMs / (times.windowMs * times.windows))
    const micros = (1e6 * (server.cpuSeconds() - began)) / all
    console.log(
      `${name}, ${what}: ${rate.toFixed()}/s, p50 ${p50Ms.toFixed(1)} ms, ` +
        `p99 ${p99Ms.toFixed(1)} ms, ${micros.toFixed(1)} µs of the gateway's CPU each`,
    )
  }
  await told('reads alone', server.cpuSeconds(), runLoad(latest))
  const writing = runLoad({ ...single, connections: 4, ...times })
  await told('reads beside writes', server.cpuSeconds(), runLoad(latest))
  const { overall } = await writing
  const metrics = await server.metrics()
  const [hits, asked] = ['cache_hits_total', 'cache_requests_total'].map(at => metrics.get(at) ?? 0)
  console.log(`  ${(overall.requests / overall.seconds).toFixed()} writes/s, hits ${hits}/${asked}`)
  await server.stop()
}
