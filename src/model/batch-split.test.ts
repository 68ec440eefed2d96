import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Batch, EncodedBatch } from './batch.ts'
import { BatchSplitter, partitionOf } from './batch-split.ts'
import { decodeFrame, encodeFrame } from './frame.ts'

interface Point {
  readonly device: number
  readonly metric: number
  readonly text?: string | undefined
}

/** A batch of these points, whose values number them from `first` on. */
function batchOf(points: readonly Point[], { tenant = 'default', first = 0 } = {}): EncodedBatch {
  const keys = [...new Set(points.map(({ device, metric }) => `${device}/${metric}`))]
  const devices = [...new Set(points.map(({ device }) => device))]
  const metrics = [...new Set(points.map(({ metric }) => metric))]
  const batch: Batch = {
    tenant,
    devices: devices.map(device => `device-${device}`),
    metrics: metrics.map(metric => `metric-${metric}`),
    seriesDevice: Uint32Array.from(keys, key => devices.indexOf(Number(key.split('/')[0]))),
    seriesMetric: Uint32Array.from(keys, key => metrics.indexOf(Number(key.split('/')[1]))),
    seriesIndex: Uint32Array.from(points, ({ device, metric }) =>
      keys.indexOf(`${device}/${metric}`),
    ),
    timestamps: Float64Array.from(points, (_, i) => 1.7e15 + i),
    values: Float64Array.from(points, (_, i) => first + i),
    ...(points.some(({ text }) => text !== undefined) ? { texts: points.map(p => p.text) } : {}),
  }
  return { batch, frame: encodeFrame(batch) }
}

/** What a batch says of each of its points, by device, in order. */
function byDevice(entries: readonly EncodedBatch[]): Map<string, unknown[]> {
  const all = new Map<string, unknown[]>()
  for (const { batch } of entries) {
    for (let i = 0; i < batch.timestamps.length; i++) {
      const series = batch.seriesIndex[i]
      const device = batch.devices[batch.seriesDevice[series]]
      const name = `${batch.tenant}/${device}`
      const metric = batch.metrics[batch.seriesMetric[series]]
      const rows = all.get(name) ?? []
      rows.push([metric, batch.timestamps[i], batch.values[i], batch.texts?.[i]])
      all.set(name, rows)
    }
  }
  return all
}

const someEntries = fc.array(
  fc.record({
    tenant: fc.constantFrom('default', 'acme'),
    points: fc.array(
      fc.record({
        device: fc.nat(9),
        metric: fc.nat(3),
        text: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined, freq: 5 }),
      }),
      { maxLength: 60 },
    ),
  }),
  { maxLength: 4 },
)

test('the place of a device is what the format says, in every process and version', () => {
  const of = (tenant: string, device: string): number[] =>
    [4, 8, 12].map(count => partitionOf(tenant, device, count))
  assert.deepEqual(of('default', 'pump-1'), [3, 3, 3])
  assert.deepEqual(of('default', 'pump-2'), [1, 1, 1])
  assert.deepEqual(of('acme', 'pump-1'), [2, 6, 2])
  assert.deepEqual(of('default', 'Kälte 2'), [3, 3, 7])
})

test('every point comes out once, in the order of its device, at the place of its device', () => {
  fc.assert(
    fc.property(
      someEntries,
      fc.integer({ min: 1, max: 5 }),
      fc.option(fc.integer({ min: 200, max: 900 }), { nil: undefined }),
      (sent, partitions, maxFrameBytes) => {
        const entries = sent.map(({ tenant, points }, i) =>
          batchOf(points, { tenant, first: 1000 * i }),
        )
        const bound = maxFrameBytes === undefined ? {} : { maxFrameBytes }
        const splitter = new BatchSplitter({ partitions, ...bound })
        const parts = splitter.split(entries)
        assert.equal(new Set(parts.map(part => part.partition)).size, parts.length)
        for (const part of parts) {
          for (const { batch, frame } of part.entries) {
            const { texts, ...columns } = decodeFrame(frame)
            assert.deepEqual({ ...columns, texts }, { texts: undefined, ...batch })
            for (const device of batch.devices) {
              assert.equal(partitionOf(batch.tenant, device, partitions), part.partition)
            }
            assert.ok(batch.timestamps.length <= 1 || frame.length <= (maxFrameBytes ?? Infinity))
          }
        }
        assert.deepEqual(byDevice(parts.flatMap(part => part.entries)), byDevice(entries))
        // What the splitter remembers of names changes nothing.
        assert.deepEqual(splitter.split(entries), parts)
      },
    ),
  )
})

test('a batch of one partition keeps its frame', () => {
  const entry = batchOf([{ device: 1, metric: 0 }])
  const [part, ...others] = new BatchSplitter({ partitions: 8 }).split([entry])
  assert.equal(others.length, 0)
  assert.equal(part.entries[0], entry)
  const many = batchOf(Array.from({ length: 20 }, (_, device) => ({ device, metric: 0 })))
  assert.equal(new BatchSplitter({ partitions: 1 }).split([many])[0].entries[0], many)
})

test('names that come again under another tenant go where that tenant has them', () => {
  const { batch } = batchOf(Array.from({ length: 20 }, (_, device) => ({ device, metric: 0 })))
  const splitter = new BatchSplitter({ partitions: 4 })
  for (const tenant of ['default', 'acme', 'default']) {
    const own = { ...batch, tenant }
    for (const { partition, entries } of splitter.split([
      { batch: own, frame: encodeFrame(own) },
    ])) {
      for (const device of entries[0].batch.devices) {
        assert.equal(partitionOf(tenant, device, 4), partition)
      }
    }
  }
})
