/**
 * A whole node fed by a real Mosquitto: QoS 1 messages of 4 metrics over 50 connections with 64 in
 * flight each, all on this machine. Run with `node bench/bridge.bench.ts [seconds]`.
 *
 * - `while sent`: what Weir stored a second while the load ran, and what the load sent.
 * - `backlog`: what Weir stored a second of what had gathered at the broker while Weir was away.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMosquitto } from '../test/fixtures/mosquitto.ts'
import { startMqttLoad } from './load/mqtt-load.ts'
import { tally } from './load/tally.ts'
import { cpuSecondsOf, startServer, type BenchServer } from './server.ts'

const PASSED_POLL_MS = 20
const METRICS = 4

const seconds = Number(process.argv[2] ?? 5)
const pass = (ms: number): Promise<unknown> => new Promise(resolve => setTimeout(resolve, ms))
const folder = mkdtempSync(join(tmpdir(), 'weir-bridge-bench-'))
const cleanups: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true })]
const broker = await startMosquitto(
  { after: cleanup => void cleanups.push(cleanup) },
  { saves: false },
)
process.env['WEIR_MQTT_BRIDGES'] = JSON.stringify([
  { name: 'bench', url: broker.url, clientId: 'weir', topics: [{ filter: 'devices/#' }] },
])

const storedBy = async (server: BenchServer): Promise<number> => {
  const name = 'mqtt_bridge_messages_total{bridge="bench",kind="stored"}'
  return (await server.metrics()).get(name) ?? 0
}

async function connected(server: BenchServer): Promise<void> {
  const isConnected = async (): Promise<boolean> =>
    (await server.metrics()).get('mqtt_bridge_connected{bridge="bench"}') === 1
  while (!(await isConnected())) await pass(PASSED_POLL_MS)
}

async function load(forMs: number, startMs: number): Promise<number> {
  const counts = tally()
  const running = await startMqttLoad({
    ...{ port: broker.port, connections: 50, window: 64, devices: 1000, startMs, tally: counts },
  })
  await pass(forMs)
  return (await running.stop()) / METRICS
}

function cpu(server: BenchServer): () => string {
  const now = (): number[] => [server.cpuSeconds(), cpuSecondsOf(broker.pid), performance.now()]
  const before = now()
  return () => {
    const [weir, mosquitto, ms] = now().map((value, i) => value - before[i])
    const cores = (spent: number): string => (spent / (ms / 1000)).toFixed(2)
    return `Weir ${cores(weir)} cores, Mosquitto ${cores(mosquitto)}`
  }
}

const shown = (count: number): string => Math.round(count).toLocaleString('en')

async function whileSent(server: BenchServer): Promise<void> {
  const before = await storedBy(server)
  const began = performance.now()
  const used = cpu(server)
  const sent = await load(seconds * 1000, Date.now() - 40_000_000)
  const took = (performance.now() - began) / 1000
  const stored = (await storedBy(server)) - before
  console.log(
    `while sent  ${shown(stored / took)} messages/s stored (${shown((METRICS * stored) / took)} points/s),` +
      ` ${shown(sent / took)} sent · ${used()}`,
  )
  while ((await storedBy(server)) < before + sent) await pass(PASSED_POLL_MS)
}

async function backlog(data: string): Promise<void> {
  const sent = await load(seconds * 1000, Date.now() - 20_000_000)
  const server = await startServer(data)
  await connected(server)
  const began = performance.now()
  const used = cpu(server)
  const first = await storedBy(server)
  while ((await storedBy(server)) < sent) await pass(PASSED_POLL_MS)
  const took = (performance.now() - began) / 1000
  const rate = (sent - first) / took
  console.log(
    `backlog     ${shown(rate)} messages/s stored (${shown(METRICS * rate)} points/s),` +
      ` ${shown(sent)} messages · ${used()}`,
  )
  await server.stop()
}

try {
  const data = join(folder, 'data')
  const server = await startServer(data)
  await connected(server)
  await whileSent(server)
  await server.stop()
  await backlog(data)
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup()
}
