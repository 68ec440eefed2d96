import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ARRIVAL_MS, decoded, type Decoded } from '../../../test/fixtures/decoded.ts'
import { decodeBareValue, decodeFleetRecord, decodeTopicTelemetry } from './fleet.ts'

const NOW = ARRIVAL_MS * 1000

const record = (text: string, device = 'd'): Promise<Decoded> =>
  decoded(sink => decodeFleetRecord(Buffer.from(text), device, sink))
const bare = (text: string, jsonPath?: string): Promise<Decoded> =>
  decoded(sink => {
    const target = { deviceId: 'd', metric: 'm' }
    decodeBareValue(
      Buffer.from(text),
      jsonPath === undefined ? target : { ...target, jsonPath },
      sink,
    )
  })

test('a flat record becomes points of the device in the path', async () => {
  const { points, rejected } = await record(
    '{"x_coord":1.2,"y_coord":3.4,"device_time":"2026-11-20T09:00:00Z","ok":true,"note":"a"}',
    'truck 1',
  )
  const at = Date.UTC(2026, 10, 20, 9) * 1000
  assert.deepEqual(rejected, [])
  assert.deepEqual(points, [
    ['truck 1', 'x_coord', at, 1.2],
    ['truck 1', 'y_coord', at, 3.4],
    ['truck 1', 'ok', at, 1],
    ['truck 1', 'note', at, 'a'],
  ])
})

test('a record without device_time is of its arrival, and timestamp is a metric', async () => {
  const { points } = await record('{"timestamp":5}')
  assert.deepEqual(points, [['d', 'timestamp', NOW, 5]])
})

test('a bad metric is refused by name, and the others are kept', async () => {
  const { points, rejected } = await record('{"a":1,"b":null,"c":1e999,"__proto__":4}')
  assert.deepEqual(
    points.map(([, metric]) => metric),
    ['a', '__proto__'],
  )
  assert.deepEqual(
    rejected.map(line => line.split(':')[0]),
    ['0 b', '0 c'],
  )
})

test('records with nothing to keep say why', async () => {
  const cases: [string, RegExp][] = [
    ['{}', /^0 : has no metrics/],
    ['{"device_time":5}', /^0 : has no metrics/],
    ['[]', /^0 : must be an object/],
    ['"x"', /^0 : must be an object/],
    ['null', /^0 : must be an object/],
    ['{"x":1,"device_time":"soon"}', /^0 device_time: is not/],
    ['{"x":1,"device_time":-5}', /^0 device_time: is not/],
  ]
  for (const [text, reason] of cases) {
    const { points, rejected } = await record(text)
    assert.deepEqual(points, [], text)
    assert.match(rejected.join(), reason)
  }
})

test('a device id that cannot be one is refused', async () => {
  for (const id of ['', '..', 'a/b', 'a\0', '#', 'x'.repeat(257)]) {
    const { points, rejected } = await record('{"x":1}', id)
    assert.deepEqual(points, [])
    assert.match(rejected.join(), /^0 device_id: must not/)
  }
})

test('an MQTT payload has its time in timestamp', async () => {
  const { points } = await decoded(sink =>
    decodeTopicTelemetry(Buffer.from('{"t":1,"timestamp":1763000000}'), 'd', sink),
  )
  assert.deepEqual(points, [['d', 't', 1_763_000_000e6, 1]])
})

test('a bare value is a number, a boolean, an object or text', async () => {
  const cases: [string, number | string][] = [
    ['21.5', 21.5],
    [' -3e2 ', -300],
    ['true', 1],
    ['false', 0],
    ['"on"', 'on'],
    ['on', 'on'],
    ['on fire: 3', 'on fire: 3'],
    ['nominal', 'nominal'],
    ['trueish', 'trueish'],
  ]
  for (const [text, value] of cases) {
    const { points, rejected } = await bare(text)
    assert.deepEqual(points, [['d', 'm', NOW, value]], `${text} ${rejected.join()}`)
  }
  assert.deepEqual((await bare('{"a":1,"b":{"c":2}}')).points, [
    ['d', 'm.a', NOW, 1],
    ['d', 'm.b.c', NOW, 2],
  ])
})

test('what looks like a number and is none is refused, not stored as text', async () => {
  for (const text of ['NaN', 'Infinity', '-Infinity', '+5', '.5', '1,5', '0x10', '']) {
    await assert.rejects(bare(text), SyntaxError, text)
  }
  for (const text of ['null', '[1]', '9007199254740993', '1e400']) {
    const { points, rejected } = await bare(text)
    assert.deepEqual(points, [], text)
    assert.equal(rejected.length, 1)
  }
})

test('a path leads into the payload, and never into the prototype', async () => {
  assert.deepEqual((await bare('{"reading":{"value":4}}', 'reading.value')).points, [
    ['d', 'm', NOW, 4],
  ])
  for (const path of ['reading.other', 'toString', '__proto__.x', 'reading.value.x']) {
    const { points, rejected } = await bare('{"reading":{"value":4}}', path)
    assert.deepEqual(points, [])
    assert.deepEqual(rejected, [`0 ${path}: is missing in the payload`])
  }
})
