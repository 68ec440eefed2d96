import { BlockError } from './block-error.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readIntegers, writeIntegers } from './integers.ts'
import { MAX_BLOCK_POINTS } from './limits.ts'

/**
 * A sequence of integers as residuals of the best of four predictions, chosen by the residuals'
 * total bit length:
 * - LEVEL: one level for all (white noise around a mean)
 * - LAST: the integer before (walks, states, counters)
 * - LINE: the line through the two before (smooth and fine)
 * - SLOPE: the integer before plus the mean step of the eight before (smooth but quantised)
 */
const LEVEL = 0
const LAST = 1
const LINE = 2
const SLOPE = 3

/** The integers of a sequence lie within ±SEQUENCE_LIMIT, so that no residual leaves ±2^30. */
export const SEQUENCE_LIMIT = 2 ** 27
const residuals = new Int32Array(MAX_BLOCK_POINTS)

/** `integers[0]` is 0 or stored by the caller as the base that `readSequence` starts from. */
export function writeSequence(writer: ByteWriter, integers: Int32Array, count: number): void {
  const level = middle(integers, count)
  const prediction = choose(integers, count, level)
  writer.byte(prediction)
  if (prediction === LEVEL) {
    writer.signed(level)
    for (let i = 0; i < count; i++) residuals[i] = integers[i] - level
  } else if (prediction === LAST) {
    let last = 0
    for (let i = 0; i < count; i++) {
      residuals[i] = integers[i] - last
      last = integers[i]
    }
  } else if (prediction === LINE) {
    let last = 0
    let step = 0
    for (let i = 0; i < count; i++) {
      const next = integers[i] - last
      residuals[i] = next - step
      step = next
      last = integers[i]
    }
  } else {
    let last = 0
    for (let i = 0; i < count; i++) {
      const slope = i < 9 ? 0 : (last - integers[i - 9] + 4) >> 3
      residuals[i] = integers[i] - last - slope
      last = integers[i]
    }
  }
  writeIntegers(writer, residuals, count)
}

function middle(integers: Int32Array, count: number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += integers[i]
  return count === 0 ? 0 : Math.round(sum / count)
}

function choose(integers: Int32Array, count: number, level: number): number {
  let levelBits = 0
  let lastBits = 0
  let lineBits = 0
  let slopeBits = 0
  let last = 0
  let step = 0
  for (let i = 0; i < count; i++) {
    const integer = integers[i]
    const next = (integer - last) | 0
    const slope = i < 9 ? 0 : (last - integers[i - 9] + 4) >> 3
    levelBits += Math.clz32(zigzag((integer - level) | 0))
    lastBits += Math.clz32(zigzag(next))
    lineBits += Math.clz32(zigzag((next - step) | 0))
    slopeBits += Math.clz32(zigzag((next - slope) | 0))
    step = next
    last = integer
  }
  // These count leading zeros: more is better. Ties go to what decodes fastest.
  let best = lastBits
  let prediction = LAST
  if (levelBits > best) {
    best = levelBits
    prediction = LEVEL
  }
  if (lineBits > best) {
    best = lineBits
    prediction = LINE
  }
  return slopeBits > best ? SLOPE : prediction
}

function zigzag(integer: number): number {
  return (integer << 1) ^ (integer >> 31)
}

/** Restores what `writeSequence` wrote; sums wrap at 32 bits, whatever hostile bytes say. */
export function readSequence(reader: ByteReader, integers: Int32Array, count: number): void {
  const prediction = reader.byte()
  if (prediction > SLOPE) throw new BlockError(`prediction ${prediction} is not known`)
  const level = prediction === LEVEL ? reader.signed() | 0 : 0
  readIntegers(reader, integers, count)
  let last = 0
  if (prediction === LEVEL) {
    for (let i = 0; i < count; i++) integers[i] = (integers[i] + level) | 0
  } else if (prediction === LAST) {
    for (let i = 0; i < count; i++) {
      last = (last + integers[i]) | 0
      integers[i] = last
    }
  } else if (prediction === LINE) {
    let step = 0
    for (let i = 0; i < count; i++) {
      step = (step + integers[i]) | 0
      last = (last + step) | 0
      integers[i] = last
    }
  } else {
    for (let i = 0; i < count; i++) {
      const slope = i < 9 ? 0 : (last - integers[i - 9] + 4) >> 3
      last = (last + integers[i] + slope) | 0
      integers[i] = last
    }
  }
}
