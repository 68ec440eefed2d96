import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Batch } from '../model/batch.ts'
import { SeriesTable } from '../model/series-table.ts'
import { BatchBuilder } from './batch-builder.ts'
import { decodeFleetRecord } from './dialects/fleet.ts'
import { decodeTelemetry } from './dialects/native.ts'
import { MessageScanner } from './message-scanner.ts'
import { PointSink, type BodyScanner } from './point-sink.ts'
import { SeriesMarks } from './series-marks.ts'

const NOW_MS = Date.UTC(2026, 10, 20)
const limits = {
  maxPointsPerRequest: 50,
  maxDepth: 4,
  maxTextBytes: 100,
  maxFutureMs: 86_400_000,
  maxSeries: 1000,
  maxPendingBytes: 1e9,
}

const noScanner: BodyScanner = { scanMessages: () => false, scanRecord: () => false }

/** Decodes bodies one after the other, as one process would, and says what came of each. */
function decoder(scanner?: BodyScanner) {
  const table = new SeriesTable()
  let plain = 0
  const real = new MessageScanner(table)
  const counting: BodyScanner = {
    scanMessages: (body, sink) => real.scanMessages(body, sink) && ++plain > 0,
    scanRecord: (body, sink, target) => real.scanRecord(body, sink, target) && ++plain > 0,
  }
  const devices = { admits: () => true, admitsNew: () => true }
  const sink = new PointSink({ table, limits, devices, scanner: scanner ?? counting })
  const builder = new BatchBuilder('t', table, new SeriesMarks())
  const run = (decode: (sink: PointSink) => void): unknown => {
    sink.begin(builder, { nowMs: NOW_MS })
    try {
      decode(sink)
    } catch (error) {
      sink.restart()
      return { error: (error as Error).constructor.name }
    }
    const { accepted, rejections } = sink
    return { accepted, rejections, points: pointsOf(builder.seal()) }
  }
  return { run, plain: () => plain }
}

function pointsOf(batch: Batch): unknown[] {
  return Array.from(batch.timestamps, (time, i) => {
    const series = batch.seriesIndex[i]
    const device = batch.devices[batch.seriesDevice[series]]
    const metric = batch.metrics[batch.seriesMetric[series]]
    return [device, metric, time, batch.values[i], batch.texts?.[i]]
  })
}

const name = fc.constantFrom('a', 'b', 'temperature', 'x"y', 'é', 'timestamp2', 'data')
const number = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, 0.1, 1e300, 123456.789, 9007199254740993, 1e15, 0.000001),
)
const value = fc.oneof(
  { weight: 12, arbitrary: number },
  { weight: 2, arbitrary: fc.boolean() },
  fc.constantFrom('on', 'é', null, [1], { nested: 1 }, { nested: { deep: true } }, {}),
)
const time = fc.oneof(
  fc.integer({ min: 0, max: NOW_MS }).map(ms => new Date(ms).toISOString()),
  fc.integer({ min: 0, max: NOW_MS * 2 }),
  fc.constantFrom(undefined, null, -1, 'yesterday', '2026-02-30T00:00:00.000Z', true, 1.5),
  fc.constantFrom('2026-11-19T10:00:00Z', '2026-11-19T10:00:00.123+01:00', 1763683200123456789),
)
const data = fc.dictionary(name, value, { maxKeys: 5 })
const device = fc.constantFrom('pump', 'valve-1', 'Device A', 'é', 'a/b', 5)
const message = fc.record({ device_id: device, timestamp: time, data }).map(m => {
  const { timestamp, ...rest } = m
  return timestamp === undefined ? rest : { ...rest, timestamp }
})
const spoil = fc.tuple(fc.constantFrom('', ',', '}', ' ', '01', 'NaN', '\n', '1e5'), fc.nat())

const bodies = fc.array(
  fc.record({
    json: fc.oneof(message, fc.array(message, { maxLength: 4 })),
    indent: fc.constantFrom(0, 0, 0, 1),
    spoil,
    repeat: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 1, maxLength: 12 },
)

interface Body {
  json: unknown
  indent: number
  spoil: [string, number]
}

function textOf({ json, indent, spoil: [insert, at] }: Body): string {
  const text = JSON.stringify(json, undefined, indent)
  if (insert === '') return text
  const place = at % (text.length + 1)
  return text.slice(0, place) + insert + text.slice(place)
}

test('the scanner and JSON.parse make the same of every body', () => {
  fc.assert(
    fc.property(bodies, list => {
      const fast = decoder()
      const slow = decoder(noScanner)
      for (const item of list) {
        const body = Buffer.from(textOf(item))
        for (let i = 0; i < item.repeat; i++) {
          const decode = (sink: PointSink): void => decodeTelemetry(body, sink)
          assert.deepEqual(fast.run(decode), slow.run(decode), body.toString())
        }
      }
    }),
    { numRuns: 1500 },
  )
})

test('the scanner and JSON.parse make the same of every flat record, whatever its time field', () => {
  const record = fc.record({
    data: fc.dictionary(fc.constantFrom('a', 'b', 'device_time', 'timestamp'), value),
    time,
    dialect: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), records => {
      const fast = decoder()
      const slow = decoder(noScanner)
      for (const { data: fields, time: at } of records) {
        const body = Buffer.from(JSON.stringify({ ...fields, device_time: at }))
        const decode = (sink: PointSink): void => decodeFleetRecord(body, 'pump', sink)
        assert.deepEqual(fast.run(decode), slow.run(decode), body.toString())
      }
    }),
    { numRuns: 1000 },
  )
})

test('plain messages of known devices take the fast way, in every layout', () => {
  const { run, plain } = decoder()
  const body = (seconds: number, indent: number): Buffer => {
    const at = new Date(NOW_MS - seconds * 1000).toISOString()
    const one = { device_id: 'pump', timestamp: at, data: { a: seconds / 7, on: true, n: -0 } }
    return Buffer.from(JSON.stringify([one, { ...one, device_id: 'valve' }], undefined, indent))
  }
  run(sink => decodeTelemetry(body(0, 0), sink))
  assert.equal(plain(), 0, 'new devices are made by the general way')
  for (let i = 1; i < 20; i++) run(sink => decodeTelemetry(body(i / 4, i % 3), sink))
  assert.equal(plain(), 19)
})
