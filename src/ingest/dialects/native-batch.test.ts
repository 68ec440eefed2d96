import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ARRIVAL_MS,
  decoded,
  type Decoded,
  type DecodedOptions,
} from '../../../test/fixtures/decoded.ts'
import { decodeTelemetryBatch } from './native-batch.ts'

const raw = (text: string, options?: DecodedOptions): Promise<Decoded> =>
  decoded(sink => decodeTelemetryBatch(Buffer.from(text), sink), options)
const batch = (body: object, options?: DecodedOptions): Promise<Decoded> =>
  raw(JSON.stringify(body), options)

test('rows become points, each with its own time or that of the arrival', async () => {
  const { points, rejected } = await batch({
    device_id: 'd',
    data: [
      { timestamp: 1, a: 1, b: 'x' },
      { timestamp: '1970-01-01T00:00:02Z', a: true },
      { a: 3 },
    ],
  })
  assert.deepEqual(rejected, [])
  assert.deepEqual(points, [
    ['d', 'a', 1e6, 1],
    ['d', 'b', 1e6, 'x'],
    ['d', 'a', 2e6, 1],
    ['d', 'a', ARRIVAL_MS * 1000, 3],
  ])
})

test('columns become points', async () => {
  const { points, rejected } = await batch({
    device_id: 'd',
    timestamps: [1, '1970-01-01T00:00:02Z', 3],
    metrics: { a: [1, 2, 3], b: [true, 'x', -0.5] },
  })
  assert.deepEqual(rejected, [])
  assert.deepEqual(points, [
    ['d', 'a', 1e6, 1],
    ['d', 'a', 2e6, 2],
    ['d', 'a', 3e6, 3],
    ['d', 'b', 1e6, 1],
    ['d', 'b', 2e6, 'x'],
    ['d', 'b', 3e6, -0.5],
  ])
})

test('bad rows and bad cells are refused by their place, and the rest is kept', async () => {
  const rows = await batch({
    device_id: 'd',
    data: [
      { timestamp: 1, a: 1, b: null },
      5,
      { timestamp: 'x', a: 2 },
      { timestamp: 4 },
      { a: 5 },
    ],
  })
  assert.equal(rows.points.length, 2)
  assert.deepEqual(
    rows.rejected.map(line => line.split(':')[0]),
    ['0 b', '1 ', '2 timestamp', '3 '],
  )
  const columns = await raw(
    '{"device_id":"d","timestamps":[1,null,3,-4],"metrics":{"a":[1,2,1e999,4],"b":["x",2,3,4]}}',
  )
  assert.deepEqual(
    columns.points.map(([, metric, us, value]) => [metric, us, value]),
    [
      ['a', 1e6, 1],
      ['b', 1e6, 'x'],
      ['b', 3e6, 3],
    ],
  )
  assert.ok(columns.rejected.some(line => line.startsWith('1 timestamps: is not')))
  assert.ok(columns.rejected.some(line => line.startsWith('3 timestamps: is not')))
  assert.ok(columns.rejected.some(line => line.startsWith('2 metrics.a: ')))
})

test('a column of another length than the times is refused as a whole', async () => {
  const { points, rejected, rejections } = await batch({
    device_id: 'd',
    timestamps: [1, 2],
    metrics: { a: [1], b: [1, 2], c: 5 },
  })
  assert.equal(points.length, 2)
  assert.deepEqual(rejected, [
    '0 metrics.a: has 1 values for 2 timestamps',
    '0 metrics.c: must be an array of values',
  ])
  assert.deepEqual(
    rejections.map(one => one.points),
    [2, 2],
  )
})

test('what is neither form says what is missing', async () => {
  const cases: [string, RegExp][] = [
    ['[]', /^0 : must be an object/],
    ['{}', /^0 device_id: is missing/],
    ['{"device_id":"d"}', /^0 data: must be an array/],
    ['{"device_id":"d","data":{}}', /^0 data: must be an array/],
    ['{"device_id":"d","data":[]}', /^0 data: the array is empty/],
    ['{"device_id":"d","timestamps":[1]}', /^0 metrics: must be an object/],
    ['{"device_id":"d","metrics":{"a":[1]}}', /^0 timestamps: must be an array/],
    ['{"device_id":"d","timestamps":[1],"metrics":{}}', /metrics: has no metrics/],
    ['{"device_id":"d","timestamps":[],"metrics":{"a":[]}}', /timestamps: the array is empty/],
    ['{"device_id":"d/e","data":[{"a":1}]}', /^0 device_id: must not contain/],
  ]
  for (const [text, reason] of cases) {
    const { points, rejected } = await raw(text)
    assert.deepEqual(points, [], text)
    assert.match(rejected.join('; '), reason, text)
  }
})

test('unknown fields are reported, and large integers are exact in both forms', async () => {
  const { points, rejected } = await raw(
    '{"device_id":"d","unit":"C","timestamps":[1,2],"metrics":{"a":[9007199254740993,9007199254740994]}}',
  )
  assert.deepEqual(points, [['d', 'a', 2e6, 9007199254740994]])
  assert.equal(rejected.length, 2)
  assert.match(rejected[0], /^0 unit: is not a field/)
  assert.match(rejected[1], /^0 metrics\.a: 9007199254740993 has no exact float64/)
})

test('points beyond the limit of a request are refused by row', async () => {
  const n = 20
  const { points, rejected } = await batch(
    {
      device_id: 'd',
      timestamps: Array.from({ length: n }, (_, i) => i),
      metrics: { a: Array.from({ length: n }, (_, i) => i) },
    },
    { limits: { maxPointsPerRequest: 15 } },
  )
  assert.equal(points.length, 15)
  assert.equal(rejected.length, 5)
  assert.match(rejected[0], /^15 metrics\.a: .*ingest\.maxPointsPerRequest/)
})

test('rows and columns of the same data come to the same points', async () => {
  const cell = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.string(),
  )
  const table = fc.array(fc.record({ timestamp: fc.nat(1_700_000_000), a: cell, b: cell }), {
    minLength: 1,
    maxLength: 20,
  })
  await fc.assert(
    fc.asyncProperty(table, async data => {
      const rows = await batch({ device_id: 'd', data })
      const columns = await batch({
        device_id: 'd',
        timestamps: data.map(row => row.timestamp),
        metrics: { a: data.map(row => row.a), b: data.map(row => row.b) },
      })
      const key = (point: unknown[]): string => JSON.stringify(point)
      assert.deepEqual(columns.points.map(key).sort(), rows.points.map(key).sort())
      assert.deepEqual([rows.rejected, columns.rejected], [[], []])
    }),
    { numRuns: 100 },
  )
})
