import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import type { BlockColumns } from './block.ts'
import {
  BlockError,
  blockHasTexts,
  decodeBlock,
  decodeBlockInto,
  encodeBlock,
  readBlockHeader,
} from './block.ts'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
process.stdout.write(`seed ${seed} (set SEED to repeat)\n`)
const runs = { seed, numRuns: 400 }

const bits = new Float64Array(1)
const words = new Uint32Array(bits.buffer)
const anyBits = fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)).map(([low, high]) => {
  words[0] = low
  // The exponent of infinities and NaN is left out.
  words[1] = (high & 0x7ff00000) >>> 0 === 0x7ff00000 ? high ^ 0x00100000 : high
  return bits[0]
})
// prettier-ignore
const special = fc.constantFrom(
  0, -0, 5e-324, -5e-324, 2.2250738585072014e-308, Number.MAX_VALUE, -Number.MAX_VALUE,
  2 ** 51, 2 ** 51 - 1, 1 - 2 ** 51, 2 ** 52 + 1, 2 ** 53, -(2 ** 53), 2 ** 53 - 1, 2 ** 63,
  0.1, 0.1 + 0.2, 1 / 3, 1e-9, 1e-10, 123456.123456789, 999999.999999999, 1e22, 4.35, 1.005,
  2 ** 27, -(2 ** 27), 2 ** 28, 2 ** 30, 2 ** 31, 2 ** 32, -(2 ** 31), 1e15 + 0.5,
)
const decimal = fc
  .tuple(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.nat(17))
  .map(([integer, digits]) => integer / 10 ** digits)

/** A column of one character: each has its own kind of value, the last mixes all of them. */
const column = fc
  .tuple(fc.integer({ min: 1, max: 700 }), fc.nat(11), fc.infiniteStream(fc.nat(1_000_000)))
  .chain(([count, kind, stream]) => {
    const many = (one: fc.Arbitrary<number>): fc.Arbitrary<number[]> =>
      fc.array(one, { minLength: count, maxLength: count, size: 'max' })
    const made = (next: (i: number, noise: number) => number): fc.Arbitrary<number[]> =>
      fc.constant(Array.from({ length: count }, (_, i) => next(i, stream.next().value as number)))
    let at = 0
    switch (kind) {
      case 0:
        return many(anyBits)
      case 1:
        return many(special)
      case 2:
        return many(decimal)
      case 3:
        return made((_, noise) => (at += (noise % 21) - 10) / 100)
      case 4:
        return made(i => Math.round(500 * Math.sin(i / 40)) / 100)
      case 5:
        return made((_, noise) => (at += (noise % 100_000) * (noise % 99_991)))
      case 6:
        return made((_, noise) => (noise % 50 === 0 ? (at = noise % 3) : at))
      case 7:
        return made((_, noise) => ((noise % 40) / 10) * 1.8 + 32)
      case 8:
        return made(i => 1 + i * Number.EPSILON)
      case 9:
        return many(fc.oneof({ weight: 30, arbitrary: fc.integer() }, anyBits, special))
      case 10:
        return special.map(value => Array.from({ length: count }, () => value))
      default:
        return many(fc.oneof(anyBits, special, decimal, fc.integer()))
    }
  })

function timesOf(count: number, kind: number, noise: number[]): Float64Array {
  const times = new Float64Array(count)
  let at = kind === 5 ? 0 : 1_767_225_600_000_000
  for (let i = 0; i < count; i++) {
    const some = noise[i % noise.length]
    times[i] = at
    if (kind === 0) at += 1_000_000
    else if (kind === 1) times[i] += (some % 11) * 1000 * (i === 0 ? 0 : 1)
    else if (kind === 2) at += 1 + some
    else if (kind === 3) at += some % 20 === 0 ? 86_400e6 : 10e6
    else if (kind === 4) at += some % 7 === 0 ? 2 ** 40 + some : 250
    else at += i === count - 1 ? 0 : Math.floor(2 ** 53 / count)
    if (kind === 1) at += some % 30 === 0 ? 60e6 : 5e6
  }
  if (kind === 5 && count > 1) times[count - 1] = 2 ** 53
  return times
}

const numeric: fc.Arbitrary<BlockColumns> = fc
  .tuple(column, fc.nat(5), fc.array(fc.nat(10_000_000), { minLength: 50, maxLength: 50 }))
  .map(([values, kind, noise]) => ({
    timestamps: timesOf(values.length, kind, noise),
    values: Float64Array.from(values),
  }))

const mixed: fc.Arbitrary<BlockColumns> = fc
  .tuple(numeric, fc.array(fc.option(fc.string({ unit: 'grapheme' })), { minLength: 1 }))
  .map(([{ timestamps, values }, some]) => {
    const texts = Array.from(values, (_, i) => some[i % some.length] ?? undefined)
    return { timestamps, values: values.map((v, i) => (texts[i] === undefined ? v : NaN)), texts }
  })

function assertSame(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(actual.length, expected.length)
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) assert.fail(`${i}: ${actual[i]}, not ${expected[i]}`)
  }
}

/** A block whose checksum is right again after a change. */
function resealed(block: Uint8Array): Buffer {
  const copy = Buffer.from(block)
  copy.writeUInt32LE(crc32(copy.subarray(0, copy.length - 4)), copy.length - 4)
  return copy
}

test('numbers and times come back bit for bit', () => {
  fc.assert(
    fc.property(numeric, columns => {
      const count = columns.values.length
      const block = encodeBlock(columns, 0, count)
      const decoded = decodeBlock(block)
      assertSame(decoded.timestamps, columns.timestamps)
      assertSame(decoded.values, columns.values)
      assert.equal(decoded.texts, undefined)
      assert.equal(blockHasTexts(block), false)
      const times = new Float64Array(count + 5).fill(-1)
      const values = new Float64Array(count + 5).fill(-1)
      assert.equal(decodeBlockInto(block, times, values, 3), count)
      assertSame(times, [-1, -1, -1, ...columns.timestamps, -1, -1])
      assertSame(values, [-1, -1, -1, ...columns.values, -1, -1])
    }),
    runs,
  )
})

test('texts among numbers come back, and keep their places', () => {
  fc.assert(
    fc.property(mixed, columns => {
      const block = encodeBlock(columns, 0, columns.values.length)
      const decoded = decodeBlock(block)
      assertSame(decoded.timestamps, columns.timestamps)
      assertSame(decoded.values, columns.values)
      const some = columns.texts?.some(text => text !== undefined) ?? false
      assert.deepEqual(decoded.texts, some ? columns.texts : undefined)
      assert.equal(blockHasTexts(block), some)
      if (some) {
        const room = new Float64Array(columns.values.length)
        assert.throws(() => decodeBlockInto(block, room, room, 0), BlockError)
      }
    }),
    runs,
  )
})

test('a slice encodes as a copy of it does', () => {
  fc.assert(
    fc.property(mixed, fc.nat(), fc.nat(), (columns, a, b) => {
      const count = columns.values.length
      const from = a % count
      const to = from + 1 + (b % (count - from))
      const slice = {
        timestamps: columns.timestamps.slice(from, to),
        values: columns.values.slice(from, to),
        texts: columns.texts?.slice(from, to) ?? [],
      }
      assert.deepEqual(encodeBlock(columns, from, to), encodeBlock(slice, 0, to - from))
    }),
    runs,
  )
})

/** The nearest float64 to the exact sum, and what is left: rational arithmetic on BigInt. */
function exactSum(values: number[]): bigint {
  let sum = 0n
  for (const value of values) sum += toFixedPoint(value)
  return sum
}

/** In units of 2^-1074. */
function toFixedPoint(value: number): bigint {
  bits[0] = value
  const exponent = (words[1] >>> 20) & 0x7ff
  const fraction = (BigInt(words[1] & 0xfffff) << 32n) | BigInt(words[0])
  const size = exponent === 0 ? fraction : (fraction | (1n << 52n)) << BigInt(exponent - 1)
  return words[1] >>> 31 === 1 ? -size : size
}

test('the header equals a plain computation', () => {
  fc.assert(
    fc.property(mixed, columns => {
      const count = columns.values.length
      const header = readBlockHeader(encodeBlock(columns, 0, count))
      const numbers = [...columns.values].filter(value => !Number.isNaN(value))
      assert.equal(header.count, count)
      assert.equal(header.numbers, numbers.length)
      assert.equal(header.firstTime, columns.timestamps[0])
      assert.equal(header.lastTime, columns.timestamps[count - 1])
      if (numbers.length === 0) {
        const { sumHigh, sumLow, min, max, firstValue, lastValue } = header
        assertSame([min, max, firstValue, lastValue], [NaN, NaN, NaN, NaN])
        assertSame([sumHigh, sumLow], [0, 0])
        return
      }
      assertSame([header.firstValue, header.lastValue], [numbers[0], numbers[numbers.length - 1]])
      // The sign of a zero is that of one of the zeros.
      assert.ok(header.min === Math.min(...numbers) && header.max === Math.max(...numbers))
      const size = numbers.reduce((sum, value) => sum + Math.abs(value), 0)
      if (!Number.isFinite(size)) return
      assert.ok(Number.isFinite(header.sumHigh) && Number.isFinite(header.sumLow))
      const sum = toFixedPoint(header.sumHigh) + toFixedPoint(header.sumLow)
      const error = sum - exactSum(numbers)
      const bound = toFixedPoint(size) / 2n ** 90n + BigInt(count)
      assert.ok(error <= bound && -error <= bound, `off by ${error}, bound ${bound}`)
    }),
    runs,
  )
})

test('any flipped bit and any truncation is a BlockError', () => {
  fc.assert(
    fc.property(mixed, fc.nat(), (columns, place) => {
      const block = encodeBlock(columns, 0, Math.min(columns.values.length, 60))
      const flipped = Buffer.from(block)
      const at = place % (8 * block.length)
      flipped[at >>> 3] ^= 1 << (at & 7)
      assert.throws(() => decodeBlock(flipped), BlockError)
      const cut = block.subarray(0, place % block.length)
      assert.throws(() => decodeBlock(cut), BlockError)
      assert.throws(() => decodeBlock(resealed(Buffer.concat([block, Buffer.of(0)]))), BlockError)
    }),
    runs,
  )
  const columns = { timestamps: Float64Array.of(1, 2, 9), values: Float64Array.of(0.1, 7, -0) }
  const block = encodeBlock(columns, 0, 3)
  for (let at = 0; at < 8 * block.length; at++) {
    const flipped = Buffer.from(block)
    flipped[at >>> 3] ^= 1 << (at & 7)
    assert.throws(() => decodeBlock(flipped), BlockError, `bit ${at}`)
  }
})

test('hostile bytes with a right checksum decode to something or are a BlockError', () => {
  fc.assert(
    fc.property(
      mixed,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }),
      (columns, at) => {
        const block = encodeBlock(columns, 0, columns.values.length)
        for (const [place, byte] of at) block[3 + (place % (block.length - 3))] = byte
        const hostile = resealed(block)
        try {
          const { timestamps, values } = decodeBlock(hostile)
          assert.equal(timestamps.length, values.length)
          for (let i = 1; i < timestamps.length; i++) assert.ok(timestamps[i] > timestamps[i - 1])
        } catch (error) {
          if (!(error instanceof BlockError)) throw error
        }
        try {
          readBlockHeader(hostile.subarray(0, at[0][0] % hostile.length))
        } catch (error) {
          if (!(error instanceof BlockError)) throw error
        }
      },
    ),
    { seed, numRuns: 1500 },
  )
})

test('random bytes are no block', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(255), (bytes, flags) => {
      const block = resealed(Buffer.concat([Buffer.of(0x57, 1, flags), bytes, Buffer.alloc(4)]))
      try {
        decodeBlock(block)
      } catch (error) {
        if (!(error instanceof BlockError)) throw error
      }
    }),
    { seed, numRuns: 5000 },
  )
})

test('a block is not larger than a hostile count allows', () => {
  const block = encodeBlock({ timestamps: Float64Array.of(5), values: Float64Array.of(1) }, 0, 1)
  // count is the varint behind the three bytes of magic, version and flags.
  const hostile = Buffer.concat([
    block.subarray(0, 3),
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]),
    block.subarray(4),
  ])
  assert.throws(() => decodeBlock(resealed(hostile)), /count is 4294967295/)
})

test('large blocks and many texts come back', () => {
  const count = 65_536
  const timestamps = Float64Array.from({ length: count }, (_, i) => 1000 * i + (i % 7))
  const values = Float64Array.from({ length: count }, (_, i) => Math.sin(i) * 10 ** (i % 300))
  const decoded = decodeBlock(encodeBlock({ timestamps, values }, 0, count))
  assertSame(decoded.values, values)
  assertSame(decoded.timestamps, timestamps)
  const texts = Array.from({ length: count }, (_, i) => `état ${i} ${'€'.repeat(i % 40)}`)
  const nothing = new Float64Array(count).fill(NaN)
  const words = decodeBlock(encodeBlock({ timestamps, values: nothing, texts }, 0, count))
  assert.deepEqual(words.texts, texts)
  const over = { timestamps: new Float64Array(count + 1), values: new Float64Array(count + 1) }
  assert.throws(() => encodeBlock(over, 0, count + 1), BlockError)
})

test('columns that break the contract are refused', () => {
  const encode = (timestamps: number[], values: number[], texts?: (string | undefined)[]): Buffer =>
    encodeBlock(
      {
        timestamps: Float64Array.from(timestamps),
        values: Float64Array.from(values),
        ...(texts === undefined ? {} : { texts }),
      },
      0,
      timestamps.length,
    )
  assert.throws(() => encode([], []), BlockError)
  assert.throws(() => encode([1, 1], [1, 2]), BlockError)
  assert.throws(() => encode([2, 1], [1, 2]), BlockError)
  assert.throws(() => encode([1.5], [1]), BlockError)
  assert.throws(() => encode([-1], [1]), BlockError)
  assert.throws(() => encode([2 ** 53 + 2], [1]), BlockError)
  assert.throws(() => encode([1], [NaN]), BlockError)
  assert.throws(() => encode([1], [Infinity]), BlockError)
  assert.throws(() => encode([1], [1], ['a text']), BlockError)
})

test('decoding into columns without room is refused', () => {
  const columns = { timestamps: Float64Array.of(1, 2), values: Float64Array.of(1, 2) }
  const block = encodeBlock(columns, 0, 2)
  const room = new Float64Array(2)
  assert.throws(() => decodeBlockInto(block, room, room, 1), BlockError)
  assert.throws(() => decodeBlockInto(block, room, new Float64Array(1), 0), BlockError)
  assert.throws(() => decodeBlockInto(block, room, room, -1), BlockError)
})

test('what was returned is not touched by later calls', () => {
  const first = { timestamps: Float64Array.of(1, 2, 4), values: Float64Array.of(0.5, 1, 2) }
  const second = { timestamps: Float64Array.of(7, 8, 10), values: Float64Array.of(9, 8.5, 7) }
  const block = encodeBlock(first, 0, 3)
  const copy = Buffer.from(block)
  const decoded = decodeBlock(block)
  decodeBlock(encodeBlock(second, 0, 3))
  assert.deepEqual(block, copy)
  assert.deepEqual(decoded, first)
})

test('regular sensor data stays below its bytes a point', () => {
  const count = 4096
  const timestamps = Float64Array.from({ length: count }, (_, i) => 1_767_225_600e6 + i * 10e6)
  const bytesOf = (value: (i: number) => number): number =>
    encodeBlock({ timestamps, values: timestamps.map((_, i) => value(i)) }, 0, count).length
  assert.ok(bytesOf(() => 21.5) < 40)
  assert.ok(bytesOf(i => 1000 + 7 * i) < 60)
  assert.ok(bytesOf(i => Math.floor(i / 500) % 3) < 110)
  assert.ok(bytesOf(i => Math.round(2000 + 800 * Math.sin(i / 1400)) / 100) < 0.25 * count)
})
