import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ARRIVAL_MS, testLimits } from '../../test/fixtures/decoded.ts'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { memoryLog } from '../../test/fixtures/memory-log.ts'
import { pointCount, type Batch } from '../model/batch.ts'
import { decodeFrame, encodeFrame } from '../model/frame.ts'
import type { MetricType } from '../model/product.ts'
import { SeriesTable } from '../model/series-table.ts'
import { ValueRules } from '../model/value-rules.ts'
import { OUT_OF_RANGE, REFUSED, WRONG_TYPE, type Violations } from '../model/violation.ts'
import { decodeTopicTelemetry } from './dialects/fleet.ts'
import { decodeTelemetryBatch } from './dialects/native-batch.ts'
import { decodeTelemetry, decodeTelemetryLines } from './dialects/native.ts'
import { IngestGate, type Decode, type IngestOutcome } from './gate.ts'
import { Ledger } from './ledger.ts'
import { openAccess } from '../model/access.ts'

const SENDER = openAccess('default')

const START_S = 1_763_000_000

interface Rule {
  readonly type?: MetricType
  readonly min?: number
  readonly max?: number
  readonly refuse?: boolean
}

/** Metrics by name; of every device but those whose name begins with `free`. */
const DECLARED: Readonly<Record<string, Rule>> = {
  temperature: { min: -40, max: 85, refuse: true },
  level: { type: 'integer', min: 0, max: 100 },
  running: { type: 'boolean', refuse: true },
  state: { type: 'string' },
  'gps.speed': { min: 0, refuse: true },
}

function aDoor() {
  const table = new SeriesTable()
  const places = new Map<string, number>()
  const rules = new ValueRules(table, ({ name }, metric) =>
    name.startsWith('free') ? -1 : (places.get(metric) ?? -1),
  )
  for (const [metric, declared] of Object.entries(DECLARED)) {
    const { type = 'number', min = -Infinity, max = Infinity, refuse = false } = declared
    const rule = { tenant: 'default', product: 'p', unit: '°C', type, min, max, refuse }
    places.set(metric, rules.add(rule))
  }
  const found: Violations[] = []
  const ledger = new Ledger(0)
  const log = memoryLog(({ batch }) => ledger.handOver(batch.tenant, pointCount(batch)))
  const gate = new IngestGate({
    ...{ log, table, ledger, rules, limits: testLimits },
    clock: fakeClock(ARRIVAL_MS),
    devices: { admits: () => true, admitsNew: () => true },
    onViolations: violations => found.push(violations),
  })
  return { gate, table, log, ledger, found }
}

type Door = ReturnType<typeof aDoor>
const json =
  (decode: (body: Buffer, sink: Parameters<Decode>[0]) => void, body: unknown): Decode =>
  sink =>
    decode(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), sink)

const send = ({ gate }: Door, decode: Decode): Promise<IngestOutcome> =>
  gate.ingest(SENDER, 'http', decode)

const lines = ({ rejected }: IngestOutcome): string[] =>
  rejected.map(({ index, field, detail, reason }) => `${index} ${field} ${detail} (${reason})`)

/** `metric verdict value` of each violation. */
const foundBy = ({ found, table }: Door): string[] =>
  found
    .splice(0)
    .flatMap(({ series, verdicts, values }) =>
      [...series].map((id, i) => `${table.metricOf(id)} ${verdicts[i]} ${values[i]}`),
    )

/** Known names take another way through the decoders than new ones: both must say the same. */
async function twice<T>(run: () => Promise<T>): Promise<T> {
  const first = await run()
  for (let i = 0; i < 10; i++) assert.deepEqual(await run(), first)
  return first
}

test('of a message the values that a product refuses are refused, each by name', async () => {
  const door = aDoor()
  const data = { temperature: 85.1, level: 101, running: 2, other: 1e9 }
  const message = { device_id: 'd', data }
  const outcome = await twice(async () => {
    const one = await send(door, json(decodeTelemetry, [message, message]))
    const ofOne = [
      `temperature ${OUT_OF_RANGE | REFUSED} 85.1`,
      `level ${OUT_OF_RANGE} 101`,
      `running ${WRONG_TYPE | REFUSED} 2`,
    ]
    assert.deepEqual(foundBy(door), [...ofOne, ...ofOne])
    return one
  })
  assert.equal(outcome.accepted, 4)
  assert.equal(outcome.flagged, 2)
  assert.deepEqual(
    lines(outcome),
    [0, 1].flatMap(i => [
      `${i} data.temperature must not be above 85 °C, says product "p" (out_of_range)`,
      `${i} data.running must be a boolean, says product "p" (wrong_type)`,
    ]),
  )
})

test('the edges of a range are in it, and a boolean may come as 0 or 1', async () => {
  const door = aDoor()
  const data = { temperature: -40, level: 0, running: 1, state: 'on' }
  const upper = { temperature: 85, level: 100, running: false, state: '' }
  const messages = [data, upper].map(values => ({ device_id: 'd', data: values }))
  const outcome = await twice(() => send(door, json(decodeTelemetry, messages)))
  assert.deepEqual(outcome, { accepted: 8, rejected: [] })
  assert.deepEqual(foundBy(door), [])
})

test('text for a number and true for a number are of the wrong type', async () => {
  const door = aDoor()
  const message = { device_id: 'd', data: { temperature: true, level: 'full', state: 5 } }
  const outcome = await twice(() => send(door, json(decodeTelemetry, message)))
  assert.deepEqual([outcome.accepted, outcome.flagged], [2, 2])
  assert.deepEqual(lines(outcome), [
    '0 data.temperature must be a number, says product "p" (wrong_type)',
  ])
})

test('rows, columns, lines, nested objects and topics are held against the same rules', async () => {
  const door = aDoor()
  const times = [1, 2, 3].map(second => 1_763_000_000 + second)
  const rows = times.map((timestamp, i) => ({ timestamp, temperature: 84 + i }))
  const batch = json(decodeTelemetryBatch, { device_id: 'd', data: rows })
  assert.match(lines(await twice(() => send(door, batch))).join(), /^2 temperature must not/)
  const metrics = { temperature: [84, 86, 'x'], other: [1, 2, 3] }
  const columns = json(decodeTelemetryBatch, { device_id: 'd', timestamps: times, metrics })
  const outcome = await twice(() => send(door, columns))
  assert.equal(outcome.accepted, 4)
  assert.deepEqual(
    outcome.rejected.map(({ index, field }) => `${index} ${field}`),
    ['1 metrics.temperature', '2 metrics.temperature'],
  )
  const text = ['{"temperature":99}', '{"temperature":1}'].map(
    data => `{"device_id":"d","data":${data}}`,
  )
  const ndjson = await twice(() => send(door, json(decodeTelemetryLines, text.join('\n'))))
  assert.deepEqual([ndjson.accepted, ndjson.rejected[0]?.index], [1, 0])
  const nested = { device_id: 'd', data: { gps: { speed: -1, height: -1 } } }
  assert.match(
    lines(await twice(() => send(door, json(decodeTelemetry, nested)))).join(),
    /^0 data\.gps\.speed must not be below 0/,
  )
  const topic: Decode = sink => {
    for (const i of [0, 1, 2]) {
      sink.item(i)
      const payload = JSON.stringify({ temperature: 60 + 20 * i, running: true })
      decodeTopicTelemetry(Buffer.from(payload), 'd', sink)
    }
  }
  const read = await twice(() => send(door, topic))
  assert.equal(read.accepted, 5)
  assert.match(lines(read).join(), /^2 temperature must not be above 85/)
})

test('a body that is decoded anew counts its violations once', async () => {
  const door = aDoor()
  const good = { device_id: 'd', data: { temperature: 99, level: -1 } }
  await send(door, json(decodeTelemetry, [good]))
  foundBy(door)
  // Up to the text the body is plain; then it is begun again.
  const messages = [good, { device_id: 'd', data: { state: 'é\n' } }]
  const outcome = await send(door, json(decodeTelemetry, messages))
  assert.deepEqual([outcome.accepted, outcome.flagged, outcome.rejected.length], [2, 1, 1])
  assert.equal(foundBy(door).length, 2)
})

test('violations are counted when the points are durable, and not when the log fails', async () => {
  const door = aDoor()
  door.log.before = () => Promise.reject(new Error('disk'))
  const message = json(decodeTelemetry, { device_id: 'd', data: { level: -1, temperature: 99 } })
  await assert.rejects(send(door, message))
  assert.deepEqual(foundBy(door), [])
  door.log.before = () => Promise.resolve()
  await send(door, message)
  assert.equal(foundBy(door).length, 2)
  const refused = json(decodeTelemetry, { device_id: 'd', data: { temperature: 99 } })
  assert.equal((await send(door, refused)).accepted, 0)
  assert.equal(foundBy(door).length, 1)
})

test('devices without a product, and other tenants, are not checked', async () => {
  const door = aDoor()
  const free = { device_id: 'free', data: { temperature: 1e6, running: 'no' } }
  assert.deepEqual(await twice(() => send(door, json(decodeTelemetry, free))), {
    accepted: 2,
    rejected: [],
  })
  const other = json(decodeTelemetry, { device_id: 'd', data: { temperature: 1e6 } })
  assert.equal((await door.gate.ingest(openAccess('other'), 'http', other)).accepted, 1)
  assert.deepEqual(foundBy(door), [])
})

function aFrame(points: readonly [string, string, number | string][]): Batch {
  const devices = [...new Set(points.map(([device]) => device))]
  const metrics = [...new Set(points.map(([, metric]) => metric))]
  const keys = [...new Set(points.map(([device, metric]) => `${device}\0${metric}`))]
  const split = keys.map(key => key.split('\0'))
  const hasText = points.some(([, , value]) => typeof value === 'string')
  return {
    ...{ tenant: 'default', devices, metrics },
    seriesDevice: Uint32Array.from(split, ([device]) => devices.indexOf(device)),
    seriesMetric: Uint32Array.from(split, ([, metric]) => metrics.indexOf(metric)),
    seriesIndex: Uint32Array.from(points, ([d, m]) => keys.indexOf(`${d}\0${m}`)),
    timestamps: Float64Array.from(points, (_point, i) => 1e6 * (START_S + i)),
    values: Float64Array.from(points, ([, , value]) => (typeof value === 'number' ? value : NaN)),
    ...(hasText ? { texts: points.map(([, , v]) => (typeof v === 'string' ? v : undefined)) } : {}),
  }
}

test('of a frame the refused points are taken out, with names that nothing else uses', async () => {
  const door = aDoor()
  const frame = encodeFrame(
    aFrame([
      ['a', 'temperature', 20],
      ['b', 'temperature', 90],
      ['a', 'temperature', 91],
      ['a', 'level', 101],
      ['b', 'running', 0.5],
      ['free', 'temperature', 900],
      ['a', 'state', 'on'],
    ]),
  )
  const outcome = await twice(async () => {
    door.log.entries.length = 0
    return door.gate.ingestFrame(SENDER, 'http', frame)
  })
  assert.deepEqual([outcome.accepted, outcome.flagged], [4, 1])
  assert.deepEqual(
    outcome.rejected.map(({ index, field, reason }) => `${index} ${field} ${reason}`),
    ['1 values out_of_range', '2 values out_of_range', '4 values wrong_type'],
  )
  const [{ batch, frame: stored }] = door.log.entries
  assert.deepEqual(decodeFrame(stored), batch)
  assert.deepEqual(batch.devices, ['a', 'free'])
  assert.deepEqual(batch.metrics, ['temperature', 'level', 'state'])
  assert.deepEqual([...batch.values], [20, 101, 900, NaN])
  assert.equal(door.ledger.counts().pending, 0)
})

test('a frame with nothing to refuse goes to the log byte for byte', async () => {
  const door = aDoor()
  const frame = encodeFrame(aFrame([['a', 'level', 500]]))
  const outcome = await door.gate.ingestFrame(SENDER, 'http', frame)
  assert.deepEqual(outcome, { accepted: 1, flagged: 1, rejected: [] })
  assert.equal(door.log.entries[0].frame, frame)
  const bad = encodeFrame(aFrame([['a', 'temperature', 500]]))
  assert.equal((await door.gate.ingestFrame(SENDER, 'http', bad)).accepted, 0)
  assert.equal(door.log.entries.length, 1)
})

test('whatever comes through JSON and through frames, the same is kept and the same refused', async () => {
  const value = fc.oneof(
    fc.constantFrom<number | string>(-41, -40, -1, 0, 1, 2, 85, 86, 101, 'on'),
    // JSON.stringify writes -0 as 0.
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(number => number + 0),
  )
  const point = fc.tuple(
    fc.constantFrom('a', 'b', 'free'),
    fc.constantFrom(...Object.keys(DECLARED), 'other'),
    value,
  )
  const property = fc.asyncProperty(fc.array(point, { minLength: 1, maxLength: 30 }), async all => {
    const points = all as [string, string, number | string][]
    const isRefused = ([device, metric, value]: [string, string, number | string]): boolean => {
      const rule = DECLARED[metric] as Rule | undefined
      if (device === 'free' || rule?.refuse !== true) return false
      if (rule.type === 'boolean') return value !== 0 && value !== 1
      if (typeof value === 'string') return true
      return value < (rule.min ?? -Infinity) || value > (rule.max ?? Infinity)
    }
    const refused = points.flatMap((one, i) => (isRefused(one) ? [i] : []))
    const frames = aDoor()
    const byFrame = await frames.gate.ingestFrame(SENDER, 'http', encodeFrame(aFrame(points)))
    const doors = aDoor()
    const messages = points.map(([device_id, metric, v], i) => {
      return { device_id, timestamp: START_S + i, data: { [metric]: v } }
    })
    for (let i = 0; i < 2; i++) {
      doors.found.length = 0
      const byJson = await send(doors, json(decodeTelemetry, messages))
      for (const outcome of [byFrame, byJson]) {
        assert.deepEqual(
          outcome.rejected.map(({ index }) => index),
          refused,
        )
        assert.equal(outcome.accepted, points.length - refused.length)
        assert.equal(outcome.flagged, byFrame.flagged)
      }
      const told = ({ found }: Door) =>
        found.map(({ verdicts, values, timestamps }) => ({ verdicts, values, timestamps }))
      assert.deepEqual(told(doors), told(frames))
    }
  })
  await fc.assert(property)
})
