import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Aggregate } from '../../ports/store.ts'
import { Oracle } from '../oracle.ts'
import {
  checkBuckets,
  checkCounts,
  checkDownsample,
  checkRaw,
  checkSettled,
} from '../oracle-checks.ts'
import { batchOf, Random, TestLog, testSeed } from '../test-log.ts'
import type { TestPoint } from '../test-log.ts'
import { BlocksStore } from './blocks-store.ts'

const TENANT = 'plant'
const DEVICES = ['d0', 'd1', 'd2', 'd3', 'd4', 'd5']
const METRICS = ['temperature', 'level', 'state', 'tick']
/** Odd on purpose: nothing is aligned with it. */
const PARTITION_MS = 7001
const SPAN_US = 6 * PARTITION_MS * 1000
const AGGREGATES: Aggregate[] = ['avg', 'min', 'max', 'count', 'sum', 'first', 'last']

/** A store under test beside the oracle, and the log that both are fed from. */
class Run {
  readonly random: Random
  readonly oracle = new Oracle()
  readonly log = new TestLog()
  readonly #directory: string
  readonly #headBytes: number
  store!: BlocksStore
  /** Where points in order are, per series. */
  readonly #clock = new Map<string, number>()

  constructor(seed: number, directory: string) {
    this.random = new Random(seed)
    this.#directory = directory
    this.#headBytes = this.random.pick([4000, 20_000, 200_000])
  }

  async open(): Promise<void> {
    this.store = await BlocksStore.open({
      directory: this.#directory,
      headBytes: this.#headBytes,
      partitionMs: PARTITION_MS,
      blockPoints: 16,
      maxOpenPartitions: 3,
      transactionBlocks: 5,
    })
  }

  /** Points of devices that share a log partition, as a keyed log would have them. */
  points(): { points: TestPoint[]; partition: number } {
    const { random } = this
    const partition = random.between(0, 2)
    const own = DEVICES.filter((_, i) => i % 2 === partition)
    // Now and then all of one series, so that its disorder is large.
    const devices = random.chance(0.3) ? [random.pick(own)] : own
    const metrics = random.chance(0.3) ? [random.pick(METRICS)] : METRICS
    const points: TestPoint[] = []
    const count = random.between(1, random.pick([4, 60, 400]))
    const late = random.pick([0, 0, 0.02, 0.3, 1])
    for (let i = 0; i < count; i++) {
      points.push(this.#point(random.pick(devices), random.pick(metrics), late))
    }
    if (random.chance(0.2)) random.shuffle(points)
    if (random.chance(0.2)) points.push(...points.slice(0, random.between(0, count)))
    return { points, partition }
  }

  #point(device: string, metric: string, late: number): TestPoint {
    const { random } = this
    const key = `${device}/${metric}`
    const now = this.#clock.get(key) ?? 0
    const step = random.pick([1, 1000, 33_333, 500_000])
    let time = now + step
    // A coarse grid, so that late points often repeat a key.
    if (random.chance(late)) time = random.between(0, SPAN_US / 50_000) * 50_000
    else if (time < SPAN_US) this.#clock.set(key, time)
    else time = random.between(0, SPAN_US)
    const isText = metric === 'state' ? random.chance(0.7) : random.chance(0.01)
    if (isText) return { device, metric, time, text: 'é'.repeat(random.between(0, 20)) }
    const value = random.pick([
      random.between(-1000, 1000) / 8,
      random.next() * 1e9,
      random.between(0, 3),
    ])
    return { device, metric, time, value }
  }

  write(): Promise<void> {
    const writes: Promise<void>[] = []
    for (let i = this.random.between(1, 4); i > 0; i--) {
      const { points, partition } = this.points()
      const batch = batchOf(TENANT, points)
      this.oracle.write(batch)
      writes.push(this.store.write([this.log.append(batch, partition)]))
    }
    return Promise.all(writes).then(() => undefined)
  }

  /** Once or several times in a row, with a replay that comes only so far. */
  async crash(): Promise<void> {
    const { random } = this
    do {
      await this.store.abandon()
      await this.open()
      const missing = this.log.from(await this.store.positions())
      const again = random.chance(0.5)
      if (again) missing.splice(random.between(0, missing.length + 1))
      // In pieces, as a log delivers them, and not always with a pause between.
      while (missing.length > 0) {
        const written = this.store.write(missing.splice(0, random.between(1, 5)))
        written.catch(() => undefined)
        if (random.chance(0.5)) await written
        if (random.chance(0.1)) this.store.flush().catch(() => undefined)
      }
      if (!again) break
    } while (random.chance(0.9))
    await this.store.write(this.log.from(await this.store.positions()))
    // Entries that are there already change nothing.
    if (random.chance(0.3)) await this.store.write(this.log.entries)
  }

  async check(): Promise<void> {
    const { random } = this
    const devices = random.chance(0.3) ? DEVICES : [random.pick(DEVICES), 'nobody']
    const metrics = random.pick([[], [], ['state'], ['temperature', 'tick', 'nothing']])
    const start = random.chance(0.3) ? 0 : random.between(0, SPAN_US)
    const end = random.chance(0.3) ? SPAN_US * 2 : start + random.between(0, SPAN_US)
    const range = { select: { tenant: TENANT, devices, metrics }, start, end }
    await checkCounts(this)
    const limit = random.pick([1, 3, 100, 1e6])
    await checkRaw(this, range, { limit, order: random.pick(['asc', 'desc']) })
    const intervalUs = random.pick([9973, 1_000_003, 7_001_000, 50_000_000])
    const percentiles: Aggregate[] = random.chance(0.4) ? ['p0', 'p50', 'p99.9', 'p100'] : []
    await checkBuckets(this, range, { intervalUs, aggregates: [...AGGREGATES, ...percentiles] })
    await checkDownsample(this, range, random.between(2, 60))
  }

  async step(): Promise<void> {
    const { random } = this
    const choice = random.next()
    if (choice < 0.6) {
      const written = this.write()
      // Reads follow writes, whether these have resolved or not.
      if (random.chance(0.5)) await written
      if (random.chance(0.5)) await this.check()
      await written
    } else if (choice < 0.8) await this.check()
    else if (choice < 0.87) {
      const flushed = this.store.flush()
      if (random.chance(0.5)) await this.check()
      await flushed
      await checkSettled(this)
      await this.check()
    } else if (choice < 0.95) {
      // Sometimes in the middle of a flush.
      if (random.chance(0.5)) this.store.flush().catch(() => undefined)
      if (random.chance(0.5)) await this.store.stats()
      await this.crash()
    } else {
      await this.store.close()
      await this.open()
      await checkSettled(this)
    }
  }
}

const seed = testSeed()

for (let run = 0; run < 6; run++) {
  test(`the store agrees with the oracle whatever happens to it, WEIR_SEED=${seed + run}`, async t => {
    const directory = mkdtempSync(join(tmpdir(), 'weir-oracle-'))
    const subject = new Run(seed + run, directory)
    t.after(async () => {
      await subject.store.close().catch(() => undefined)
      rmSync(directory, { recursive: true })
    })
    await subject.open()
    for (let i = 0; i < 60; i++) await subject.step()
    await subject.store.flush()
    await checkSettled(subject)
    await subject.check()
  })
}
