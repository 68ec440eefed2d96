import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ARRIVAL_MS, decoded } from '../../../test/fixtures/decoded.ts'
import { decodeStreamingMessage, type StreamingMessage } from './streaming.ts'

const good = { device_id: 'd 1', metric: 'temp', value: 21.5, timestamp: 1 }

async function message(fields: object | string) {
  const body = Buffer.from(typeof fields === 'string' ? fields : JSON.stringify(fields))
  let told: StreamingMessage | undefined
  const outcome = await decoded(sink => {
    told = decodeStreamingMessage(body, sink)
  })
  return { ...outcome, told }
}

test('a message is a point, and tells whose it is and where', async () => {
  const { points, rejected, told } = await message({ ...good, location: 'hall', other: [1] })
  assert.deepEqual(points, [['d 1', 'temp', 1e6, 21.5]])
  assert.deepEqual(rejected, [])
  assert.deepEqual(told, { deviceId: 'd 1', location: 'hall' })
})

test('a message needs neither time nor location, and may be a switch or text', async () => {
  for (const [value, stored] of [
    [true, 1],
    ['open', 'open'],
    [-0, 0],
  ] as const) {
    const { points, told } = await message({ device_id: 'd', metric: 'm', value, location: null })
    assert.deepEqual(points, [['d', 'm', ARRIVAL_MS * 1000, stored]])
    assert.deepEqual(told, { deviceId: 'd' })
  }
})

test('an integer that JSON rounds is taken exactly or refused', async () => {
  const exact = await message('{"device_id":"d","metric":"m","value":9007199254740992}')
  assert.equal(exact.points[0][3], 2 ** 53)
  assert.deepEqual(exact.told, { deviceId: 'd' })
  const rounded = await message('{"device_id":"d","metric":"m","value":9007199254740993}')
  assert.deepEqual(rounded.points, [])
  assert.equal(rounded.told, undefined)
})

test('what is missing or wrong is refused by field, and tells nothing', async () => {
  for (const [change, field] of [
    [{ device_id: 5 }, 'device_id'],
    [{ metric: undefined }, 'metric'],
    [{ metric: '' }, ''],
    [{ value: undefined }, 'value'],
    [{ value: { x: 1 } }, 'value'],
    [{ timestamp: 'x' }, 'timestamp'],
    [{ location: 5 }, 'location'],
    [{ location: 'x'.repeat(257) }, 'location'],
    [{ location: '\ud800' }, 'location'],
  ] as const) {
    const { points, rejected, told } = await message({ ...good, location: 'hall', ...change })
    assert.deepEqual(points, [], field)
    assert.equal(rejected.length, 1)
    assert.match(rejected[0], new RegExp(`^0 ${field}`))
    assert.equal(told, undefined)
  }
  assert.deepEqual((await message([1])).rejected, [
    '0 : must be an object {device_id, metric, value}',
  ])
})
