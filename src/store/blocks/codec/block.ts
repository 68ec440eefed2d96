import { crc32 } from 'node:zlib'
import { BlockError } from './block-error.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { readDecimals, scaleDecimals, writeDecimals } from './decimals.ts'
import { findDictionary, readDictionary, writeDictionary } from './dictionary.ts'
import { addRange } from './double-sum.ts'
import type { Front } from './header.ts'
import {
  canScale,
  CONSTANT,
  DECIMALS,
  DICTIONARY,
  emptyFront,
  MAGIC,
  PLANES,
  readFront,
  VERSION,
  writeFront,
} from './header.ts'
import { MAX_BLOCK_POINTS } from './limits.ts'
import { readPlanes, writePlanes } from './planes.ts'
import { countTexts, readTexts, writeTexts } from './texts.ts'
import { measureSteps, readTimes, writeTimes } from './timestamps.ts'

export { BlockError } from './block-error.ts'

/**
 * A block: the points of one series over some time, compressed. Its bytes are in
 * docs/formats/block.md. Encoding and decoding reuse memory of the module: one thread, and what
 * is returned belongs to the caller.
 */
export interface BlockColumns {
  /** Strictly rising integers of microseconds, 0..2^53. */
  timestamps: Float64Array
  /** Finite; every bit pattern comes back as it was, -0 too. NaN where the point is a text. */
  values: Float64Array
  /** Per point its text, where it is one. Well-formed: UTF-8 has no lone surrogates. */
  texts?: (string | undefined)[]
}

/** A block's summary. Values are those of the points that are numbers; NaN when there are none. */
export interface BlockHeader {
  count: number
  /** Points that are not text. */
  numbers: number
  firstTime: number
  lastTime: number
  /** The sum as `DoubleSum`. When it overflows, the infinity or NaN that adding in order gives. */
  sumHigh: number
  sumLow: number
  min: number
  max: number
  firstValue: number
  lastValue: number
}

const CHECKSUM_BYTES = 4
const FRONT_BYTES = 128
/** More than a point can take in any kind, its exception and its code included. */
const POINT_BYTES = 36
/** Code tables: at most eight, 256 symbols each. */
const TABLE_BYTES = 4096

/**
 * Blocks are cut from larger pieces of memory: for one of its own V8 takes longer than for a point's
 * encoding, and its collector runs more often.
 */
const ARENA_BYTES = 1 << 18
let arena = Buffer.alloc(0)
let arenaUsed = 0

const writer = new ByteWriter()
const compact = new Float64Array(MAX_BLOCK_POINTS)

/**
 * Encodes points [from, to): at least one, at most MAX_BLOCK_POINTS.
 *
 * @throws BlockError when the columns are not as `BlockColumns` says.
 */
export function encodeBlock(columns: BlockColumns, from: number, to: number): Buffer {
  const { timestamps, texts } = columns
  const count = to - from
  if (!(count > 0 && count <= MAX_BLOCK_POINTS && from >= 0 && to <= timestamps.length)) {
    throw new BlockError(`points ${from} to ${to} of ${timestamps.length} cannot be a block`)
  }
  const textCount = texts === undefined ? 0 : countTexts(texts, from, to)
  const numbers = takeNumbers(columns, from, to)
  if (numbers !== count - textCount) throw new BlockError('a text point has a value')
  writer.reserve(FRONT_BYTES + TABLE_BYTES + POINT_BYTES * count)
  writer.at = 0
  const step = measureSteps(timestamps, from, to)
  const front = summarize(numbers)
  front.count = count
  front.firstTime = timestamps[from]
  front.lastTime = timestamps[to - 1]
  front.hasTexts = textCount > 0
  front.step = step
  const decimals = front.kind === PLANES ? scaleDecimals(compact, front) : undefined
  let size = 0
  if (decimals !== undefined) {
    front.kind = DECIMALS
    if (canScale(front, decimals.digits)) {
      front.digits = decimals.digits
      front.base = decimals.base
    }
  } else if (front.kind === PLANES) {
    size = findDictionary(compact, numbers)
    if (size > 0) front.kind = DICTIONARY
  }
  writeFront(writer, front)
  if (count > 1 && step === 0) writeTimes(writer, count - 1)
  if (decimals !== undefined) {
    if (front.digits < 0) {
      writer.byte(decimals.digits)
      writer.signed(decimals.base)
    }
    writeDecimals(writer, compact, { count: numbers, decimals })
  } else if (size > 0) writeDictionary(writer, { count: numbers, size })
  else if (front.kind === PLANES) writePlanes(writer, compact, numbers)
  if (texts !== undefined && textCount > 0) writeTexts(writer, texts, { from, to })
  return finish()
}

/** Copies the numbers of [from, to) to `compact`; returns how many they are. */
function takeNumbers({ values, texts }: BlockColumns, from: number, to: number): number {
  let numbers = 0
  for (let i = from; i < to; i++) {
    const value = values[i]
    if (texts !== undefined && texts[i] !== undefined) {
      if (value === value) throw new BlockError(`point ${i} is a text and a number`)
      continue
    }
    // Infinities and NaN are the values that differ from themselves after this.
    if (value - value !== 0) throw new BlockError(`value ${i} is not finite`)
    compact[numbers++] = value
  }
  return numbers
}

function summarize(numbers: number): Front {
  const front = emptyFront()
  front.numbers = numbers
  if (numbers === 0) return front
  const first = compact[0]
  let min = first
  let max = first
  for (let i = 1; i < numbers; i++) {
    const value = compact[i]
    if (value < min) min = value
    if (value > max) max = value
  }
  const sum = { high: 0, low: 0 }
  addRange(sum, compact, 0, numbers)
  front.sumHigh = sum.high
  front.sumLow = sum.low
  front.min = min
  front.max = max
  front.firstValue = first
  front.lastValue = compact[numbers - 1]
  front.kind = min === max && (min !== 0 || sameZeros(numbers)) ? CONSTANT : PLANES
  if (front.kind === CONSTANT) scaleConstant(front)
  return front
}

function sameZeros(numbers: number): boolean {
  for (let i = 1; i < numbers; i++) if (!Object.is(compact[i], compact[0])) return false
  return true
}

function scaleConstant(front: Front): void {
  for (let digits = 0; digits < 4; digits++) {
    if (!canScale(front, digits)) continue
    front.digits = digits
    front.base = Math.round(front.firstValue * 10 ** digits)
    return
  }
}

function finish(): Buffer {
  const end = writer.at
  writer.view.setUint32(end, crc32(writer.bytes.subarray(0, end)), true)
  const size = end + CHECKSUM_BYTES
  if (arenaUsed + size > arena.length) {
    arena = Buffer.allocUnsafeSlow(Math.max(ARENA_BYTES, size))
    arenaUsed = 0
  }
  const block = arena.subarray(arenaUsed, arenaUsed + size)
  arenaUsed += size
  writer.bytes.copy(block, 0, 0, size)
  return block
}

/** The summary, cheaply: neither checksum nor points are looked at. */
export function readBlockHeader(block: Uint8Array): BlockHeader {
  const front = readFront(new ByteReader(block, block.length - CHECKSUM_BYTES))
  const { count, numbers, firstTime, lastTime, sumHigh, sumLow } = front
  const { min, max, firstValue, lastValue } = front
  // prettier-ignore
  return { count, numbers, firstTime, lastTime, sumHigh, sumLow, min, max, firstValue, lastValue }
}

/** Whether some of the points are texts; only the first bytes are looked at. */
export function blockHasTexts(block: Uint8Array): boolean {
  if (block.length < 3 || block[0] !== MAGIC || block[1] !== VERSION) {
    throw new BlockError('the bytes are not a block')
  }
  return (block[2] & 8) !== 0
}

/** @throws BlockError when the bytes are not a whole and sound block. */
export function decodeBlock(block: Uint8Array): BlockColumns {
  const reader = openBlock(block)
  const front = readFront(reader)
  const { count, numbers, hasTexts } = front
  const timestamps = new Float64Array(count)
  const values = new Float64Array(count)
  decodeTimes(reader, front, { timestamps, at: 0 })
  decodeValues(reader, front, { values, at: 0 })
  const texts = hasTexts ? readTexts(reader, { points: count, count: count - numbers }) : undefined
  if (reader.at !== reader.end) throw new BlockError('bytes are left over')
  if (texts === undefined) return { timestamps, values }
  spread(values, texts, numbers)
  return { timestamps, values, texts }
}

/**
 * Decodes a block without texts into columns that are there, from place `at`.
 *
 * @returns how many points it had.
 * @throws BlockError as `decodeBlock`, when the block has texts, and when it does not fit.
 */
// oxlint-disable-next-line max-params -- the hot path of reads: no object per block
export function decodeBlockInto(
  block: Uint8Array,
  timestamps: Float64Array,
  values: Float64Array,
  at: number,
): number {
  const reader = openBlock(block)
  const front = readFront(reader)
  if (front.hasTexts) throw new BlockError('the block has texts')
  const room = Math.min(timestamps.length, values.length) - at
  if (!(at >= 0) || front.count > room) throw new BlockError(`${front.count} points do not fit`)
  decodeTimes(reader, front, { timestamps, at })
  decodeValues(reader, front, { values, at })
  if (reader.at !== reader.end) throw new BlockError('bytes are left over')
  return front.count
}

function openBlock(block: Uint8Array): ByteReader {
  const end = block.length - CHECKSUM_BYTES
  if (end < 0) throw new BlockError('the bytes are not a block')
  const reader = new ByteReader(block, end)
  if (crc32(block.subarray(0, end)) !== reader.view.getUint32(end, true)) {
    throw new BlockError('the checksum of a block differs')
  }
  return reader
}

function decodeTimes(
  reader: ByteReader,
  { count, firstTime, lastTime, step }: Front,
  { timestamps, at }: { timestamps: Float64Array; at: number },
): void {
  timestamps[at] = firstTime
  if (step > 0) {
    for (let i = 1; i < count; i++) timestamps[at + i] = firstTime + i * step
    return
  }
  if (count === 1) return
  readTimes(reader, timestamps, { at, count: count - 1 })
  let last = -1
  let sound = true
  for (let i = at; i < at + count; i++) {
    const time = timestamps[i]
    if (!(time > last && Math.floor(time) === time)) sound = false
    last = time
  }
  if (!sound || last !== lastTime) throw new BlockError('the times of a block do not rise')
}

function decodeValues(
  reader: ByteReader,
  front: Front,
  { values, at }: { values: Float64Array; at: number },
): void {
  const { kind, numbers: count } = front
  if (kind === CONSTANT) values.fill(front.firstValue, at, at + count)
  else if (kind === DECIMALS) {
    let { digits, base } = front
    if (digits < 0) {
      digits = reader.byte()
      base = reader.signed()
    }
    readDecimals(reader, { values, at, count, digits, base })
  } else if (kind === DICTIONARY) readDictionary(reader, values, { at, count })
  else if (kind === PLANES) readPlanes(reader, values, { at, count })
}

/** Moves the numbers, which stand at the front, to the points that are no texts. */
function spread(values: Float64Array, texts: (string | undefined)[], numbers: number): void {
  let next = numbers
  for (let i = values.length - 1; i >= 0; i--) {
    values[i] = texts[i] === undefined ? values[--next] : NaN
  }
}
