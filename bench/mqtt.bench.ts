/**
 * The MQTT door alone: QoS 1 messages of 4 metrics over 50 connections with 64 in flight each.
 * Run with `node bench/mqtt.bench.ts [seconds]`.
 *
 * - `door`: what is stored is thrown away; a "disk" answers every 0.7 ms.
 * - `gate`: decoded by the real gate, into a log that takes 0.7 ms an append.
 * - `watched`: the same with a subscriber to every message.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { mqttIngest } from '../src/compose/mqtt-ingest.ts'
import { IngestGate } from '../src/ingest/gate.ts'
import { Ledger } from '../src/ingest/ledger.ts'
import { openAccess } from '../src/model/access.ts'
import { SeriesTable } from '../src/model/series-table.ts'
import { openMqttDoor } from '../src/mqtt/door.ts'
import type { MqttOptions } from '../src/mqtt/options.ts'
import { systemClock } from '../src/ports/clock.ts'
import type { Log } from '../src/ports/log.ts'
import { startMqttLoad } from './load/mqtt-load.ts'
import { connectPacket } from './load/mqtt-wire.ts'
import { tally } from './load/tally.ts'

type Mode = 'door' | 'gate' | 'watched'
const APPEND_MS = 0.7

/** Resolves all waiters at once, about every 0.7 ms while there are some. */
function pacedDisk(): () => Promise<void> {
  let waiting: (() => void)[] = []
  return () => {
    if (waiting.length === 0) {
      const due = performance.now() + APPEND_MS
      const check = (): void => {
        if (performance.now() < due) {
          setImmediate(check)
          return
        }
        const now = waiting
        waiting = []
        for (const resolve of now) resolve()
      }
      setImmediate(check)
    }
    return new Promise(resolve => waiting.push(resolve))
  }
}

function gateIngest(): MqttOptions['ingest'] {
  const disk = pacedDisk()
  const log: Log = {
    capabilities: { deliversBeforeAck: false, keepsEntries: true, isShared: false },
    append: disk,
    subscribe: () => Promise.reject(new Error('nobody reads here')),
    commit: () => Promise.resolve(),
    status: () => ({ partitions: [], pointsAppended: 0, bytes: 0 }),
    close: () => Promise.resolve(),
  }
  const limits = {
    maxPointsPerRequest: 1e6,
    maxDepth: 8,
    maxTextBytes: 65_536,
    maxFutureMs: 86_400_000,
    maxSeries: 2e6,
    maxPendingBytes: 64 * 1024 * 1024,
  }
  const devices = { admits: () => true, admitsNew: () => true }
  const shared = { log, table: new SeriesTable(), ledger: new Ledger(0), clock: systemClock }
  const gate = new IngestGate({ ...shared, limits, devices })
  return mqttIngest({
    gate,
    onSite: () => {},
    units: { tell: () => {} },
    setAttributes: async () => {},
  })
}

async function serve(mode: Mode): Promise<void> {
  const disk = pacedDisk()
  const door = await openMqttDoor({
    host: '127.0.0.1',
    port: 0,
    topics: [],
    log: console,
    access: {
      ...{ open: openAccess('default'), verify: () => undefined },
      limits: { limits: () => false, takeMessages: () => {}, pauseMs: () => 0 },
    },
    ingest:
      mode === 'door'
        ? (_sender, messages) => disk().then(() => ({ accepted: messages.length, rejected: [] }))
        : gateIngest(),
  })
  process.send?.({ port: door.address.port })
  process.on('message', message => {
    if (message === 'cpu')
      process.send?.({ cpu: process.cpuUsage(), memory: process.memoryUsage() })
    else void door.close().then(() => process.exit(0))
  })
}

interface Usage {
  readonly cpu: NodeJS.CpuUsage
  readonly memory: NodeJS.MemoryUsage
}

async function measure(mode: Mode, seconds: number): Promise<string> {
  const server = fork(import.meta.filename, ['serve', mode])
  const [{ port }] = (await once(server, 'message')) as [{ port: number }]
  if (mode === 'watched') {
    const socket = createConnection(port, '127.0.0.1')
    const filter = Buffer.from([0x82, 6, 0, 1, 0, 1, 0x23, 0])
    socket.write(Buffer.concat([connectPacket('watcher'), filter]))
    socket.resume()
  }
  const usage = async (): Promise<Usage> => {
    server.send('cpu')
    const [answer] = await once(server, 'message')
    return answer as Usage
  }
  const counts = tally()
  const load = await startMqttLoad({
    ...{ port, connections: 50, window: 64, devices: 1000, startMs: Date.now() - 3_600_000 },
    tally: counts,
  })
  const pass = (ms: number): Promise<unknown> => new Promise(resolve => setTimeout(resolve, ms))
  await pass(1500)
  counts.mark()
  const before = await usage()
  await pass(seconds * 1000)
  const after = await usage()
  const window = counts.mark()
  await load.stop()
  server.send('stop')
  await once(server, 'exit')
  if (window === undefined) throw new Error('nothing was measured')
  const cpu = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system
  const perSecond = window.requests / window.seconds
  const cores = cpu / 1e6 / window.seconds
  const { failures, firstFailure } = counts.totals(0)
  if (failures > 0) throw new Error(firstFailure)
  return [
    `${mode.padEnd(8)} ${Math.round(perSecond).toLocaleString('en')} messages/s`,
    `p50 ${window.p50Ms.toFixed(1)} ms, p99 ${window.p99Ms.toFixed(1)} ms`,
    `server ${cores.toFixed(2)} cores, ${((cores / perSecond) * 1e6).toFixed(1)} µs a message`,
    `${Math.round(after.memory.rss / 1e6)} MB, load ${window.cpu.toFixed(2)} cores`,
  ].join(' · ')
}

const [first, second] = process.argv.slice(2)
if (first === 'serve') await serve(second as Mode)
else {
  const modes = second === undefined ? (['door', 'gate', 'watched'] as const) : [second as Mode]
  for (const mode of modes) console.log(await measure(mode, Number(first ?? 5)))
}
