/**
 * The log on Kafka alone, in this process: `npm run bench -- kafka`, or `node bench/kafka.bench.ts`. The
 * broker is that of WEIR_TEST_KAFKA_BROKERS, else one of its own on this machine, whose two cores it shares.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KafkaLog, type KafkaLogOptions } from '../src/log/kafka/kafka-log.ts'
import { pointCount, type Batch, type EncodedBatch } from '../src/model/batch.ts'
import { BatchSplitter } from '../src/model/batch-split.ts'
import { encodeFrame } from '../src/model/frame.ts'
import { provideKafka } from '../src/provide/kafka-server.ts'

const SECONDS = Number(process.env['WEIR_BENCH_SECONDS'] ?? 3)
const PARTITIONS = 8

/** Points of that many devices with four metrics each, in turn. */
function entryOf(points: number, devices: number, from = 0): EncodedBatch {
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

async function appends(log: KafkaLog, name: string, entries: readonly EncodedBatch[]) {
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

async function consumption(options: KafkaLogOptions, appended: number): Promise<void> {
  const log = await KafkaLog.open(options)
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
  await log.close()
}

function splitting(name: string, entries: readonly EncodedBatch[]): void {
  const splitter = new BatchSplitter({ partitions: PARTITIONS })
  let points = 0
  const start = performance.now()
  while (performance.now() < start + 500) {
    for (const { batch, frame } of entries) {
      // Names as they come from a door, where no dictionary comes twice.
      const fresh = { ...batch, seriesDevice: batch.seriesDevice.slice() }
      splitter.split([{ batch: name.includes('again') ? batch : fresh, frame }])
      points += pointCount(batch)
    }
  }
  const perPoint = (1e6 * (performance.now() - start)) / points
  console.log(`divided, ${name}: ${perPoint.toFixed(0)} ns a point`)
}

const directory = await mkdtemp(join(tmpdir(), 'weir-bench-kafka-'))
const given = process.env['WEIR_TEST_KAFKA_BROKERS'] ?? ''
const report = (message: string): void => console.error(message)
const own = given === '' ? await provideKafka({ directory, report, home: '' }) : undefined
const options: KafkaLogOptions = {
  connection: {
    brokers: (own?.address ?? given).split(','),
    ...{ clientId: 'weir-bench', requestTimeoutMs: 10_000 },
  },
  ...{ topic: `weir-bench-${randomUUID()}`, partitions: PARTITIONS, retentionMs: 3_600_000 },
  ...{ replication: 0, minInsyncReplicas: 0, maxFetchBytes: 8 << 20 },
  ...{ appendTimeoutMs: 20_000, openTimeoutMs: 60_000, sessionTimeoutMs: 10_000 },
}
try {
  splitting('20 000 points of 1000 devices', [entryOf(20_000, 1000)])
  splitting('20 000 points of 1000 devices, names that come again', [entryOf(20_000, 1000)])
  splitting('100 points of 25 devices', [entryOf(100, 25)])
  const log = await KafkaLog.open(options)
  console.log(
    `append, ${PARTITIONS} partitions, one after the other`.padEnd(44),
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
  await consumption(options, pointsAppended)
} finally {
  await own?.stop()
  await rm(directory, { recursive: true, force: true })
}
