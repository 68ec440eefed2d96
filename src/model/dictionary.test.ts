import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Batch } from './batch.ts'
import { Dictionaries } from './dictionary.ts'
import { decodeFrame, encodeFrame } from './frame.ts'

function batchOf(devices: readonly string[], metrics: readonly string[], value: number): Batch {
  return {
    ...{ tenant: 'default', devices, metrics },
    seriesDevice: Uint32Array.from(devices, (_, d) => d),
    seriesMetric: Uint32Array.from(devices, (_, d) => d % metrics.length),
    seriesIndex: Uint32Array.from(devices, (_, d) => d),
    timestamps: Float64Array.from(devices, (_, d) => d),
    values: Float64Array.from(devices, () => value),
  }
}

test('names that come a second time are the same objects from then on', () => {
  const dictionaries = new Dictionaries()
  const frames = [1, 2, 3].map(value => encodeFrame(batchOf(['a', 'b'], ['x'], value)))
  const [first, second, third] = frames.map(frame => decodeFrame(frame, dictionaries))
  assert.notEqual(first.seriesDevice, second.seriesDevice)
  assert.equal(second.seriesDevice, third.seriesDevice)
  assert.equal(second.devices, third.devices)
  assert.deepEqual(third, batchOf(['a', 'b'], ['x'], 3))
})

test('what is kept does not change with the memory that it came in', () => {
  const dictionaries = new Dictionaries()
  const frame = encodeFrame(batchOf(['a', 'b'], ['x'], 1))
  decodeFrame(frame, dictionaries)
  decodeFrame(frame, dictionaries)
  const again = Uint8Array.from(frame)
  frame.fill(255)
  assert.deepEqual(decodeFrame(again, dictionaries), batchOf(['a', 'b'], ['x'], 1))
})

test('frames of all kinds in any order are decoded as without dictionaries', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'ab', 'ä', 'device-1'), { minLength: 1 })
  const frames = fc.array(fc.tuple(names, names, fc.nat(3)), { maxLength: 30 })
  fc.assert(
    fc.property(frames, list => {
      const dictionaries = new Dictionaries()
      for (const [devices, metrics, value] of list) {
        const frame = encodeFrame(batchOf(devices, metrics, value))
        assert.deepEqual(decodeFrame(frame, dictionaries), decodeFrame(frame))
      }
    }),
  )
})

test('a frame with known names and other counts is told apart', () => {
  const dictionaries = new Dictionaries()
  const frame = encodeFrame(batchOf(['a', 'b'], ['x'], 1))
  decodeFrame(frame, dictionaries)
  decodeFrame(frame, dictionaries)
  const other = encodeFrame(batchOf(['a'], ['b', 'x'], 1))
  assert.deepEqual(decodeFrame(other, dictionaries), batchOf(['a'], ['b', 'x'], 1))
})
