import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ARRIVAL_MS,
  decoded,
  type Decoded,
  type DecodedOptions,
} from '../../../test/fixtures/decoded.ts'
import { decodeTelemetry, decodeTelemetryLines } from './native.ts'

const NOW = ARRIVAL_MS * 1000

const json = (body: unknown, options?: DecodedOptions): Promise<Decoded> =>
  raw(typeof body === 'string' ? body : JSON.stringify(body), options)
const raw = (text: string, options?: DecodedOptions): Promise<Decoded> =>
  decoded(sink => decodeTelemetry(Buffer.from(text), sink), options)
const lines = (text: string, options?: DecodedOptions): Promise<Decoded> =>
  decoded(sink => decodeTelemetryLines(Buffer.from(text), sink), options)

test('a message of numbers, booleans, text and nested objects becomes points', async () => {
  const { points, rejected } = await json({
    device_id: 'pump 1',
    timestamp: '2026-11-20T09:00:00Z',
    data: { t: 21.5, on: true, off: false, state: 'idle', motor: { rpm: 900, a: { b: -1 } } },
  })
  const at = Date.UTC(2026, 10, 20, 9) * 1000
  assert.deepEqual(rejected, [])
  assert.deepEqual(points, [
    ['pump 1', 't', at, 21.5],
    ['pump 1', 'on', at, 1],
    ['pump 1', 'off', at, 0],
    ['pump 1', 'state', at, 'idle'],
    ['pump 1', 'motor.rpm', at, 900],
    ['pump 1', 'motor.a.b', at, -1],
  ])
})

test('a message without a time, or with null, has the time of its arrival', async () => {
  for (const timestamp of [undefined, null]) {
    const { points } = await json({ device_id: 'a', timestamp, data: { x: 1 } })
    assert.deepEqual(points, [['a', 'x', NOW, 1]])
  }
})

test('times are s, ms, µs and ns, exact to the microsecond', async () => {
  const us = 1_763_632_800_123_456
  for (const literal of ['1763632800.123456', String(us), `${us}789`, `${us}000`]) {
    const { points } = await raw(`{"device_id":"a","timestamp":${literal},"data":{"x":1}}`)
    const expected = literal.endsWith('789') ? us + 1 : us
    assert.deepEqual(points, [['a', 'x', expected, 1]], literal)
  }
})

test('1 bad item of 1000 is named, and the 999 others are kept', async () => {
  const items: object[] = Array.from({ length: 1000 }, (_, i) => ({
    device_id: `d${i % 10}`,
    timestamp: 1_763_000_000 + i,
    data: { x: i },
  }))
  items[617] = { device_id: 'd7', timestamp: 'yesterday', data: { x: 617 } }
  const { points, rejected } = await json(items)
  assert.equal(points.length, 999)
  assert.deepEqual(rejected, [
    '617 timestamp: is not an ISO 8601 time or a number of s, ms, µs or ns',
  ])
})

test('each kind of bad item is refused with its field, and harms no other', async () => {
  const good = { device_id: 'good', data: { x: 1 } }
  const cases: [string, RegExp][] = [
    ['null', /^1 : must be an object/],
    ['[]', /^1 : must be an object/],
    ['7', /^1 : must be an object/],
    ['{}', /^1 device_id: is missing/],
    ['{"device_id":5,"data":{"x":1}}', /^1 device_id: must be a string/],
    ['{"device_id":"","data":{"x":1}}', /^1 device_id: must not be empty/],
    ['{"device_id":"a/b","data":{"x":1}}', /^1 device_id: must not contain/],
    ['{"device_id":"a\\u0000","data":{"x":1}}', /^1 device_id: .*control/],
    ['{"device_id":"a\\ud800","data":{"x":1}}', /^1 device_id: .*surrogate/],
    ['{"device_id":"a"}', /^1 data: is missing/],
    ['{"device_id":"a","data":[1]}', /^1 data: must be an object/],
    ['{"device_id":"a","data":{}}', /^1 data: has no metrics/],
    ['{"device_id":"a","data":{"x":null}}', /^1 data\.x: .*null/],
    ['{"device_id":"a","data":{"x":[1]}}', /^1 data\.x: .*array/],
    ['{"device_id":"a","data":{"x":{}}}', /^1 data\.x: .*empty/],
    ['{"device_id":"a","data":{"x":1e309}}', /^1 data\.x: .*float64/],
    ['{"device_id":"a","data":{"x":-1e309}}', /^1 data\.x: .*float64/],
    ['{"device_id":"a","data":{"x":9007199254740993}}', /^1 data\.x: 9007199254740993 has no/],
    ['{"device_id":"a","data":{"x":"\\ud800"}}', /^1 data\.x: .*surrogate/],
    ['{"device_id":"a","data":{"":1}}', /^1 data\.: metric name must not be empty/],
    ['{"device_id":"a","data":{"x\\n":1}}', /^1 data\.x\n: metric name .*control/],
    ['{"device_id":"a","data":{"x":{"x":{"x":{"x":{"x":1}}}}}}', /^1 data\.x.*: .*maxDepth/],
    [`{"device_id":"a","data":{"x":"${'é'.repeat(51)}"}}`, /^1 data\.x: .*maxTextBytes/],
    ['{"device_id":"a","timestamp":-1,"data":{"x":1}}', /^1 timestamp: is not/],
    ['{"device_id":"a","timestamp":true,"data":{"x":1}}', /^1 timestamp: is not/],
    ['{"device_id":"a","timestamp":{},"data":{"x":1}}', /^1 timestamp: is not/],
    ['{"device_id":"a","timestamp":1e308,"data":{"x":1}}', /^1 timestamp: .*maxFutureMs/],
    ['{"device_id":"a","timestamp":"2099-01-01","data":{"x":1}}', /^1 timestamp: .*maxFutureMs/],
  ]
  for (const [item, reason] of cases) {
    const text = `[${JSON.stringify(good)},${item},${JSON.stringify(good)}]`
    const { points, rejected } = await raw(text)
    assert.deepEqual(points.length, 2, item)
    assert.equal(rejected.length, 1, `${item}: ${rejected.join()}`)
    assert.match(rejected[0], reason)
  }
})

test('an unknown field is reported, and the points of its message are kept', async () => {
  const { points, rejected, rejections } = await json({ device_id: 'a', temp: 1, data: { x: 1 } })
  assert.equal(points.length, 1)
  assert.deepEqual(rejected, ['0 temp: is not a field of a message; metrics go in data'])
  assert.equal(rejections[0].points, 0)
})

test('names of the prototype are only names', async () => {
  const { points } = await raw(
    '{"device_id":"__proto__","data":{"__proto__":1,"constructor":2,"toString":{"__proto__":3}}}',
  )
  assert.deepEqual(
    points.map(([device, metric, , value]) => [device, metric, value]),
    [
      ['__proto__', '__proto__', 1],
      ['__proto__', 'constructor', 2],
      ['__proto__', 'toString.__proto__', 3],
    ],
  )
  const inherited = await raw('{"__proto__":{"device_id":"x","data":{"y":1}}}')
  assert.equal(inherited.points.length, 0)
})

test('large integers are stored exactly or refused, whatever else the body holds', async () => {
  const { points, rejected } = await raw(
    '{"device_id":"a","data":{"even":9007199254740994,"odd":-9007199254740993,' +
      '"max":9007199254740991,"text":"9007199254740993","power":1152921504606846976,"shortest":-36486015379176490}}',
  )
  assert.deepEqual(
    points.map(([, metric, , value]) => [metric, value]),
    [
      ['even', 9007199254740994],
      ['max', 9007199254740991],
      ['text', '9007199254740993'],
      ['power', 1152921504606846976],
      // What a float64 is written as: reading it back gives the same digits.
      ['shortest', -36486015379176490],
    ],
  )
  assert.equal(rejected.length, 1)
  assert.match(rejected[0], /^0 data\.odd: -9007199254740993 has no exact float64/)
})

test('an integer of more digits than a float64 reaches is refused, beside a large one', async () => {
  const { points, rejected } = await raw(
    `{"device_id":"a","data":{"big":9007199254740994,"vast":${'9'.repeat(400)}}}`,
  )
  assert.equal(points.length, 1)
  assert.equal(rejected.length, 1)
  assert.match(rejected[0], /^0 data\.vast: .*float64/)
})

test('JSON nested by the hundred thousand is refused, with and without large integers', async () => {
  const deep = '{"x":'.repeat(100_000) + '1' + '}'.repeat(100_000)
  for (const extra of ['1', '9007199254740994']) {
    const { points, rejected } = await raw(
      `{"device_id":"a","data":{"y":${extra},"x":${deep}}}`,
    ).catch((error: unknown) => {
      assert.ok(error instanceof SyntaxError, String(error))
      return { points: [], rejected: ['deep'] }
    })
    assert.ok(points.length <= 1)
    assert.equal(rejected.length, 1)
  }
})

test('an empty array has nothing to keep, and text that is no JSON is a SyntaxError', async () => {
  assert.deepEqual((await raw('[]')).rejected, ['0 : the array is empty'])
  for (const text of ['', ' ', '{', '{"device_id":"a","data":{"x":NaN}}', '[1,]', 'Infinity']) {
    await assert.rejects(raw(text), SyntaxError, text)
  }
})

test('points beyond the limit of a request are refused with the name of the limit', async () => {
  const items = Array.from({ length: 12 }, (_, i) => ({
    device_id: 'a',
    timestamp: i,
    data: { x: i },
  }))
  const { points, rejected } = await json(items, { limits: { maxPointsPerRequest: 10 } })
  assert.equal(points.length, 10)
  assert.equal(rejected.length, 2)
  assert.match(rejected[0], /^10 data\.x: .*\(ingest\.maxPointsPerRequest\)/)
})

test('series beyond the limit are refused with the name of the limit', async () => {
  const data = { a: 1, b: 2, c: 3 }
  const { points, rejected } = await json({ device_id: 'd', data }, { limits: { maxSeries: 2 } })
  assert.equal(points.length, 2)
  assert.match(rejected.join(), /^0 data\.c: .*\(ingest\.maxSeries\)$/)
})

test('a device that may not send is refused with all its points', async () => {
  const items = ['known', 'stranger'].map(device_id => ({ device_id, data: { x: 1 } }))
  const { points, rejected } = await json(items, { mayBecome: name => name === 'known' })
  assert.deepEqual(points, [['known', 'x', NOW, 1]])
  assert.deepEqual(rejected, ['1 device_id: device "stranger" is not registered'])
})

test('of more refusals than are listed, every point is counted', async () => {
  const items = Array.from({ length: 2500 }, () => ({ device_id: 'a', data: { x: null } }))
  const { rejections } = await json(items)
  assert.ok(rejections.length <= 1001)
  const points = rejections.reduce((sum, rejection) => sum + rejection.points, 0)
  assert.equal(points, 2500)
})

test('lines are messages; blank lines count, bad ones are refused one by one', async () => {
  const { points, rejected } = await lines(
    '{"device_id":"a","timestamp":1,"data":{"x":1}}\r\n\n  \nnonsense\n' +
      '{"device_id":"a","timestamp":2,"data":{"x":9007199254740993}}\n' +
      '{"device_id":"a","timestamp":3,"data":{"x":3}}',
  )
  assert.deepEqual(
    points.map(([, , us, value]) => [us, value]),
    [
      [1e6, 1],
      [3e6, 3],
    ],
  )
  assert.equal(rejected.length, 2)
  assert.match(rejected[0], /^3 : /)
  assert.match(rejected[1], /^4 data\.x: 9007199254740993 has no exact float64/)
})

test('lines without a message keep nothing', async () => {
  for (const text of ['', '\n', ' \n\n\t\n']) {
    const { points } = await lines(text)
    assert.deepEqual(points, [], JSON.stringify(text))
  }
})

test('a line nested by the hundred thousand is one refused line', async () => {
  const deep = `{"device_id":"a","data":{"n":9007199254740994,"x":${'['.repeat(1e5)}${']'.repeat(1e5)}}}`
  const { points, rejected } = await lines(
    `${deep}\n{"device_id":"a","timestamp":3,"data":{"x":3}}`,
  )
  assert.ok(points.length >= 1)
  assert.ok(rejected.length === 1 && rejected[0].startsWith('0 '))
})

test('any messages mean the same as an array and as lines', async () => {
  const value = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.string(),
    fc.constant(null),
    fc.maxSafeInteger(),
  )
  const message = fc.record(
    {
      device_id: fc.oneof(fc.constantFrom('a', 'b', '泵'), fc.string({ maxLength: 3 })),
      timestamp: fc.oneof(
        fc.nat(),
        fc.date({ noInvalidDate: true }).map(d => d.toISOString()),
      ),
      data: fc.dictionary(fc.constantFrom('x', 'y', 'z', 'é', '"'), value),
    },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 20 }), async messages => {
      const array = await json(messages)
      const text = messages.map(one => JSON.stringify(one)).join('\n')
      assert.deepEqual(await lines(text), array)
    }),
    { numRuns: 200 },
  )
})
