import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BlockError } from './block-error.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { readIntegers, readWide, writeIntegers, writeWide } from './integers.ts'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
process.stdout.write(`seed ${seed} (set SEED to repeat)\n`)

const CONSTANT = 0
const HUFFMAN = 1
const PACKED = 2
const LIST = 3

/** What was written, followed by the four bytes that every block ends with. */
function written(write: (writer: ByteWriter) => void): { bytes: Uint8Array; end: number } {
  const writer = new ByteWriter()
  writer.reserve(1 << 20)
  write(writer)
  return { bytes: Uint8Array.from(writer.bytes.subarray(0, writer.at + 4)), end: writer.at }
}

function roundTrip(integers: Int32Array): number {
  const { bytes, end } = written(writer => writeIntegers(writer, integers, integers.length))
  const reader = new ByteReader(bytes, end)
  const read = new Int32Array(integers.length)
  readIntegers(reader, read, read.length)
  assert.deepEqual(read, integers)
  assert.equal(reader.at, end)
  return bytes[0]
}

function wideRoundTrip(integers: Float64Array): number {
  const { bytes, end } = written(writer => writeWide(writer, integers, integers.length))
  const reader = new ByteReader(bytes, end)
  const read = new Float64Array(integers.length)
  readWide(reader, read, read.length)
  assert.deepEqual(read, integers)
  assert.equal(reader.at, end)
  return bytes[0]
}

test('integers of any size and any runs of zeros come back', () => {
  const sizes = fc.nat(30).chain(bits => fc.integer({ min: -(2 ** bits), max: 2 ** bits }))
  const runs = fc.array(fc.tuple(sizes, fc.nat(40)), { maxLength: 200 })
  fc.assert(
    fc.property(runs, pieces => {
      const integers = pieces.flatMap(([integer, zeros]) => [
        integer,
        ...Array.from({ length: zeros }, () => 0),
      ])
      roundTrip(Int32Array.from(integers))
      roundTrip(Int32Array.from(pieces, ([integer]) => integer))
    }),
    { seed, numRuns: 300 },
  )
})

test('integers below 2^53 come back', () => {
  const sizes = fc.nat(53).chain(bits => fc.maxSafeInteger().map(n => Math.abs(n) % 2 ** bits))
  fc.assert(
    fc.property(fc.array(sizes, { minLength: 1, maxLength: 300 }), integers => {
      wideRoundTrip(Float64Array.from(integers))
    }),
    { seed, numRuns: 300 },
  )
})

test('each mode is chosen where it is the smallest', () => {
  assert.equal(roundTrip(new Int32Array(500).fill(-7)), CONSTANT)
  assert.equal(roundTrip(Int32Array.from({ length: 500 }, (_, i) => (i * i) % 5)), HUFFMAN)
  assert.equal(roundTrip(Int32Array.from({ length: 60_000 }, (_, i) => (i === 9 ? 1 : 0))), HUFFMAN)
  const spread = Int32Array.from({ length: 40 }, (_, i) => Math.imul(i, 0x9e3779b1) >> 12)
  assert.equal(roundTrip(spread), PACKED)
  assert.equal(wideRoundTrip(Float64Array.of(2 ** 53 - 1, 0, 1, 2 ** 32, 2 ** 31)), HUFFMAN)
  assert.equal(wideRoundTrip(Float64Array.of(2 ** 40, 2 ** 40 + 1)), LIST)
})

test('a distribution whose codes would be too long gets shorter ones', () => {
  // Frequencies that grow as Fibonacci's numbers give the longest codes: here up to 20 bits.
  const integers: number[] = []
  let [a, b] = [1, 1]
  for (let symbol = 1; symbol <= 20; symbol++) {
    for (let i = 0; i < a; i++) integers.push(symbol)
    ;[a, b] = [b, a + b]
  }
  const size = 2 + integers.length
  const { end } = written(w => writeIntegers(w, Int32Array.from(integers), integers.length))
  assert.ok(end < size)
  assert.equal(roundTrip(Int32Array.from(integers)), HUFFMAN)
  assert.equal(roundTrip(Int32Array.from(integers.slice(0, 900))), HUFFMAN)
})

test('a stream that ends early is an error', () => {
  const integers = Int32Array.from({ length: 300 }, (_, i) => (i * i) % 97)
  const { bytes, end } = written(writer => writeIntegers(writer, integers, 300))
  for (let cut = 0; cut < end; cut++) {
    const part = bytes.slice(0, cut + 4)
    const read = new Int32Array(300)
    assert.throws(() => readIntegers(new ByteReader(part, cut), read, 300), BlockError, `${cut}`)
  }
})

test('a table that is no complete code is an error', () => {
  const read = new Int32Array(8)
  // One symbol of one bit; three of one bit; no symbol; a table that never ends.
  for (const table of [[0xe1], [0x11, 0xe1], [0xe], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]) {
    const bytes = Uint8Array.from([HUFFMAN, ...table, ...new Uint8Array(300).fill(0xff)])
    assert.throws(() => readIntegers(new ByteReader(bytes, bytes.length - 4), read, 8), BlockError)
  }
})
