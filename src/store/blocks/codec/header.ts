import { BlockError } from './block-error.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { MAX_BLOCK_POINTS, MAX_DIGITS, MAX_TIME, powers } from './limits.ts'

export const MAGIC = 0x57
export const VERSION = 1

export const NO_VALUES = 0
export const CONSTANT = 1
export const DECIMALS = 2
export const DICTIONARY = 3
export const PLANES = 4
const KIND_MASK = 7
const HAS_TEXTS = 8
const REGULAR = 16
/** First, last, least and greatest value are stored as integers over a power of ten. */
const SCALED = 32
/** The sum is an integer below 2^52 and `sumLow` 0. */
const WHOLE_SUM = 64

/** What the front of a block says: the summary, and how the rest is to be read. */
export interface Front {
  count: number
  numbers: number
  firstTime: number
  lastTime: number
  sumHigh: number
  sumLow: number
  min: number
  max: number
  firstValue: number
  lastValue: number
  kind: number
  hasTexts: boolean
  /** The step of regular times; 0 where a section of times follows. */
  step: number
  /** Digits of scaled values, -1 where values are not scaled. */
  digits: number
  /** The integer of the first value, where `digits` is not -1. */
  base: number
}

export function emptyFront(): Front {
  return {
    count: 0,
    numbers: 0,
    firstTime: 0,
    lastTime: 0,
    sumHigh: 0,
    sumLow: 0,
    min: NaN,
    max: NaN,
    firstValue: NaN,
    lastValue: NaN,
    kind: NO_VALUES,
    hasTexts: false,
    step: 0,
    digits: -1,
    base: 0,
  }
}

/** Whether value = integer / 10^digits, bit for bit (so not -0), for each of the summary's. */
export function canScale(front: Front, digits: number): boolean {
  const { firstValue, lastValue, min, max } = front
  for (const value of [firstValue, lastValue, min, max]) {
    const integer = toInteger(value, digits)
    if (!(Math.abs(integer) < 2 ** 51) || Object.is(integer, -0)) return false
    if (integer / powers[digits] !== value) return false
  }
  return true
}

export function toInteger(value: number, digits: number): number {
  return Math.round(value * powers[digits])
}

export function writeFront(writer: ByteWriter, front: Front): void {
  const { count, numbers, digits, sumHigh } = front
  const whole =
    Number.isInteger(sumHigh) &&
    Math.abs(sumHigh) < 2 ** 52 &&
    Object.is(front.sumLow, 0) &&
    !Object.is(sumHigh, -0)
  writer.byte(MAGIC)
  writer.byte(VERSION)
  writer.byte(
    front.kind |
      (front.hasTexts ? HAS_TEXTS : 0) |
      (front.step > 0 ? REGULAR : 0) |
      (digits >= 0 ? SCALED : 0) |
      (whole ? WHOLE_SUM : 0),
  )
  writer.varint(count)
  if (front.hasTexts) writer.varint(numbers)
  writeTime(writer, front.firstTime)
  if (front.step > 0) writer.varint(front.step)
  else if (count > 1) writer.varint(front.lastTime - front.firstTime)
  if (numbers === 0) return
  if (digits >= 0) {
    writer.byte(digits)
    writer.signed(front.base)
    if (front.kind !== CONSTANT) {
      writer.signed(toInteger(front.lastValue, digits) - front.base)
      writer.varint(front.base - toInteger(front.min, digits))
      writer.varint(toInteger(front.max, digits) - front.base)
    }
  } else {
    writer.float(front.firstValue)
    if (front.kind !== CONSTANT) {
      writer.float(front.lastValue)
      writer.float(front.min)
      writer.float(front.max)
    }
  }
  if (whole) writer.signed(sumHigh)
  else {
    writer.float(sumHigh)
    writer.float(front.sumLow)
  }
}

/** Seven bytes. */
function writeTime(writer: ByteWriter, time: number): void {
  writer.view.setUint32(writer.at, time % 0x100000000, true)
  writer.view.setUint32(writer.at + 4, Math.floor(time / 0x100000000), true)
  writer.at += 7
}

export function readFront(reader: ByteReader): Front {
  const { view } = reader
  const start = reader.take(3)
  if (view.getUint8(start) !== MAGIC) throw new BlockError('the bytes are not a block')
  const version = view.getUint8(start + 1)
  if (version !== VERSION) throw new BlockError(`block version ${version} is not known`)
  const flags = view.getUint8(start + 2)
  const kind = flags & KIND_MASK
  const hasTexts = (flags & HAS_TEXTS) !== 0
  const count = reader.bounded(MAX_BLOCK_POINTS, 'count')
  const numbers = hasTexts ? reader.bounded(count, 'count of numbers') : count
  if (flags > 127 || kind > PLANES || count === 0 || (numbers === 0) !== (kind === NO_VALUES)) {
    throw new BlockError('the flags of a block do not fit its counts')
  }
  const timeAt = reader.take(7)
  const upper = view.getUint16(timeAt + 4, true) + 0x10000 * view.getUint8(timeAt + 6)
  const firstTime = view.getUint32(timeAt, true) + 0x100000000 * upper
  const step = (flags & REGULAR) === 0 ? 0 : reader.varint()
  let lastTime = firstTime
  if (step > 0) lastTime += step * (count - 1)
  else if (count > 1) lastTime += reader.varint()
  if (lastTime > MAX_TIME) throw new BlockError('the last time is out of range')
  const front = emptyFront()
  front.count = count
  front.numbers = numbers
  front.firstTime = firstTime
  front.lastTime = lastTime
  front.kind = kind
  front.hasTexts = hasTexts
  front.step = step
  if (numbers > 0) readSummary(reader, front, flags)
  return front
}

function readSummary(reader: ByteReader, front: Front, flags: number): void {
  const constant = front.kind === CONSTANT
  if ((flags & SCALED) === 0) {
    front.firstValue = reader.float()
    front.lastValue = constant ? front.firstValue : reader.float()
    front.min = constant ? front.firstValue : reader.float()
    front.max = constant ? front.firstValue : reader.float()
  } else {
    const digits = reader.byte()
    if (digits > MAX_DIGITS) throw new BlockError(`${digits} digits are not possible`)
    const power = powers[digits]
    const base = reader.signed()
    front.digits = digits
    front.base = base
    front.firstValue = base / power
    front.lastValue = constant ? front.firstValue : (base + reader.signed()) / power
    front.min = constant ? front.firstValue : (base - reader.varint()) / power
    front.max = constant ? front.firstValue : (base + reader.varint()) / power
  }
  if ((flags & WHOLE_SUM) !== 0) front.sumHigh = reader.signed()
  else {
    front.sumHigh = reader.float()
    front.sumLow = reader.float()
  }
}
