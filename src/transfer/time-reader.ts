import { cellNumber } from '../model/csv-layout.ts'
import { timeFromIso, timeFromNumber } from '../model/time.ts'

/** How the times of a file are to be read; `auto` tells numbers by their magnitude. */
export const TIME_UNITS = ['auto', 'iso', 's', 'ms', 'us', 'ns'] as const
export type TimeUnit = (typeof TIME_UNITS)[number]

/** Digits of a number of the unit that are whole microseconds after the point, or before it. */
const MICRO_DIGITS = { s: 6, ms: 3, us: 0, ns: -3 } as const

/** Reads times to microseconds since 1970, cut to the microsecond; NaN for what is none. */
export function timeReader(unit: TimeUnit): (cell: string) => number {
  if (unit === 'iso') return timeFromIso
  if (unit !== 'auto') return cell => decimalTime(cell, MICRO_DIGITS[unit])
  return cell => {
    const time = timeFromIso(cell)
    if (time === time) return time
    // Nanoseconds of today are beyond what a float64 holds exactly.
    if (/^\d{17,20}$/.test(cell)) return decimalTime(cell, MICRO_DIGITS.ns)
    return timeFromNumber(cellNumber(cell))
  }
}

/** Without a float64 in between, which has not enough digits for microseconds as seconds. */
function decimalTime(cell: string, shift: number): number {
  const [, whole, fraction = ''] = /^(\d{1,20})(?:[.,](\d*))?$/.exec(cell) ?? []
  if (whole === undefined) {
    const value = cellNumber(cell)
    return value >= 0 ? Math.round(value * 10 ** shift) : NaN
  }
  if (shift < 0) return Number(whole.slice(0, shift) || '0')
  return Number(whole + fraction.slice(0, shift).padEnd(shift, '0'))
}
