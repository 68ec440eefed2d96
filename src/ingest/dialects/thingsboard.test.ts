import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ARRIVAL_MS, decoded, type Decoded } from '../../../test/fixtures/decoded.ts'
import { decodeThingsboard, readAttributes } from './thingsboard.ts'

const NOW = ARRIVAL_MS * 1000
const TS = 1_700_000_000_000
const AT = TS * 1000

const ofToken = (json: unknown, countsItems = true): Promise<Decoded> =>
  decoded(sink => decodeThingsboard(Buffer.from(text(json)), { deviceId: 'd', countsItems }, sink))
const ofGateway = (json: unknown): Promise<Decoded> =>
  decoded(sink =>
    decodeThingsboard(Buffer.from(text(json)), { deviceId: undefined, countsItems: false }, sink),
  )
const text = (json: unknown): string => (typeof json === 'string' ? json : JSON.stringify(json))

test('keys and values, alone or with ts, or an array of either, are points of the device', async () => {
  const plain = { t: 21.5, on: true, mode: 'eco' }
  const points = (time: number) => [
    ['d', 't', time, 21.5],
    ['d', 'on', time, 1],
    ['d', 'mode', time, 'eco'],
  ]
  for (const json of [plain, [plain]]) {
    assert.deepEqual((await ofToken(json)).points, points(NOW))
  }
  const timed = { ts: TS, values: plain }
  for (const json of [timed, [timed], { ...timed, ts: String(TS) }]) {
    assert.deepEqual((await ofToken(json)).points, points(AT))
  }
  const both = await ofToken([plain, timed])
  assert.deepEqual(both.points, [...points(NOW), ...points(AT)])
})

test('ts is milliseconds whatever its size, and a key like any other without values', async () => {
  assert.deepEqual((await ofToken({ ts: 5, values: { t: 1 } })).points, [['d', 't', 5000, 1]])
  assert.deepEqual((await ofToken({ ts: 5, values: 6 })).points, [
    ['d', 'ts', NOW, 5],
    ['d', 'values', NOW, 6],
  ])
  assert.deepEqual((await ofToken({ ts: 5, t: 1 })).points, [
    ['d', 'ts', NOW, 5],
    ['d', 't', NOW, 1],
  ])
})

test('a refusal names the item of an array, by index or, where that is the message, in its field', async () => {
  const json = [
    { t: 1 },
    5,
    { ts: -1, values: { a: 1, b: 2 } },
    { ts: TS, values: { x: null, y: 2 } },
  ]
  const { points, rejected, rejections } = await ofToken(json)
  assert.deepEqual(
    points.map(([, metric]) => metric),
    ['t', 'y'],
  )
  assert.deepEqual(rejected, [
    '1 : must be an object {key: value} or {ts, values}, or an array of it',
    '2 ts: is not a whole number of milliseconds since 1970',
    '3 values.x: must be a number, boolean, string or object, not null',
  ])
  assert.deepEqual(
    rejections.map(({ points: count }) => count),
    [1, 2, 1],
  )
  const inFields = await ofToken(json, false)
  assert.deepEqual(
    inFields.rejected.map(line => line.split(':')[0]),
    ['0 [1]', '0 [2].ts', '0 [3].values.x'],
  )
})

test('times that are no milliseconds are refused', async () => {
  for (const ts of ['soon', 1.5, true, null, '', {}, 2 ** 60]) {
    const { points, rejected } = await ofToken({ ts, values: { t: 1 } })
    assert.deepEqual(points, [])
    assert.match(rejected.join(), /^0 ts: is not a whole number of milliseconds/, String(ts))
  }
  const { rejected } = await ofToken({ ts: ARRIVAL_MS * 2, values: { t: 1 } })
  assert.match(rejected.join(), /^0 ts: .* is more than .* ahead of the clock/)
})

test('payloads with nothing to keep say why', async () => {
  const cases: [unknown, RegExp][] = [
    [{}, /^0 : has no metrics/],
    [[], /^0 : the array is empty/],
    [5, /^0 : must be an object/],
    ['null', /^0 : must be an object/],
    [{ ts: TS, values: {} }, /^0 values: has no metrics/],
  ]
  for (const [json, pattern] of cases) assert.match((await ofToken(json)).rejected.join(), pattern)
  await assert.rejects(ofToken('{"a":'), SyntaxError)
  await assert.rejects(ofGateway('x'), SyntaxError)
})

test('a gateway names the devices, and a bad one does not take the others with it', async () => {
  const { points, rejected } = await ofGateway({
    'Device A': [
      { ts: TS, values: { t: 1 } },
      { ts: TS + 1, values: { t: 2, u: [1] } },
    ],
    'a/b': [{ ts: TS, values: { t: 3 } }],
    'Device B': { t: 4 },
    C: [],
    D: 5,
  })
  assert.deepEqual(points, [
    ['Device A', 't', AT, 1],
    ['Device A', 't', AT + 1000, 2],
    ['Device B', 't', NOW, 4],
  ])
  assert.deepEqual(
    rejected.map(line => line.split(':')[0]),
    ['0 Device A[1].values.u', '0 a/b', '0 C', '0 D'],
  )
  assert.match((await ofGateway({})).rejected.join(), /^0 : has no devices/)
  assert.match((await ofGateway([])).rejected.join(), /^0 : must be an object of devices/)
})

test('large integers are kept exactly or refused, as everywhere', async () => {
  const { points, rejected } = await ofToken('[{"a":9007199254740993,"b":9007199254740994}]')
  assert.deepEqual(points, [['d', 'b', NOW, 9007199254740994]])
  assert.match(rejected.join(), /^0 a: 9007199254740993 has no exact float64/)
})

test('a device that is not registered is refused without its token', async () => {
  const { rejected } = await decoded(
    sink => decodeThingsboard(Buffer.from('{"a":1}'), { deviceId: 'k3y', countsItems: true }, sink),
    { mayBecome: () => false },
  )
  assert.deepEqual(rejected, ['0 token: device with this token is not registered'])
})

test('attributes are of one device, or of those that a gateway names', () => {
  const read = (json: string, isGateway = false) => readAttributes(Buffer.from(json), isGateway)
  assert.deepEqual(read('{"a":1}'), { sets: [[undefined, { a: 1 }]] })
  assert.deepEqual(read('{"A":{"a":1},"B":{}}', true), {
    sets: [
      ['A', { a: 1 }],
      ['B', {}],
    ],
  })
  assert.deepEqual(read('[1]'), { problem: 'must be an object of attributes' })
  assert.deepEqual(read('{"A":1}', true), { problem: 'A must be an object of attributes' })
  assert.match((read('{') as { problem: string }).problem, /JSON/)
})
