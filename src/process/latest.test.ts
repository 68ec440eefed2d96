import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Batch } from '../model/batch.ts'
import { SeriesTable } from '../model/series-table.ts'
import { LatestTable } from './latest.ts'

type Point = readonly [device: string, metric: string, timeUs: number, value: number | string]

function batchOf(points: readonly Point[], tenant = 't'): Batch {
  const devices = [...new Set(points.map(([device]) => device))]
  const metrics = [...new Set(points.map(([, metric]) => metric))]
  const series = [...new Set(points.map(([d, m]) => `${devices.indexOf(d)} ${metrics.indexOf(m)}`))]
  const place = ([d, m]: Point): number =>
    series.indexOf(`${devices.indexOf(d)} ${metrics.indexOf(m)}`)
  return {
    tenant,
    devices,
    metrics,
    seriesDevice: Uint32Array.from(series, key => Number(key.split(' ')[0])),
    seriesMetric: Uint32Array.from(series, key => Number(key.split(' ')[1])),
    seriesIndex: Uint32Array.from(points, place),
    timestamps: Float64Array.from(points, ([, , time]) => time),
    values: Float64Array.from(points, ([, , , v]) => (typeof v === 'number' ? v : NaN)),
    texts: points.map(([, , , v]) => (typeof v === 'string' ? v : undefined)),
  }
}

const point = fc.tuple(
  fc.constantFrom('a', 'b', 'c'),
  fc.constantFrom('x', 'y'),
  fc.integer({ min: 0, max: 20 }),
  fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom('on', 'off')),
)

test('latest is the newest by device time, and of the same time the last to arrive', () => {
  fc.assert(
    fc.property(fc.array(fc.array(point, { minLength: 1, maxLength: 8 })), batches => {
      const table = new SeriesTable()
      const latest = new LatestTable(table)
      const model = new Map<string, Point>()
      for (const points of batches) {
        latest.update(batchOf(points))
        for (const entry of points) {
          const key = `${entry[0]} ${entry[1]}`
          const known = model.get(key)
          if (known === undefined || entry[2] >= known[2]) model.set(key, entry)
        }
      }
      for (const [device, metric, timeUs, value] of model.values()) {
        const entry = table.findDevice('t', device)!
        assert.deepEqual(latest.device(entry, [metric]), [{ metric, timeUs, value }])
      }
    }),
  )
})

test('what the store had is restored, and newer points win over it', () => {
  const table = new SeriesTable()
  const latest = new LatestTable(table)
  latest.update(batchOf([['a', 'x', 20, 2]]))
  latest.restore({
    tenants: ['t', 't'],
    devices: ['a', 'b'],
    metrics: ['x', 'x'],
    timestamps: Float64Array.of(10, 30),
    values: Float64Array.of(1, NaN),
    texts: [undefined, 'on'],
  })
  assert.deepEqual(latest.device(table.device('t', 'a')), [{ metric: 'x', timeUs: 20, value: 2 }])
  assert.deepEqual(latest.device(table.device('t', 'b')), [
    { metric: 'x', timeUs: 30, value: 'on' },
  ])
  assert.equal(latest.newestDevice('t')?.name, 'b')
})

test('each tenant has a newest device of its own', () => {
  const latest = new LatestTable(new SeriesTable())
  latest.update(batchOf([['a', 'x', 20, 2]], 'one'))
  latest.update(batchOf([['b', 'x', 50, 2]], 'two'))
  latest.update(batchOf([['c', 'x', 10, 2]], 'one'))
  assert.equal(latest.newestDevice('one')?.name, 'a')
  assert.equal(latest.newestDevice('two')?.name, 'b')
  assert.equal(latest.newestDevice('three'), undefined)
})
