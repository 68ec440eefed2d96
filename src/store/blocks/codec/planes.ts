import { BlockError } from './block-error.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import {
  assignCodes,
  buildLengths,
  codes,
  decodeTable,
  readTable,
  writeLengths,
} from './huffman.ts'
import { MAX_BLOCK_POINTS } from './limits.ts'

/**
 * Float64 bits as eight planes of bytes, least significant first, after a transform of each
 * value's 64 bits: none, exclusive or with the value before, or the zigzag difference to it as
 * integers. A plane is one byte for all, Huffman-coded, or as it is.
 */
const PLAIN = 0
const XOR = 1
const DIFFERENCE = 2
const SAME = 0
const CODED = 1
const RAW = 2
const SAMPLE = 128

const words = new Int32Array(2 * MAX_BLOCK_POINTS)
const wordBytes = new Uint8Array(words.buffer)
const wordFloats = new Float64Array(words.buffer)
const sources = new Int32Array(2 * MAX_BLOCK_POINTS)
const sourceFloats = new Float64Array(sources.buffer)
const frequencies = new Int32Array(256)
/** n * log2(n). */
const entropyTerms = new Float64Array(4100).map((_, n) => (n === 0 ? 0 : n * Math.log2(n)))

export function writePlanes(writer: ByteWriter, values: Float64Array, count: number): void {
  for (let i = 0; i < count; i++) sourceFloats[i] = values[i]
  const transform = choose(count)
  writer.byte(transform)
  apply(transform, count)
  for (let plane = 0; plane < 8; plane++) writePlane(writer, plane, count)
}

/** By the entropy of a sample's planes. */
function choose(count: number): number {
  const taken = Math.min(count, SAMPLE)
  let best = PLAIN
  let least = Infinity
  for (let transform = PLAIN; transform <= DIFFERENCE; transform++) {
    apply(transform, taken)
    let cost = 0
    for (let plane = 0; plane < 8; plane++) cost += planeBits(plane, taken)
    if (cost < least) {
      least = cost
      best = transform
    }
  }
  return best
}

/** The least bits that Huffman codes with their table can need, about; fills `frequencies`. */
function planeBits(plane: number, count: number): number {
  frequencies.fill(0)
  let used = 0
  let bits = entropyTerm(count)
  for (let at = plane; at < 8 * count; at += 8) {
    const byte = wordBytes[at]
    const before = frequencies[byte]
    frequencies[byte] = before + 1
    if (before === 0) used++
    bits += entropyTerm(before) - entropyTerm(before + 1)
  }
  return used < 2 ? 0 : bits + 4 * used
}

function entropyTerm(count: number): number {
  return count < entropyTerms.length ? entropyTerms[count] : count * Math.log2(count)
}

function apply(transform: number, count: number): void {
  let low = 0
  let high = 0
  for (let i = 0; i < 2 * count; i += 2) {
    const nextLow = sources[i]
    const nextHigh = sources[i + 1]
    if (transform === PLAIN) {
      words[i] = nextLow
      words[i + 1] = nextHigh
    } else if (transform === XOR) {
      words[i] = nextLow ^ low
      words[i + 1] = nextHigh ^ high
    } else {
      const borrow = nextLow >>> 0 < low >>> 0 ? 1 : 0
      const lowStep = (nextLow - low) | 0
      const highStep = (nextHigh - high - borrow) | 0
      const sign = highStep >> 31
      words[i] = (lowStep << 1) ^ sign
      words[i + 1] = ((highStep << 1) | (lowStep >>> 31)) ^ sign
    }
    low = nextLow
    high = nextHigh
  }
}

function writePlane(writer: ByteWriter, plane: number, count: number): void {
  const bits = planeBits(plane, count)
  if (bits === 0) {
    writer.byte(SAME)
    writer.byte(wordBytes[plane])
    return
  }
  // A raw plane decodes several times faster: coding has to pay for that.
  if (bits < 8 * 0.97 * count) {
    writer.byte(CODED)
    buildLengths(frequencies, 11)
    writeLengths(writer)
    assignCodes()
    writeCoded(writer, plane, count)
    return
  }
  writer.byte(RAW)
  const { bytes } = writer
  let { at } = writer
  for (let from = plane; from < 8 * count; from += 8) bytes[at++] = wordBytes[from]
  writer.at = at
}

function writeCoded(writer: ByteWriter, plane: number, count: number): void {
  const { view } = writer
  let { at } = writer
  let buffer = 0
  let held = 0
  for (let from = plane; from < 8 * count; from += 8) {
    const code = codes[wordBytes[from]]
    buffer |= (code & 0xffff) << held
    held += code >>> 16
    view.setInt32(at, buffer, true)
    at += held >>> 3
    buffer >>>= held & 24
    held &= 7
  }
  view.setUint8(at, buffer)
  writer.at = at + (held > 0 ? 1 : 0)
}

/** Reads `count` values into `values` from `at`. */
export function readPlanes(
  reader: ByteReader,
  values: Float64Array,
  { at, count }: { at: number; count: number },
): void {
  const transform = reader.byte()
  if (transform > DIFFERENCE) throw new BlockError(`transform ${transform} is not known`)
  for (let plane = 0; plane < 8; plane++) readPlane(reader, plane, count)
  restore(transform, count)
  for (let i = 0; i < count; i++) values[at + i] = wordFloats[i]
}

function readPlane(reader: ByteReader, plane: number, count: number): void {
  const mode = reader.byte()
  const end = 8 * count
  if (mode === SAME) {
    const byte = reader.byte()
    for (let to = plane; to < end; to += 8) wordBytes[to] = byte
  } else if (mode === RAW) {
    let from = reader.take(count)
    const { bytes } = reader
    for (let to = plane; to < end; to += 8) wordBytes[to] = bytes[from++]
  } else if (mode === CODED) readCoded(reader, plane, count)
  else throw new BlockError(`plane mode ${mode} is not known`)
}

function readCoded(reader: ByteReader, plane: number, count: number): void {
  const mask = (1 << readTable(reader)) - 1
  const { view } = reader
  const end = 8 * reader.end
  let position = 8 * reader.at
  for (let to = plane; to < 8 * count; to += 8) {
    if (position > end) throw new BlockError('a plane ends too early')
    const word = view.getInt32(position >>> 3, true) >>> (position & 7)
    const entry = decodeTable[word & mask]
    wordBytes[to] = entry >>> 4
    position += entry & 15
  }
  if (position > end) throw new BlockError('a plane ends too early')
  reader.at = (position + 7) >>> 3
}

function restore(transform: number, count: number): void {
  if (transform === PLAIN) return
  let low = 0
  let high = 0
  for (let i = 0; i < 2 * count; i += 2) {
    if (transform === XOR) {
      low ^= words[i]
      high ^= words[i + 1]
    } else {
      const sign = -(words[i] & 1)
      const lowStep = ((words[i] >>> 1) | (words[i + 1] << 31)) ^ sign
      const highStep = (words[i + 1] >>> 1) ^ sign
      const sum = (low >>> 0) + (lowStep >>> 0)
      high = (high + highStep + (sum > 0xffffffff ? 1 : 0)) | 0
      low = sum | 0
    }
    words[i] = low
    words[i + 1] = high
  }
}
