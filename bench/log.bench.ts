/**
 * The embedded log: durable appends one after the other, as the gate makes them.
 *
 *   node bench/log.bench.ts [seconds per row]
 *
 * In one run: the log itself, and what was considered for it: one synchronous write to a growing
 * and to a recycled file (the limit), and LMDB transactions that also remove the oldest entry.
 */
import { constants } from 'node:fs'
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Batch, EncodedBatch } from '../src/model/batch.ts'
import { encodeFrame } from '../src/model/frame.ts'
import { EmbeddedLog } from '../src/log/embedded/embedded-log.ts'

const seconds = Number(process.argv[2] ?? 2)
const FILE_BYTES = 32 << 20
const KEPT_BYTES = 64 << 20

interface Subject {
  append(entry: EncodedBatch): Promise<unknown>
  close(): Promise<void>
}
type Opener = (directory: string) => Promise<Subject>

function entry(points: number): EncodedBatch {
  const batch: Batch = {
    tenant: 'default',
    devices: ['device'],
    metrics: ['temperature'],
    seriesDevice: Uint32Array.of(0),
    seriesMetric: Uint32Array.of(0),
    seriesIndex: new Uint32Array(points),
    timestamps: Float64Array.from({ length: points }, (_, i) => 1.7e15 + i),
    values: Float64Array.from({ length: points }, () => Math.random()),
  }
  return { batch, frame: encodeFrame(batch) }
}

const embedded: Opener = async directory => {
  const log = await EmbeddedLog.open({ directory })
  let offset = 0
  let bytes = 0
  return {
    append: async one => {
      await log.append([one])
      offset++
      bytes += one.frame.length
      if (bytes < KEPT_BYTES) return
      // As the store does: nothing for a while, then all of a flush at once.
      bytes = 0
      void log.commit('store', [{ partition: 0, offset }])
    },
    close: () => log.close(),
  }
}

function file(recycled: boolean): Opener {
  return async directory => {
    const { O_RDWR, O_CREAT, O_DSYNC } = constants
    const handle = await open(join(directory, 'file'), O_RDWR | O_CREAT | O_DSYNC)
    if (recycled) await handle.write(Buffer.alloc(FILE_BYTES), 0, FILE_BYTES, 0)
    let position = 0
    return {
      append: async ({ frame }) => {
        if (recycled && position + frame.length > FILE_BYTES) position = 0
        await handle.write(frame, 0, frame.length, position)
        position += frame.length
      },
      close: () => handle.close(),
    }
  }
}

/** lmdb-js with durable transactions: asynchronous (its writer thread), or blocking this thread. */
function lmdb(mode: 'async' | 'blocking'): Opener {
  return async directory => {
    const { open: openDatabase } = await import('lmdb')
    const db = openDatabase<Uint8Array, number>({
      path: join(directory, 'lmdb'),
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'uint32',
      overlappingSync: false,
      eventTurnBatching: false,
    })
    let next = 0
    return {
      append: async ({ frame }) => {
        const kept = Math.ceil(KEPT_BYTES / frame.length)
        const write = (): void => {
          void db.put(next, frame)
          if (next >= kept) void db.remove(next - kept)
        }
        if (mode === 'async') await db.batch(write)
        else db.transactionSync(write)
        next++
      },
      close: () => db.close(),
    }
  }
}

class Sample {
  readonly name: string
  readonly subject: Subject
  readonly latencies: number[] = []
  #elapsedMs = 0
  #onThreadUs = 0
  #inAllUs = 0

  constructor(name: string, subject: Subject) {
    this.name = name
    this.subject = subject
  }

  async run(one: EncodedBatch, durationMs: number): Promise<void> {
    const start = performance.now()
    const thread = process.threadCpuUsage()
    const whole = process.cpuUsage()
    let at = start
    while (at < start + durationMs) {
      await this.subject.append(one)
      const now = performance.now()
      this.latencies.push(now - at)
      at = now
    }
    this.#elapsedMs += at - start
    const onThread = process.threadCpuUsage(thread)
    const inAll = process.cpuUsage(whole)
    this.#onThreadUs += onThread.user + onThread.system
    this.#inAllUs += inAll.user + inAll.system
  }

  row(bytes: number, points: number): string {
    const count = this.latencies.length
    const sorted = this.latencies.toSorted((a, b) => a - b)
    const ms = (share: number): string => sorted[Math.floor(count * share)].toFixed(2)
    const megabytes = (count * bytes) / 1000 / this.#elapsedMs
    return [
      this.name.padEnd(28),
      `${bytes}`.padStart(7),
      ms(0.5).padStart(8),
      ms(0.99).padStart(8),
      megabytes.toFixed(1).padStart(8),
      ((megabytes / bytes) * points).toFixed(2).padStart(8),
      `${Math.round(this.#onThreadUs / count)}`.padStart(8),
      `${Math.round(this.#inAllUs / count)}`.padStart(8),
    ].join(' ')
  }
}

/** In turns, so that what else the machine does meets all of them. */
async function compare(points: number): Promise<void> {
  const one = entry(points)
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-'))
  const samples: Sample[] = []
  for (const [name, opener] of subjects) {
    const folder = join(directory, String(samples.length))
    await mkdir(folder)
    const subject = await opener(folder)
    samples.push(new Sample(name, subject))
    // Until the files that a long run writes again are there; a second at most.
    const end = performance.now() + 1000
    for (let bytes = 0; bytes < 3 * KEPT_BYTES && performance.now() < end;) {
      await subject.append(one)
      bytes += one.frame.length
    }
  }
  for (let round = 0; round < 10; round++) {
    for (const sample of samples) await sample.run(one, 100 * seconds)
  }
  for (const sample of samples) {
    console.log(sample.row(one.frame.length, points))
    await sample.subject.close()
  }
  await rm(directory, { recursive: true })
}

/** Small appends while a gigabyte of committed entries is removed, and without that. */
async function trimming(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-'))
  const log = await EmbeddedLog.open({ directory })
  const large = entry(20_000)
  const small = entry(256)
  while (log.status().bytes < 1 << 30) await log.append(Array.from({ length: 10 }, () => large))
  const subject = { append: (one: EncodedBatch) => log.append([one]), close: () => log.close() }
  const quiet = new Sample('embedded log, quiet', subject)
  await quiet.run(small, 500)
  const busy = new Sample('embedded log, trimming 1 GB', subject)
  const start = performance.now()
  const { next } = log.status().partitions[0]
  let tookMs = 0
  const trimmed = log.commit('store', [{ partition: 0, offset: next }])
  void trimmed.then(() => (tookMs = performance.now() - start))
  while (tookMs === 0) await busy.run(small, 1)
  console.log(quiet.row(small.frame.length, 256))
  console.log(busy.row(small.frame.length, 256))
  const worst = Math.max(...busy.latencies)
  console.log(
    `the trim took ${tookMs.toFixed(0)} ms; the longest append meanwhile ${worst.toFixed(1)} ms`,
  )
  await log.close()
  await rm(directory, { recursive: true })
}

const subjects: readonly (readonly [string, Opener])[] = [
  ['embedded log', embedded],
  ['file, O_DSYNC, growing', file(false)],
  ['file, O_DSYNC, recycled', file(true)],
  ['LMDB, asynchronous', lmdb('async')],
  ['LMDB, blocking the thread', lmdb('blocking')],
]
console.log(
  'append                         bytes   p50 ms   p99 ms     MB/s  Mpts/s  main µs   all µs',
)
for (const points of [256, 20_000]) await compare(points)
await trimming()
