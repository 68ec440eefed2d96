import { isoFromTime } from '../../model/time.ts'
import type { TimeUnit } from '../time-reader.ts'
import { timeReader } from '../time-reader.ts'
import type { NameIndex, RefusedValue, ValueColumn } from './table-chunk.ts'
import type { StoredTime } from './table-layout.ts'

/** What the Parquet reader gives for a column: typed arrays where it can, else values, holes or null. */
export type RawColumn = ArrayLike<unknown>

/** A time of a column that is no integer: microseconds since 1970, before it too. */
export class TimeValue {
  readonly us: number
  constructor(us: number) {
    this.us = us
  }
}

const TWO_32 = 2 ** 32

/** Integers of 64 bits, which a float64 may round; fast where they are in one array. */
function int64s(column: BigInt64Array): Float64Array {
  const halves = new Int32Array(column.buffer, column.byteOffset, 2 * column.length)
  const out = new Float64Array(column.length)
  for (let i = 0; i < out.length; i++) {
    out[i] = halves[2 * i + 1] * TWO_32 + (halves[2 * i] >>> 0)
  }
  return out
}

/** Microseconds since 1970 of each row; NaN where there is no time, or one before 1970. */
export function timesOf(
  column: RawColumn,
  { stored, unit }: { readonly stored: StoredTime | undefined; readonly unit: TimeUnit },
): Float64Array {
  if (stored === 'MILLIS' || stored === 'MICROS') {
    const scale = stored === 'MILLIS' ? 1000 : 1
    if (column instanceof BigInt64Array) {
      const times = int64s(column)
      for (let i = 0; i < times.length; i++) times[i] = toTime(times[i] * scale)
      return times
    }
    return mapped(column, value => toTime(Number(value) * scale))
  }
  if (stored === 'NANOS') return mapped(column, value => toTime(Number((value as bigint) / 1000n)))
  const read = timeReader(unit)
  return mapped(column, value =>
    toTime(value instanceof TimeValue ? value.us : read(String(value))),
  )
}

const toTime = (us: number): number => (us >= 0 ? us : NaN)

function mapped(column: RawColumn, time: (value: unknown) => number): Float64Array {
  const times = new Float64Array(column.length)
  for (let i = 0; i < times.length; i++) {
    const value = column[i]
    times[i] = value === undefined || value === null ? NaN : time(value)
  }
  return times
}

/** The names in a column; numbers are names too, as people write ids. */
export function namesOf(column: RawColumn): NameIndex {
  const names: string[] = []
  const places = new Map<string, number>()
  const index = new Uint32Array(column.length)
  let last: unknown
  let place = -1
  for (let i = 0; i < index.length; i++) {
    const value = column[i]
    if (value !== last || place < 0) {
      last = value
      if (value === undefined || value === null) place = 0xffff_ffff
      else {
        const name = String(value)
        place = places.get(name) ?? names.push(name) - 1
        places.set(name, place)
      }
    }
    index[i] = place
  }
  return { names, index }
}

/** The same name for each of so many rows. */
export function constantName(name: string, rows: number): NameIndex {
  return { names: [name], index: new Uint32Array(rows) }
}

/** Numbers and texts of a column; what is neither is refused. */
export function valuesOf(
  column: RawColumn,
  field: string,
  refused: RefusedValue[],
): Pick<ValueColumn, 'numbers' | 'texts'> {
  if (column instanceof Float64Array && !holdsInfinity(column)) return { numbers: column }
  const numbers = new Float64Array(column.length).fill(NaN)
  let texts: (string | undefined)[] | undefined
  for (let row = 0; row < column.length; row++) {
    const value = column[row]
    if (value === undefined || value === null) continue
    if (typeof value === 'number') {
      if (Math.abs(value) === Infinity) {
        const detail = 'is beyond the range of a float64'
        refused.push({ row, field, detail, reason: 'invalid_value' })
      } else numbers[row] = value
    } else if (typeof value === 'bigint') {
      numbers[row] = Number(value)
      if (BigInt(numbers[row]) === value) continue
      numbers[row] = NaN
      const detail = `${value} has no exact float64`
      refused.push({ row, field, detail, reason: 'inexact_number' })
    } else if (typeof value === 'boolean') numbers[row] = value ? 1 : 0
    else {
      const text = textOf(value)
      texts ??= new Array<string | undefined>(column.length)
      texts[row] = text
      if (text !== undefined) continue
      const detail = 'is neither a number nor a text'
      refused.push({ row, field, detail, reason: 'invalid_value' })
    }
  }
  return texts === undefined ? { numbers } : { numbers, texts }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (value instanceof TimeValue && value.us >= 0) return isoFromTime(value.us)
  return undefined
}

function holdsInfinity(column: Float64Array): boolean {
  for (const value of column) if (value === Infinity || value === -Infinity) return true
  return false
}
