import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import type { Batch } from './batch.ts'
import { decodeFrame, encodeFrame, FRAME_HEADER_BYTES, FrameError, framePoints } from './frame.ts'

function sample(changes: Partial<Batch> = {}): Batch {
  return {
    tenant: 'default',
    devices: ['pump-1', 'Kälte 2'],
    metrics: ['temperature', 'state', '__proto__'],
    seriesDevice: Uint32Array.of(0, 0, 1),
    seriesMetric: Uint32Array.of(0, 1, 2),
    seriesIndex: Uint32Array.of(0, 1, 2, 0),
    timestamps: Float64Array.of(0, 1, 2 ** 53 - 1, 1e15),
    values: Float64Array.of(-0, NaN, 1.5e308, 5e-324),
    texts: [undefined, 'on — ✓', undefined, undefined],
    ...changes,
  }
}

const batches = fc
  .record({
    tenant: fc.constantFrom('default', 'täglich'),
    devices: fc.uniqueArray(fc.stringMatching(/^[\w äß泵-]{1,9}$/u), {
      minLength: 1,
      maxLength: 4,
    }),
    metrics: fc.uniqueArray(fc.stringMatching(/^[\w./]{1,9}$/), { minLength: 1, maxLength: 4 }),
    points: fc.array(fc.record({ d: fc.nat(3), m: fc.nat(3), value: fc.double(), us: fc.nat() }), {
      maxLength: 40,
    }),
    texts: fc.option(fc.array(fc.option(fc.string({ unit: 'grapheme' })))),
  })
  .map(({ tenant, devices, metrics, points, texts }): Batch => {
    const pairs = [
      ...new Set(points.map(({ d, m }) => `${d % devices.length} ${m % metrics.length}`)),
    ]
    const index = points.map(({ d, m }) =>
      pairs.indexOf(`${d % devices.length} ${m % metrics.length}`),
    )
    const batch = {
      ...{ tenant, devices, metrics },
      seriesDevice: Uint32Array.from(pairs, pair => Number(pair.split(' ')[0])),
      seriesMetric: Uint32Array.from(pairs, pair => Number(pair.split(' ')[1])),
      seriesIndex: Uint32Array.from(index),
      timestamps: Float64Array.from(points, ({ us }) => us),
      values: Float64Array.from(points, ({ value }) => value),
    }
    if (texts === null) return batch
    return { ...batch, texts: points.map((_, i) => texts[i] ?? undefined) }
  })

test('a batch comes back from its frame bit for bit', () => {
  const decoded = decodeFrame(encodeFrame(sample()))
  assert.deepEqual(decoded, sample())
  assert.ok(Object.is(decoded.values[0], -0))
})

test('any batch comes back from its frame', () => {
  fc.assert(
    fc.property(batches, batch => {
      const frame = encodeFrame(batch)
      assert.equal(frame.byteLength % 8, 0)
      assert.equal(framePoints(frame), batch.timestamps.length)
      const { texts, ...columns } = decodeFrame(frame)
      const { texts: wanted, ...rest } = batch
      assert.deepEqual(columns, rest)
      assert.deepEqual(texts ?? [], wanted ?? [])
    }),
  )
})

test('a frame is read at any place in memory', () => {
  const frame = encodeFrame(sample())
  for (let shift = 0; shift < 9; shift++) {
    const bytes = new Uint8Array(frame.byteLength + 16)
    bytes.set(frame, shift)
    assert.deepEqual(decodeFrame(bytes.subarray(shift, shift + frame.byteLength)), sample())
  }
})

test('every damaged byte is noticed', () => {
  const frame = encodeFrame(sample())
  for (let at = 0; at < frame.byteLength; at++) {
    const damaged = Uint8Array.from(frame)
    damaged[at] ^= 0x10
    assert.throws(() => decodeFrame(damaged), FrameError, `byte ${at}`)
  }
})

test('every cut and every addition is noticed', () => {
  const frame = encodeFrame(sample())
  for (let length = 0; length < frame.byteLength; length++) {
    assert.throws(() => decodeFrame(frame.subarray(0, length)), FrameError, `${length} bytes`)
  }
  assert.throws(() => decodeFrame(Buffer.concat([frame, Buffer.alloc(8)])), FrameError)
})

/** A frame whose checksum is right whatever was changed: made by a program, not by a fault. */
function forged(batch: Batch, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(encodeFrame(batch))
  change(bytes)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

test('a forged frame with a good checksum is refused with its reason', () => {
  const cases: [number, number, RegExp][] = [
    [12, 3, /dictionary holds/],
    [16, 2, /dictionary holds/],
    [12, 0xffffffff, /dictionary holds/],
    [20, 0xffffffff, /do not add up/],
    [24, 0xffffffff, /do not add up/],
    [28, 0xffffffff, /do not add up/],
    [32, 0xffffffff, /do not add up/],
  ]
  for (const [at, value, message] of cases) {
    const frame = forged(sample(), bytes => bytes.writeUInt32LE(value, at))
    assert.throws(() => decodeFrame(frame), { name: 'FrameError', message }, `field at ${at}`)
  }
  const version = forged(sample(), bytes => bytes.writeUInt8(2, 8))
  assert.throws(() => decodeFrame(version), { name: 'FrameError', message: /version 2/ })
})

test('columns that name what is not there are refused', () => {
  for (const column of ['seriesDevice', 'seriesMetric', 'seriesIndex'] as const) {
    const bad = Uint32Array.from(sample()[column], value => value + 3)
    const frame = encodeFrame(sample({ [column]: bad }))
    const message = new RegExp(column)
    assert.throws(() => decodeFrame(frame), { name: 'FrameError', message })
  }
})

test('a forged text section never leaves its bounds', () => {
  const batch = sample()
  const frame = encodeFrame(batch)
  const textsAt = frame.byteLength - Math.ceil((4 + 8 + Buffer.byteLength('on — ✓')) / 8) * 8
  for (const [at, value] of [
    [0, 0xffffffff],
    [0, 0],
    [0, 2],
    [4, 4],
    [8, 0xffffffff],
    [8, 1],
  ]) {
    const bad = forged(batch, bytes => bytes.writeUInt32LE(value, textsAt + at))
    assert.throws(() => decodeFrame(bad), FrameError, `${value} at ${at}`)
  }
})

test('random bytes are never taken for a frame, and cost no more than an error', () => {
  const header = fc.uint8Array({ minLength: 0, maxLength: 4 * FRAME_HEADER_BYTES })
  fc.assert(
    fc.property(header, bytes => {
      if (bytes.length >= 4) Buffer.from(bytes.buffer).writeUInt32LE(bytes.length, 0)
      if (bytes.length > FRAME_HEADER_BYTES) {
        const view = Buffer.from(bytes.buffer)
        view.writeUInt8(1, 8)
        view.writeUInt32LE(crc32(view.subarray(8)), 4)
      }
      try {
        decodeFrame(bytes)
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error))
      }
    }),
    { numRuns: 3000 },
  )
})
