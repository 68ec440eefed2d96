import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeFrame } from '../../src/model/frame.ts'
import {
  columnarBatches,
  frames,
  jsonBatches,
  lineBatches,
  singleMessages,
} from './ingest-requests.ts'
import { mixtureFrames } from './mixture.ts'
import { bucketsPath, fleetQuery, rawPath } from './read-requests.ts'
import type { RequestSource } from './request.ts'

const START_MS = 1_700_000_000_000
const SHARE = { firstDevice: 20, devices: 10, startMs: START_MS }

interface Request {
  line: string
  body: Buffer
}

function next(source: RequestSource): Request {
  const bytes = source.next()
  assert.ok(bytes !== undefined)
  const end = bytes.indexOf('\r\n\r\n')
  const head = bytes.toString('latin1', 0, end)
  const body = Buffer.from(bytes.subarray(end + 4))
  assert.equal(Number(/^Content-Length: (\d+)$/m.exec(head)?.[1]), body.length)
  return { line: head.split('\r\n')[0], body }
}

interface Message {
  device_id: string
  timestamp: number
  data: Record<string, number>
}

/** Every point of the requests by its key; throws when a key comes twice. */
function distinct(
  points: readonly [device: string, metric: string, timeMs: number, value: number][],
): void {
  const keys = new Set(points.map(([device, metric, time]) => `${device} ${metric} ${time}`))
  assert.equal(keys.size, points.length)
  for (const [, , time, value] of points) {
    assert.ok(
      Number.isInteger(time) && time >= START_MS && time < START_MS + 3_600_000,
      String(time),
    )
    assert.ok(value >= 10 && value < 100, String(value))
  }
}

describe('the requests of the ingest loads', () => {
  it('as JSON batches carry new points of every device in turn', () => {
    const source = jsonBatches(SHARE, 4)
    const points: [string, string, number, number][] = []
    for (let i = 0; i < 10; i++) {
      const { line, body } = next(source)
      assert.equal(line, 'POST /api/v1/telemetry HTTP/1.1')
      for (const { device_id, timestamp, data } of JSON.parse(body.toString()) as Message[]) {
        for (const [metric, value] of Object.entries(data))
          points.push([device_id, metric, timestamp, value])
      }
    }
    assert.equal(points.length, 10 * source.points)
    assert.deepEqual(new Set(points.map(([device]) => device)).size, 10)
    assert.equal(points[0][0], 'dev-00020')
    distinct(points)
    const values = points.filter(([device, metric]) => device === 'dev-00021' && metric === 'flow')
    assert.ok(new Set(values.map(([, , , value]) => value)).size > 1, 'values move')
  })

  it('as lines carry new points of every device in turn', () => {
    const source = lineBatches(SHARE, 4)
    const points: [string, string, number, number][] = []
    for (let i = 0; i < 10; i++) {
      const { line, body } = next(source)
      assert.match(line, /^POST \/api\/v2\/write\?\S+ HTTP\/1\.1$/)
      for (const text of body.toString().trimEnd().split('\n')) {
        const [, device, fields, time] =
          /^plant,device_id=([^,]+),\S+ (\S+) (\d+)000000$/.exec(text) ?? []
        for (const field of fields.split(',')) {
          const [metric, value] = field.split('=')
          points.push([device, metric, Number(time), Number(value)])
        }
      }
    }
    assert.equal(points.length, 10 * source.points)
    assert.deepEqual(new Set(points.map(([device]) => device)).size, 10)
    distinct(points)
  })

  it('as columns carry new points of one device after the other', () => {
    const source = columnarBatches(SHARE, 50)
    const points: [string, string, number, number][] = []
    for (let i = 0; i < 21; i++) {
      const { line, body } = next(source)
      assert.equal(line, 'POST /api/v1/telemetry/batch HTTP/1.1')
      const batch = JSON.parse(body.toString()) as {
        device_id: string
        timestamps: number[]
        metrics: Record<string, number[]>
      }
      for (const [metric, values] of Object.entries(batch.metrics)) {
        assert.equal(values.length, 50)
        values.forEach((value, at) =>
          points.push([batch.device_id, metric, batch.timestamps[at], value]),
        )
      }
    }
    assert.equal(points.length, 21 * source.points)
    distinct(points)
  })

  it('as frames carry new points, and their checksum is right', () => {
    const source = frames(SHARE, { group: 5, rows: 3 })
    const points: [string, string, number, number][] = []
    for (let i = 0; i < 7; i++) {
      const { line, body } = next(source)
      assert.equal(line, 'POST /api/v1/telemetry/binary HTTP/1.1')
      const batch = decodeFrame(body)
      for (let p = 0; p < batch.values.length; p++) {
        const series = batch.seriesIndex[p]
        const device = batch.devices[batch.seriesDevice[series]]
        points.push([
          device,
          batch.metrics[batch.seriesMetric[series]],
          batch.timestamps[p] / 1000,
          batch.values[p],
        ])
      }
    }
    assert.equal(points.length, 7 * source.points)
    assert.equal(new Set(points.map(([device]) => device)).size, 10)
    distinct(points)
  })

  it('as single messages go to every device in turn', () => {
    const source = singleMessages(SHARE)
    const lines = new Set<string>()
    for (let i = 0; i < 10; i++) {
      const { line, body } = next(source)
      lines.add(line)
      assert.equal(Object.keys(JSON.parse(body.toString()) as object).length, 4)
    }
    assert.equal(lines.size, 10)
    assert.ok(lines.has('POST /api/telemetry/dev-00029 HTTP/1.1'))
  })
})

describe('the mixture', () => {
  const shape = { group: 2, rows: 10, intervalMs: 1000, readings: 200 }

  it('is the same each time, complete, and ends', () => {
    const run = (): Map<string, number[]> => {
      const series = new Map<string, number[]>()
      const source = mixtureFrames({ ...SHARE, ...shape })
      for (let bytes = source.next(); bytes !== undefined; bytes = source.next()) {
        const batch = decodeFrame(Buffer.from(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)))
        for (let p = 0; p < batch.values.length; p++) {
          const s = batch.seriesIndex[p]
          const key = `${batch.devices[batch.seriesDevice[s]]} ${batch.metrics[batch.seriesMetric[s]]}`
          const values = series.get(key) ?? []
          if (values.length === 0) series.set(key, values)
          values.push(batch.values[p])
        }
      }
      return series
    }
    const series = run()
    assert.equal(series.size, 50)
    for (const values of series.values()) assert.equal(values.length, 200)
    assert.deepEqual(series, run())
    const kinds = (name: string): number[][] =>
      [...series].filter(([key]) => key.endsWith(` ${name}`)).map(([, values]) => values)
    for (const values of kinds('energy'))
      assert.deepEqual(
        values,
        values.toSorted((a, b) => a - b),
      )
    for (const values of kinds('checksum')) assert.equal(new Set(values).size, 200)
    for (const values of kinds('running'))
      assert.ok(values.every(value => value === 0 || value === 1))
    for (const values of kinds('temperature')) {
      assert.ok(values.every(value => Math.round(value * 100) / 100 === value))
      assert.ok(new Set(values).size > 5)
    }
  })
})

describe('the reads', () => {
  const range = { devices: 50, startMs: START_MS, endMs: START_MS + 86_400_000 }

  it('stay inside what is stored and ask for metrics that the device has', () => {
    for (let i = 0; i < 100; i++) {
      const raw = new URL(rawPath(range, Math.random), 'http://x')
      const [start, end] = ['start', 'end'].map(name => Date.parse(raw.searchParams.get(name)!))
      assert.ok(start >= range.startMs && end <= range.endMs)
      assert.equal(end - start, 3_600_000)
      const even = Number(raw.pathname.slice(-5)) % 2 === 0
      assert.equal(
        ['temperature', 'pressure', 'humidity', 'level', 'energy'].includes(
          raw.searchParams.get('metric')!,
        ),
        even,
      )
    }
    const buckets = new URL(bucketsPath(range, Math.random), 'http://x').searchParams
    assert.equal(Date.parse(buckets.get('start')!), range.startMs)
    assert.equal(Date.parse(buckets.get('end')!), range.endMs)
  })

  it('ask for 100 different devices at once', () => {
    const query = JSON.parse(fleetQuery({ ...range, devices: 2000 }, Math.random)) as {
      devices: string[]
    }
    assert.equal(new Set(query.devices).size, 100)
  })
})
