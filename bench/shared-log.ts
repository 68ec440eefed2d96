import { pointCount, type Batch, type EncodedBatch } from '../src/model/batch.ts'
import { encodeFrame } from '../src/model/frame.ts'
import type { Log } from '../src/ports/log.ts'

const SECONDS = Number(process.env['WEIR_BENCH_SECONDS'] ?? 3)

/** Points of that many devices with four metrics each, in turn. */
export function entryOf(points: number, devices: number, from = 0): EncodedBatch {
  const series = 4 * devices
  const batch: Batch = {
    tenant: 'default',
    devices: Array.from({ length: devices }, (_, i) => `device-${from + i}`),
    metrics: ['temperature', 'humidity', 'pressure', 'voltage'],
    seriesDevice: Uint32Array.from({ length: series }, (_, s) => s >> 2),
    seriesMetric: Uint32Array.from({ length: series }, (_, s) => s & 3),
    seriesIndex: Uint32Array.from({ length: points }, (_, p) => p % series),
    timestamps: Float64Array.from({ length: points }, (_, p) => 1.7e15 + p),
    values: Float64Array.from({ length: points }, (_, p) => 20 + Math.sin(p)),
  }
  return { batch, frame: encodeFrame(batch) }
}

async function appends(log: Log, name: string, entries: readonly EncodedBatch[]): Promise<void> {
  const points = entries.reduce((sum, { batch }) => sum + pointCount(batch), 0)
  const bytes = entries.reduce((sum, { frame }) => sum + frame.byteLength, 0)
  for (let i = 0; i < 20; i++) await log.append(entries)
  const latencies: number[] = []
  const cpu = process.cpuUsage()
  const start = performance.now()
  let at = start
  while (at < start + 1000 * SECONDS) {
    await log.append(entries)
    const now = performance.now()
    latencies.push(now - at)
    at = now
  }
  const { user, system } = process.cpuUsage(cpu)
  const sorted = latencies.toSorted((a, b) => a - b)
  const ms = (share: number): string =>
    sorted[Math.floor(sorted.length * share)].toFixed(1).padStart(7)
  const perSecond = (1000 * latencies.length) / (at - start)
  console.log(
    name.padEnd(44),
    `${Math.round(perSecond)}`.padStart(8),
    `${Math.round((perSecond * points) / 1000)}`.padStart(9),
    ((perSecond * bytes) / 1e6).toFixed(1).padStart(7),
    ms(0.5),
    ms(0.99),
    `${Math.round((user + system) / latencies.length)}`.padStart(8),
  )
}

async function consumption(log: Log, appended: number): Promise<void> {
  let [points, entries] = [0, 0]
  const cpu = process.cpuUsage()
  const start = performance.now()
  const { caughtUp } = await log.subscribe({
    ...{ group: 'bench', from: [], members: 'everyone' },
    deliver(given) {
      entries += given.length
      for (const { batch } of given) points += pointCount(batch)
    },
  })
  await caughtUp
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  console.log(
    `consumed ${(points / 1e6).toFixed(1)} M points of ${(appended / 1e6).toFixed(1)} M in ${entries} records:`,
    `${Math.round(points / seconds / 1000)} k points/s,`,
    `${Math.round((1000 * (user + system)) / points)} ns of this process a point`,
  )
}

/** The same for each log that processes share: appends of many sizes, then everything read again. */
export async function sharedLogFigures(
  partitions: number,
  open: () => Promise<Log>,
): Promise<void> {
  const log = await open()
  console.log(
    `append, ${partitions} partitions, one after the other`.padEnd(44),
    '     a s  k pts/s    MB/s  p50 ms  p99 ms   CPU µs',
  )
  await appends(log, 'one message of 4 points', [entryOf(4, 1)])
  await appends(log, '100 points of 25 devices', [entryOf(100, 25)])
  await appends(
    log,
    '20 frames of 40 points of 10 devices',
    Array.from({ length: 20 }, (_, i) => entryOf(40, 10, 10 * i)),
  )
  await appends(log, '20 000 points of 1000 devices', [entryOf(20_000, 1000)])
  await appends(log, '400 000 points of 1000 devices', [entryOf(400_000, 1000)])
  const { pointsAppended } = log.status()
  await log.close()
  const again = await open()
  await consumption(again, pointsAppended)
  await again.close()
}
