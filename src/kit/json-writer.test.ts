import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { JsonWriter } from './json-writer.ts'

const MAX_TIME_US = 2 ** 53 - 1
const writer = new JsonWriter(1)

function written(write: () => void): string {
  writer.begin()
  write()
  return writer.take().toString()
}

const bitsOf = (value: number): bigint => new BigUint64Array(Float64Array.of(value).buffer)[0]

test('every finite number parses back to the same bits', () => {
  const value = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 9 })).map(([n, d]) => n / 10 ** d),
    fc.tuple(fc.integer(), fc.integer({ min: 0, max: 6 })).map(([n, d]) => n / 10 ** d),
  )
  fc.assert(
    fc.property(value, number => {
      const json = written(() => writer.number(number))
      assert.equal(bitsOf(JSON.parse(json) as number), bitsOf(number), json)
    }),
    { numRuns: 5000 },
  )
})

test('numbers are as short as JSON.stringify makes them', () => {
  const scaled = fc.tuple(fc.integer(), fc.integer({ min: 0, max: 6 }))
  fc.assert(
    fc.property(scaled, ([n, d]) => {
      const number = n / 10 ** d
      const shown = Object.is(number, -0) ? '-0' : JSON.stringify(number)
      assert.equal(
        written(() => writer.number(number)),
        shown,
      )
    }),
  )
})

test('edges of numbers', () => {
  const shown = {
    '-0': -0,
    '0.000001': 1e-6,
    '-1.5': -1.5,
    '9007199254740991': 2 ** 53 - 1,
    '9007199254740992': 2 ** 53,
    '2147483648': 2 ** 31,
    '214748364.8': 214748364.8,
    '0.05': 0.05,
    '5e-324': 5e-324,
    '1.7976931348623157e+308': Number.MAX_VALUE,
  }
  for (const [text, number] of Object.entries(shown)) {
    assert.equal(
      written(() => writer.number(number)),
      text,
    )
  }
  for (const none of [NaN, Infinity, -Infinity]) {
    assert.equal(
      written(() => writer.number(none)),
      'null',
    )
  }
})

test('times are ISO 8601 in UTC, with microseconds when there are any', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_TIME_US }), timeUs => {
      const ms = Math.floor(timeUs / 1000)
      const micros = timeUs - 1000 * ms
      const iso = new Date(ms).toISOString()
      const shown = micros === 0 ? iso : `${iso.slice(0, -1)}${String(micros).padStart(3, '0')}Z`
      assert.equal(
        written(() => writer.time(timeUs)),
        `"${shown}"`,
      )
    }),
    { numRuns: 2000 },
  )
})

test('strings of any kind are as JSON.stringify writes them, in UTF-8', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 200 })), strings => {
      const json = written(() => {
        writer.ascii('[')
        strings.forEach((text, i) => {
          if (i > 0) writer.ascii(',')
          writer.string(text)
        })
        writer.ascii(']')
      })
      assert.equal(json, Buffer.from(JSON.stringify(strings)).toString())
    }),
  )
})

test('what was taken stays as it is when the next text is written', () => {
  writer.begin()
  writer.ascii('first'.repeat(20))
  const first = writer.take()
  writer.begin()
  writer.ascii('second'.repeat(20))
  writer.take()
  assert.equal(first.toString(), 'first'.repeat(20))
})
