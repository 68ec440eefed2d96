import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readFloats, readInt8, readTexts, readTimes, textArray } from './binary.ts'
import { int8Array, timeArray, valueArray } from './binary.ts'

test('numbers, times and texts come back from arrays as they were', () => {
  const time = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }))
  const value = fc.double({ noNaN: true })
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\0', '\u0001', '\u0001\\0'))
  const point = fc.tuple(time, value, fc.option(text, { nil: undefined }))
  fc.assert(
    fc.property(fc.array(point), points => {
      const timestamps = Float64Array.from(points, ([time]) => time)
      const texts = points.map(([, , text]) => text)
      const values = Float64Array.from(points, ([, value, text]) =>
        text === undefined ? value : NaN,
      )
      assert.deepEqual(readTimes(timeArray(timestamps)), timestamps)
      assert.deepEqual(readFloats(valueArray({ values, texts })), values)
      assert.deepEqual(readTexts(textArray(points.length, texts)), texts)
      const ids = int8Array(timestamps)
      timestamps.forEach((id, i) => assert.equal(readInt8(ids, 24 + 12 * i), id))
    }),
  )
})
