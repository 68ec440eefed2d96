import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { fakeClock } from '../fixtures/fake-clock.ts'
import { memoryAnomalies } from '../fixtures/memory-anomalies.ts'
import { seededRandom, type SeededRandom } from '../fixtures/seeded-random.ts'
import { until } from '../fixtures/until.ts'
import { EmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import type { Anomaly } from '../../src/model/anomaly.ts'
import type { Batch } from '../../src/model/batch.ts'
import { encodeFrame } from '../../src/model/frame.ts'
import { SeriesTable } from '../../src/model/series-table.ts'
import { Analytics, ANALYTICS_GROUP } from '../../src/process/analytics.ts'
import { AnomalyJournal } from '../../src/process/anomaly-journal.ts'
import { RollingDeviation } from '../../src/process/detectors/rolling-deviation.ts'

const ROLLING = {
  ...{ window: 12, warmup: 6, zScore: 4, deviationPct: 0, minDeviationPct: 1, maxPerWindow: 5 },
  metrics: [],
}

interface NodeOptions {
  readonly maxSeries?: number
  readonly window?: number
  readonly snapshotBytes?: number
  readonly anomalies?: ReturnType<typeof memoryAnomalies>
}

/** Log and analytics over a folder, as a node composes them. */
async function openNode(folder: string, options: NodeOptions = {}) {
  const { maxSeries = 1000, window = 12, snapshotBytes = 1e9 } = options
  const log = await EmbeddedLog.open({ directory: join(folder, 'log'), segmentBytes: 1 << 14 })
  const anomalies = options.anomalies ?? memoryAnomalies()
  const clock = fakeClock(Date.parse('2026-11-20T10:00:00Z'))
  const warnings: string[] = []
  let killed = false
  const announced: Anomaly[] = []
  const journal = new AnomalyJournal({
    ...{ clock, maxPerSecond: 1e6, maxPerTenant: 1e6, retentionMs: 1e12 },
    anomalies: {
      ...anomalies,
      save: list => (killed ? Promise.resolve() : anomalies.save(list)),
      sync: () => (killed ? Promise.resolve() : anomalies.sync()),
    },
    onError: error => warnings.push(String(error)),
  })
  const analytics = new Analytics({
    ...{ log, clock, journal, maxSeries, snapshotBytes, table: new SeriesTable() },
    detectors: [new RollingDeviation({ ...ROLLING, window })],
    statePath: join(folder, 'analytics.state'),
    snapshotIntervalMs: 30_000,
    onAnomaly: anomaly => announced.push(anomaly),
    onWarning: (error, message) => warnings.push(`${message}: ${String(error)}`),
  })
  await analytics.start()
  await analytics.catchUp()
  const append = (...batches: Batch[]) =>
    log.append(batches.map(batch => ({ batch, frame: encodeFrame(batch) })))
  const found = async (): Promise<Anomaly[]> => {
    await analytics.settle()
    const range = { start: 0, end: Number.MAX_SAFE_INTEGER }
    return anomalies.find({ tenant: 'default', range, limit: 1e6 })
  }
  const close = async (): Promise<void> => {
    await analytics.close()
    await log.close()
  }
  /** What it does from now on is not seen by anybody. */
  const kill = async (): Promise<void> => {
    killed = true
    await close()
  }
  return { kill, log, analytics, anomalies, clock, warnings, announced, append, found, close }
}

type Node = Awaited<ReturnType<typeof openNode>>

function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-analytics-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Batches of some devices whose values are steady but for a spike now and then. */
function batchesOf(random: SeededRandom, count: number, devices = 20): Batch[] {
  let time = 1e15
  return Array.from({ length: count }, () => {
    const points = random.int(1, 60)
    const seriesIndex = Uint32Array.from({ length: points }, () => random.int(0, devices - 1))
    const late = random.int(0, 9) === 0 ? 5e6 : 0
    return {
      tenant: 'default',
      devices: Array.from({ length: devices }, (_, d) => `d${d}`),
      metrics: ['m'],
      seriesDevice: Uint32Array.from({ length: devices }, (_, d) => d),
      seriesMetric: new Uint32Array(devices),
      seriesIndex,
      timestamps: Float64Array.from({ length: points }, () => (time += 1e5) - late),
      values: Float64Array.from({ length: points }, () =>
        random.int(0, 40) === 0 ? 100 * random.next() : 20 + random.next(),
      ),
    }
  })
}

const oneSeries = (values: readonly number[], from = 0): Batch => ({
  ...{ tenant: 'default', devices: ['d'], metrics: ['m'] },
  ...{ seriesDevice: new Uint32Array(1), seriesMetric: new Uint32Array(1) },
  seriesIndex: new Uint32Array(values.length),
  timestamps: Float64Array.from(values, (_, i) => 1e15 + (from + i) * 1e6),
  values: Float64Array.from(values),
})

const steady = Array.from({ length: 30 }, (_, i) => 20 + (i % 2))

test('what is acknowledged before a read is judged and saved', async context => {
  const node = await openNode(folderOf(context))
  await node.append(oneSeries([...steady, 30]))
  const [anomaly, ...others] = await node.found()
  assert.deepEqual(others, [])
  const { score, ...rest } = anomaly
  assert.ok(score > 10)
  assert.deepEqual(rest, {
    ...{ tenant: 'default', device: 'd', metric: 'm', timeUs: 1e15 + 30e6 },
    ...{ detector: 'rolling-deviation', severity: 'critical', value: 30, average: 20.5 },
    deviationPct: (9.5 / 20.5) * 100,
  })
  assert.deepEqual(node.announced, [anomaly])
  await node.append(oneSeries([...steady, 30]))
  assert.equal((await node.found()).length, 1)
  assert.equal(node.announced.length, 1)
  const { points, late, repeated, series } = node.analytics.counts()
  assert.deepEqual(
    { points, late, repeated, series },
    { points: 62, late: 30, repeated: 1, series: 1 },
  )
  await node.close()
})

test('killed at any moment, it finds what an uninterrupted run finds', async context => {
  const random = seededRandom(context)
  for (const maxSeries of [1000, 7]) {
    const batches = batchesOf(random, 120)
    const whole = await openNode(folderOf(context), { maxSeries })
    for (const batch of batches) await whole.append(batch)
    const expected = await whole.found()
    assert.ok(expected.length > 10, `only ${expected.length} anomalies: this tests nothing`)
    await whole.close()

    const anomalies = memoryAnomalies()
    let folder = folderOf(context)
    let node = await openNode(folder, { anomalies, maxSeries })
    for (const batch of batches) {
      await node.append(batch)
      if (random.int(0, 3) === 0) await snapshot(node)
      if (random.int(0, 5) > 0) continue
      // The folder as a kill leaves it; the node that is left behind writes to the old one.
      const copy = folderOf(context)
      cpSync(folder, copy, { recursive: true })
      await node.kill()
      folder = copy
      node = await openNode(folder, { anomalies, maxSeries })
      assert.deepEqual(node.warnings, [])
    }
    assert.deepEqual(await node.found(), expected)
    await node.close()
  }
})

/** What the tick does, and its end. */
async function snapshot(node: Node): Promise<void> {
  await node.analytics.settle()
  node.clock.advance(30_000)
  await node.analytics.settle()
}

test('the log is kept for it until its state is on disk, and released then', async context => {
  const folder = folderOf(context)
  const node = await openNode(folder)
  const random = seededRandom(context)
  for (const batch of batchesOf(random, 200)) await node.append(batch)
  await node.analytics.settle()
  assert.equal(node.log.status().partitions[0].first, 0)
  await snapshot(node)
  await until('the log is trimmed', () => node.log.status().partitions[0].first > 0)
  await node.close()
  const again = await openNode(folder)
  assert.equal(again.analytics.counts().points, 0)
  assert.equal(again.analytics.counts().series, 20)
  await again.close()
})

test('a state of other settings is left behind, and the rest of the log is judged anew', async context => {
  const folder = folderOf(context)
  const node = await openNode(folder)
  await node.append(oneSeries(steady))
  await node.close()
  const other = await openNode(folder, { window: 13 })
  assert.deepEqual(other.warnings, [])
  await other.append(oneSeries([...steady, 30], 100))
  assert.equal((await other.found()).length, 1)
  await other.close()
})

test('a damaged state is told, and the analytics begin without a past', async context => {
  const folder = folderOf(context)
  const node = await openNode(folder)
  await node.append(oneSeries(steady))
  await node.close()
  writeFileSync(join(folder, 'analytics.state'), 'WEIRREC2 and no more')
  const other = await openNode(folder)
  assert.match(other.warnings.join(), /damaged/)
  await other.append(oneSeries([...steady, 30], 100))
  assert.equal((await other.found()).length, 1)
  await other.close()
})

test('while nothing can be saved, points are taken and the log is not held for ever', async context => {
  const folder = folderOf(context)
  const node = await openNode(folder, { snapshotBytes: 20_000 })
  node.anomalies.failure = new Error('the disk is full')
  const random = seededRandom(context)
  const batches = batchesOf(random, 300)
  for (const batch of batches) {
    await node.append(batch)
    await node.analytics.settle().catch(() => {})
    node.clock.advance(30_000)
  }
  await until('the log is released', () => node.log.status().partitions[0].first > 0)
  assert.equal(node.log.status().failure, undefined)
  assert.match(node.warnings.join('\n'), /could not be kept/)
  node.anomalies.failure = undefined
  assert.ok((await node.found()).length > 10)
  await node.close()
})

test('what one slice cannot do is done in later ones, without anybody asking', async context => {
  const node = await openNode(folderOf(context))
  const random = seededRandom(context)
  const batches = batchesOf(random, 2000)
  let points = 0
  for (const batch of batches) points += batch.timestamps.length
  await node.append(...batches.slice(0, 1000))
  await node.append(...batches.slice(1000))
  await until('all were looked at', () => node.analytics.counts().points === points)
  assert.equal(node.analytics.pendingPoints, 0)
  await node.close()
})

test('it has a group of its own on the log, from before the writer has one', async context => {
  const node = await openNode(folderOf(context))
  const second = node.log.subscribe({ group: ANALYTICS_GROUP, from: [], deliver: () => {} })
  await assert.rejects(second, { kind: 'conflict' })
  await node.close()
})
