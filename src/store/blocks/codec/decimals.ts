import { BlockError } from './block-error.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readWide, writeWide } from './integers.ts'
import type { Front } from './header.ts'
import { MAX_BLOCK_POINTS, MAX_DIGITS, powers } from './limits.ts'
import { readSequence, SEQUENCE_LIMIT, writeSequence } from './predict.ts'

/**
 * Values as integers m with value = m / 10^k, exactly: a division of two exact float64 rounds
 * once, so a decoder in any language gives back the same bits. What does not fit (-0, a value of
 * more digits) is an exception, kept as it is.
 */
/** From 2^51 on, adding and subtracting ROUNDER no longer rounds to an integer. */
const LARGEST = 2 ** 51 - 1
const ROUNDER = 1.5 * 2 ** 52

const scaled = new Float64Array(MAX_BLOCK_POINTS)
const wide = new Float64Array(MAX_BLOCK_POINTS)
const integers = new Int32Array(MAX_BLOCK_POINTS)
const places = new Int32Array(MAX_BLOCK_POINTS)
/** How many of `places` are in use. */
let exceptions = 0

export interface Decimals {
  /** value = m / 10^digits. */
  digits: number
  /** m of the first value that is no exception. */
  base: number
  exceptions: number
  /** The least and greatest m - base. */
  least: number
  greatest: number
}

/**
 * Finds the integers of `values[0, numbers)` for `writeDecimals`; undefined when too many values
 * are no decimals. A value that needs more digits than those before starts it all again with
 * these (soon, in real data); a few that need many more than the others stay exceptions.
 */
export function scaleDecimals(values: Float64Array, front: Front): Decimals | undefined {
  const count = front.numbers
  let digits = 0
  for (;;) {
    const needed = tryDigits(values, count, digits)
    if (needed < 0) return undefined
    if (needed === digits) break
    digits = needed
  }
  let first = 0
  while (exceptions > first && places[first] === first) first++
  const base = scaled[first]
  let least = Math.round(front.min * powers[digits]) - base
  let greatest = Math.round(front.max * powers[digits]) - base
  if (exceptions > 0) {
    fillExceptions(count, base)
    least = 0
    greatest = 0
    for (let i = 0; i < count; i++) {
      const integer = scaled[i] - base
      if (integer < least) least = integer
      if (integer > greatest) greatest = integer
    }
  }
  return { digits, base, exceptions, least, greatest }
}

/** `digits`, when all but a few values fit; more, when they are needed; -1 when none will do. */
function tryDigits(values: Float64Array, count: number, digits: number): number {
  const power = powers[digits]
  const tolerated = count >>> 4
  let outliers = 0
  let outlierDigits = 0
  exceptions = 0
  for (let i = 0; i < count; i++) {
    const value = values[i]
    const integer = value * power + ROUNDER - ROUNDER
    scaled[i] = integer
    if (integer / power === value && Math.abs(integer) <= LARGEST) {
      if (integer !== 0 || 1 / value > 0) continue
    } else {
      const needed = digitsOf(value, digits)
      if (needed > digits && needed <= digits + 3) return needed
      if (needed > digits) {
        if (needed > outlierDigits) outlierDigits = needed
        if (++outliers > count >>> 6) return outlierDigits
      }
    }
    if (exceptions >= tolerated) return outlierDigits > 0 ? outlierDigits : -1
    places[exceptions++] = i
  }
  return digits
}

/** The least number of digits above `digits` that makes `value` an integer; 0 when none does. */
function digitsOf(value: number, digits: number): number {
  for (let more = digits + 1; more <= MAX_DIGITS; more++) {
    const power = powers[more]
    const integer = value * power + ROUNDER - ROUNDER
    if (integer / power === value && Math.abs(integer) <= LARGEST) return more
  }
  return 0
}

/** An exception stands as the integer before it, which costs least. */
function fillExceptions(count: number, base: number): void {
  for (let i = 0; i < exceptions; i++) {
    const place = places[i]
    if (place < count) scaled[place] = place === 0 ? base : scaled[place - 1]
  }
}

/** Writes what `scaleDecimals` left; `digits` and `base` are written by the caller. */
export function writeDecimals(
  writer: ByteWriter,
  values: Float64Array,
  { count, decimals }: { count: number; decimals: Decimals },
): void {
  const { base } = decimals
  const divisor = commonDivisor(count, base)
  const narrow = Math.max(-decimals.least, decimals.greatest) / divisor < SEQUENCE_LIMIT
  writer.varint(2 * divisor + (narrow ? 0 : 1))
  writer.varint(decimals.exceptions)
  writeExceptions(writer, values)
  if (narrow) {
    if (divisor === 1) for (let i = 0; i < count; i++) integers[i] = scaled[i] - base
    else for (let i = 0; i < count; i++) integers[i] = (scaled[i] - base) / divisor
    writeSequence(writer, integers, count)
    return
  }
  let last = 0
  for (let i = 0; i < count; i++) {
    const integer = (scaled[i] - base) / divisor
    const step = integer - last
    wide[i] = step < 0 ? -2 * step - 1 : 2 * step
    last = integer
  }
  writeWide(writer, wide, count)
}

/** Of the differences to the base, so that steps of 0.05 or 1000 count as 1. */
function commonDivisor(count: number, base: number): number {
  let divisor = 0
  for (let i = 0; i < count && divisor !== 1; i++) {
    const integer = Math.abs(scaled[i] - base)
    if (integer === 0) continue
    if (divisor === 0) divisor = integer
    else if (Math.floor(integer / divisor) * divisor !== integer) {
      let a = divisor
      let b = integer % divisor
      while (b !== 0) {
        const rest = a % b
        a = b
        b = rest
      }
      divisor = a
    }
  }
  return divisor === 0 ? 1 : divisor
}

function writeExceptions(writer: ByteWriter, values: Float64Array): void {
  let last = -1
  for (let i = 0; i < exceptions; i++) {
    const value = values[places[i]]
    const negativeZero = value === 0
    writer.varint(2 * (places[i] - last - 1) + (negativeZero ? 0 : 1))
    if (!negativeZero) writer.float(value)
    last = places[i]
  }
}

export interface DecimalTarget {
  values: Float64Array
  at: number
  count: number
  digits: number
  base: number
}

/** Reads `count` values into `values` from `at`. */
export function readDecimals(reader: ByteReader, target: DecimalTarget): void {
  const { values, at, count, digits, base } = target
  const power = powers[digits]
  const form = reader.varint()
  const divisor = Math.floor(form / 2)
  const exceptions = reader.bounded(count, 'number of exceptions')
  // They are met before the values: where they are is kept until the values are there.
  const exceptionsAt = reader.at
  skipExceptions(reader, exceptions)
  if (form % 2 === 0) {
    readSequence(reader, integers, count)
    for (let i = 0; i < count; i++) values[at + i] = (integers[i] * divisor + base) / power
  } else {
    readWide(reader, wide, count)
    let last = 0
    for (let i = 0; i < count; i++) {
      const folded = wide[i]
      last += folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2
      values[at + i] = (last * divisor + base) / power
    }
  }
  if (exceptions === 0) return
  const end = reader.at
  reader.at = exceptionsAt
  let place = -1
  for (let i = 0; i < exceptions; i++) {
    const entry = reader.varint()
    place += Math.floor(entry / 2) + 1
    if (place >= count) throw new BlockError('an exception is out of range')
    values[at + place] = entry % 2 === 0 ? -0 : reader.float()
  }
  reader.at = end
}

function skipExceptions(reader: ByteReader, exceptions: number): void {
  for (let i = 0; i < exceptions; i++) if (reader.varint() % 2 === 1) reader.take(8)
}
