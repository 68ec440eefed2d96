import { BlockError } from './block-error.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readIntegers, readWide, writeIntegers, writeWide } from './integers.ts'
import { MAX_BLOCK_POINTS, MAX_TIME } from './limits.ts'

/**
 * Times that are not regular (all steps equal; those need only the header), in units of the
 * greatest common divisor of the steps:
 * - STEPS: each step minus the usual one
 * - TURNS: each step minus the one before
 * - GRID: jitter around multiples of a period: how many periods each step spans, and how far off
 *   each time is
 * - WIDE: each step minus 1, for steps that do not fit the others
 */
const STEPS = 1
const TURNS = 2
const GRID = 3
const WIDE = 4
const LIMIT = 2 ** 28

const steps = new Float64Array(MAX_BLOCK_POINTS)
const units = new Int32Array(MAX_BLOCK_POINTS)
const residuals = new Int32Array(MAX_BLOCK_POINTS)
const periods = new Int32Array(MAX_BLOCK_POINTS)
const sample = new Float64Array(33)

/** The step of regular times; 0 where steps differ. Leaves the steps for `writeTimes`. */
export function measureSteps(times: Float64Array, from: number, to: number): number {
  let last = times[from]
  if (!(last >= 0 && last <= MAX_TIME && Math.floor(last) === last)) throw badTime(from)
  const first = from + 1 < to ? times[from + 1] - last : 0
  let regular = true
  for (let i = from + 1; i < to; i++) {
    const time = times[i]
    const step = time - last
    if (!(step > 0 && time <= MAX_TIME && Math.floor(time) === time)) throw badTime(i)
    if (step !== first) regular = false
    steps[i - from - 1] = step
    last = time
  }
  return regular ? first : 0
}

function badTime(index: number): BlockError {
  return new BlockError(`time ${index} is not an integer of microseconds above the one before`)
}

/** Writes the `count` steps that `measureSteps` left. */
export function writeTimes(writer: ByteWriter, count: number): void {
  const unit = commonDivisor(count)
  let largest = 0
  for (let i = 0; i < count; i++) if (steps[i] > largest) largest = steps[i]
  if (largest / unit >= LIMIT) {
    writer.byte(WIDE)
    for (let i = 0; i < count; i++) steps[i] -= 1
    writeWide(writer, steps, count)
    return
  }
  for (let i = 0; i < count; i++) units[i] = steps[i] / unit
  const usual = usualStep(count)
  let stepBits = 0
  let turnBits = 0
  let last = usual
  for (let i = 0; i < count; i++) {
    stepBits += bitLength(units[i] - usual)
    turnBits += bitLength(units[i] - last)
    last = units[i]
  }
  const grid = fitGrid(count, usual)
  if (grid !== undefined && grid.bits < stepBits && grid.bits < turnBits) {
    writer.byte(GRID)
    writer.varint(unit)
    writer.float(grid.period)
    writer.signed(grid.offset)
    writeIntegers(writer, periods, count)
    writeIntegers(writer, residuals, count)
    return
  }
  writer.byte(turnBits < stepBits ? TURNS : STEPS)
  writer.varint(unit)
  writer.varint(usual)
  last = usual
  for (let i = 0; i < count; i++) {
    residuals[i] = units[i] - last
    if (turnBits < stepBits) last = units[i]
  }
  writeIntegers(writer, residuals, count)
}

function bitLength(integer: number): number {
  return 32 - Math.clz32((integer << 1) ^ (integer >> 31))
}

function commonDivisor(count: number): number {
  let divisor = steps[0]
  for (let i = 1; i < count && divisor !== 1; i++) {
    const step = steps[i]
    // Exact: both are integers below 2^53, and floor() of the rounded quotient times the divisor
    // only gives the step back when it is a multiple.
    if (Math.floor(step / divisor) * divisor === step) continue
    let a = divisor
    let b = step % divisor
    while (b !== 0) {
      const rest = a % b
      a = b
      b = rest
    }
    divisor = a
  }
  return divisor
}

/** A median of at most 33 steps. */
function usualStep(count: number): number {
  const taken = Math.min(count, sample.length)
  const stride = count / taken
  for (let i = 0; i < taken; i++) sample[i] = units[Math.floor(i * stride)]
  sample.subarray(0, taken).sort()
  return sample[taken >>> 1]
}

interface Grid {
  period: number
  offset: number
  bits: number
}

/** Fits a line through (periods passed, time) by least squares; fills `periods`, `residuals`. */
function fitGrid(count: number, usual: number): Grid | undefined {
  if (count < 16) return undefined
  let passed = 0
  let drift = 0
  let sumX = 0
  let sumY = 0
  let sumXX = 0
  let sumXY = 0
  for (let i = 0; i < count; i++) {
    const span = Math.floor(units[i] / usual + 0.5)
    periods[i] = span - 1
    passed += span
    drift += units[i] - span * usual
    sumX += passed
    sumY += drift
    sumXX += passed * passed
    sumXY += passed * drift
  }
  const spread = count * sumXX - sumX * sumX
  if (!(spread > 0)) return undefined
  const slope = (count * sumXY - sumX * sumY) / spread
  const period = Math.abs(slope * passed) < 1 ? usual : usual + slope
  const offset = Math.round((sumY - (period - usual) * sumX) / count)
  passed = 0
  let time = 0
  let bits = 0
  for (let i = 0; i < count; i++) {
    passed += periods[i] + 1
    time += units[i]
    const residual = time - offset - Math.floor(passed * period + 0.5)
    if (!(Math.abs(residual) < LIMIT)) return undefined
    residuals[i] = residual
    bits += bitLength(residual) + bitLength(periods[i])
  }
  return { period, offset, bits }
}

/** Reads what `writeTimes` wrote; `times[at]` is the first time already. */
export function readTimes(
  reader: ByteReader,
  times: Float64Array,
  { at, count }: { at: number; count: number },
): void {
  const mode = reader.byte()
  let time = times[at]
  if (mode === WIDE) {
    readWide(reader, steps, count)
    for (let i = 0; i < count; i++) {
      time += steps[i] + 1
      times[at + 1 + i] = time
    }
  } else if (mode === GRID) readGrid(reader, times, { at, count })
  else if (mode === STEPS || mode === TURNS) {
    const unit = reader.varint()
    const usual = reader.bounded(LIMIT, 'step')
    readIntegers(reader, residuals, count)
    let step = usual
    const keep = mode === STEPS ? 0 : 1
    for (let i = 0; i < count; i++) {
      const next = step + residuals[i]
      time += next * unit
      times[at + 1 + i] = time
      step += keep * residuals[i]
    }
  } else throw new BlockError(`time mode ${mode} is not known`)
}

function readGrid(
  reader: ByteReader,
  times: Float64Array,
  { at, count }: { at: number; count: number },
): void {
  const unit = reader.varint()
  const period = reader.float()
  const offset = reader.signed()
  readIntegers(reader, periods, count)
  readIntegers(reader, residuals, count)
  const first = times[at]
  let passed = 0
  for (let i = 0; i < count; i++) {
    passed += periods[i] + 1
    times[at + 1 + i] = first + unit * (Math.floor(passed * period + 0.5) + offset + residuals[i])
  }
}
