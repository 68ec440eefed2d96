import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { WeirError } from '../../ports/errors.ts'
import { batchOf, Random, TestLog } from '../test-log.ts'
import type { TestPoint } from '../test-log.ts'
import { Engine } from './engine.ts'
import { PartitionFile } from './partition-file.ts'
import { readRaw } from './queries.ts'

const FULL = new WeirError('retryable', 'the disk is full', { code: 'disk_full' })
const HOUR_US = 3_600_000_000
/** Names, then two series and the end of each of three partitions, then the state. */
const WRITES = 1 + 3 * 3 + 1
const EVERYTHING = { start: 0, end: 2 ** 53 }

interface Bench {
  engine: Engine
  readonly log: TestLog
  readonly directory: string
  commits: number
}

function open(directory: string, onCommit: () => void): Engine {
  return new Engine(
    {
      ...{ directory, headBytes: 1 << 20, flushIntervalMs: 60_000, partitionMs: 3_600_000 },
      ...{ blockPoints: 16, maxOpenPartitions: 2, transactionBlocks: 1, nowMs: 0 },
    },
    onCommit,
  )
}

function newBench(t: TestContext): Bench {
  const directory = mkdtempSync(join(tmpdir(), 'weir-engine-'))
  const bench = { log: new TestLog(), directory, commits: 0 } as Bench
  bench.engine = open(directory, () => bench.commits++)
  t.after(async () => {
    await bench.engine.close()
    rmSync(directory, { recursive: true })
  })
  return bench
}

function write({ engine, log }: Bench, points: readonly TestPoint[]): void {
  const { frame, position } = log.append(batchOf('t', points))
  assert.ok(engine.take(frame, position))
}

function point(time: number, value: number, device = 'd'): TestPoint {
  return { device, metric: 'm', time, value }
}

async function rows(engine: Engine): Promise<Record<string, number[]>> {
  const select = { tenant: 't', devices: ['d', 'e'], metrics: [] }
  const order = 'asc'
  const found = await readRaw(engine, { select, range: EVERYTHING, limit: 1e6, order })
  const columns = new Float64Array(found.columns)
  let at = 0
  return Object.fromEntries(
    found.devices.map((device, i) => {
      const from = at
      at += 2 * found.lengths[i]
      return [device, [...columns.subarray(from, at)]]
    }),
  )
}

/** Two devices over three partitions, with repeated and late points. */
function fill(bench: Bench, random: Random, rounds: number): void {
  for (let i = 0; i < rounds; i++) {
    const points = Array.from({ length: 30 }, () =>
      point(random.between(0, 90) * (HOUR_US / 30), i, random.pick(['d', 'e'])),
    )
    write(bench, points)
  }
}

/** Makes every write to disk from the `from`-th on fail until it is undone. */
function breakDisk(engine: Engine, from: number): () => void {
  let writes = 0
  const failing = <T extends unknown[]>(original: (...given: T) => Promise<void>) =>
    function (this: unknown, ...given: T): Promise<void> {
      return ++writes >= from ? Promise.reject(FULL) : original.apply(this, given)
    }
  const { commit } = PartitionFile.prototype
  const { begin, finish } = engine.meta
  PartitionFile.prototype.commit = failing(commit)
  engine.meta.begin = failing(begin)
  engine.meta.finish = failing(finish)
  return () => {
    PartitionFile.prototype.commit = commit
    engine.meta.begin = begin
    engine.meta.finish = finish
  }
}

for (let failing = 1; failing <= WRITES + 1; failing++) {
  test(`a flush whose write ${failing} fails loses nothing and goes on later`, async t => {
    const bench = newBench(t)
    const { engine } = bench
    const random = new Random(failing)
    fill(bench, random, 5)
    await engine.loop.all()
    fill(bench, random, 5)
    const expected = await rows(engine)
    const mend = breakDisk(engine, failing)
    t.after(mend)
    const flushed = engine.loop.all()
    if (failing <= WRITES) {
      await assert.rejects(flushed, { kind: 'retryable', code: 'disk_full' })
      assert.equal(engine.stats().failure, FULL.message)
      assert.deepEqual(engine.positions(), [{ partition: 0, offset: 5 }])
    } else await flushed
    assert.deepEqual(await rows(engine), expected)
    mend()
    write(bench, [point(1, 77)])
    await engine.loop.all()
    const { stored, duplicate, unsettled, failure } = engine.stats()
    const distinct = Object.values(await rows(engine)).reduce((n, all) => n + all.length / 2, 0)
    assert.deepEqual([stored, duplicate, unsettled], [distinct, 301 - distinct, 0])
    assert.equal(failure, undefined)
    assert.deepEqual(engine.positions(), [{ partition: 0, offset: 11 }])
  })

  test(`a process that dies at write ${failing} of a flush counts nothing twice`, async t => {
    const bench = newBench(t)
    const random = new Random(failing)
    fill(bench, random, 5)
    await bench.engine.loop.all()
    fill(bench, random, 5)
    const expected = await rows(bench.engine)
    const mend = breakDisk(bench.engine, failing)
    t.after(mend)
    await bench.engine.loop.all().catch(() => undefined)
    await bench.engine.close()
    mend()
    bench.engine = open(bench.directory, () => bench.commits++)
    const { engine, log } = bench
    for (const { frame, position } of log.from(engine.positions())) engine.take(frame, position)
    assert.deepEqual(await rows(engine), expected)
    const early = engine.stats()
    assert.equal(early.stored + early.duplicate + early.unsettled, 300)
    await engine.loop.all()
    assert.deepEqual(await rows(engine), expected)
    const distinct = Object.values(expected).reduce((n, all) => n + all.length / 2, 0)
    const { stored, duplicate, unsettled } = engine.stats()
    assert.deepEqual([stored, duplicate, unsettled], [distinct, 300 - distinct, 0])
  })
}

test('points are flushed when they have waited long enough', async t => {
  const bench = newBench(t)
  const { engine } = bench
  engine.tick(1_000_000)
  write(bench, [point(1, 1)])
  engine.tick(1_059_999)
  await engine.loop.idle()
  assert.equal(bench.commits, 0)
  engine.tick(1_060_000)
  await engine.loop.idle()
  assert.equal(bench.commits, 1)
  engine.tick(2_000_000)
  await engine.loop.idle()
  assert.equal(bench.commits, 1, 'nothing came since')
})

test('a frame that cannot be stored is refused, and the log goes on behind it', async t => {
  const bench = newBench(t)
  const { engine, log } = bench
  const broken = log.append(batchOf('t', [point(1, 1)]))
  broken.frame[broken.frame.length - 1] ^= 1
  const isRejected = { kind: 'rejected' }
  assert.throws(() => engine.take(broken.frame, broken.position), isRejected)
  for (const [time, value] of [
    [-1, 1],
    [1.5, 1],
    [NaN, 1],
    [2 ** 54, 1],
    [1, Infinity],
    [1, NaN],
  ]) {
    const { frame, position } = log.append(batchOf('t', [point(5, 5), point(time, value)]))
    assert.throws(() => engine.take(frame, position), isRejected)
  }
  write(bench, [point(2, 2)])
  await engine.loop.all()
  assert.deepEqual(await rows(engine), { d: [2, 2] })
  assert.deepEqual(engine.positions(), [{ partition: 0, offset: 8 }])
})

test('what could not be stored is counted once, over restarts and replays', async t => {
  const bench = newBench(t)
  const { log } = bench
  const refuse = (count: number) => {
    const points = Array.from({ length: count }, (_, i) => point(i, i))
    const entry = log.append(batchOf('t', points))
    entry.frame[entry.frame.length - 1] ^= 1
    return entry
  }
  const reopen = async () => {
    await bench.engine.close()
    bench.engine = open(bench.directory, () => bench.commits++)
    for (const { frame, position } of log.from(bench.engine.positions())) {
      try {
        bench.engine.take(frame, position)
      } catch (error) {
        assert.equal((error as WeirError).kind, 'rejected')
      }
    }
    return bench.engine.stats().deadLettered
  }
  refuse(3)
  assert.equal(await reopen(), 3, 'replayed')
  await bench.engine.loop.all()
  assert.equal(await reopen(), 3, 'remembered')
  refuse(4)
  write(bench, [point(2, 2)])
  assert.equal(await reopen(), 7)
  await bench.engine.loop.all()
  assert.equal(await reopen(), 7)
})

test('blocks of a series never overlap and become well filled, however small the flushes', async t => {
  const bench = newBench(t)
  const { engine } = bench
  const random = new Random(5)
  for (let i = 0; i < 300; i++) {
    write(bench, [point(1000 * i, i), point(1000 * i + 7, i)])
    if (random.chance(0.1)) write(bench, [point(random.between(0, 1000 * i + 1), -1)])
    await engine.loop.all()
  }
  const [partition] = engine.partitions.all()
  const file = engine.partitions.file(partition)
  const { readBlockHeader } = await import('./codec/block.ts')
  const headers = [...file.forward(0, 0, 2 ** 53)].map(({ block }) => readBlockHeader(block))
  let last = -1
  for (const { firstTime, lastTime } of headers) {
    assert.ok(firstTime > last)
    last = lastTime
  }
  const points = headers.reduce((sum, { count }) => sum + count, 0)
  assert.equal(points, engine.stats().stored)
  assert.ok(headers.length < points / 7, `${headers.length} blocks for ${points} points`)
})
