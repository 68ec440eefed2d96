import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decoded } from '../../../test/fixtures/decoded.ts'
import { decodeSensorRecord } from './sensor-record.ts'

const record = (fields: object) =>
  decoded(sink => decodeSensorRecord(Buffer.from(JSON.stringify(fields)), sink))

const good = { device_id: 'room 1', sensor_type: 'humidity', value: 40.5, timestamp: 1 }

test('a sensor record is a point of the device, named by the type of the sensor', async () => {
  const { points, rejected } = await record({ ...good, unit: '%' })
  assert.deepEqual(points, [['room 1', 'humidity', 1e6, 40.5]])
  assert.deepEqual(rejected, [])
})

test('what is missing or wrong in a sensor record is refused by field', async () => {
  for (const [change, line] of [
    [{ device_id: 5 }, '0 device_id: must be a string'],
    [{ sensor_type: undefined }, '0 sensor_type: is missing'],
    [{ value: undefined }, '0 value: is missing'],
    [{ value: null }, '0 value: must be a number, boolean, string or object, not null'],
    [{ value: { x: 1 } }, '0 value: must be a number, a boolean or a string'],
    [{ value: [1] }, '0 value: must be a number, a boolean or a string'],
    [{ timestamp: -1 }, '0 timestamp: is not an ISO 8601 time or a number of s, ms, µs or ns'],
  ] as const) {
    const { points, rejected } = await record({ ...good, ...change })
    assert.deepEqual(points, [])
    assert.deepEqual(rejected, [line.replace(/^0 value: (must.*not)/, '0 humidity: $1')])
  }
})

test('a stray field is reported, and the point is kept', async () => {
  const { points, rejected } = await record({ ...good, colour: 'red' })
  assert.equal(points.length, 1)
  assert.deepEqual(rejected, ['0 colour: is not a field of a record'])
})
