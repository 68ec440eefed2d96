/** Latest time that float64 microseconds hold exactly: 2^53 µs, in the year 2255. */
export const MAX_TIME_US = Number.MAX_SAFE_INTEGER

/**
 * Microseconds of a number given in seconds, milliseconds, microseconds or nanoseconds, told by its
 * magnitude: below 1e11 seconds (until the year 5138), below 1e14 ms, below 1e17 µs, else ns.
 * Fractions are rounded to the microsecond. NaN for what is no time: negative or not finite.
 */
export function timeFromNumber(value: number): number {
  if (!(value >= 0 && value < Infinity)) return NaN
  // Adding 0 makes 0 of -0.
  if (value < 1e11) return Math.round(value * 1e6) + 0
  if (value < 1e14) return Math.round(value * 1e3)
  if (value < 1e17) return Math.round(value)
  return Math.round(value / 1e3)
}

const digit = (text: string, at: number): number => {
  const d = text.charCodeAt(at) - 48
  return d >= 0 && d <= 9 ? d : NaN
}
const two = (text: string, at: number): number => digit(text, at) * 10 + digit(text, at + 1)

/** Days since 1970-01-01 of a proleptic Gregorian date (Hinnant, "chrono-compatible date algorithms"). */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146097 + dayOfEra - 719468
}

const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function isDate(year: number, month: number, day: number): boolean {
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= MONTH_DAYS[month - 1])) return false
  if (month !== 2 || day < 29) return year === year
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

/**
 * Microseconds of an ISO 8601 / RFC 3339 time: `2026-11-20`, `2026-11-20T10:15:30`, with `T` or a
 * space, seconds optional, any number of fraction digits (cut to the microsecond), `Z`, `±hh:mm`,
 * `±hhmm`, `±hh`, or no zone, which means UTC. NaN for anything else, and before 1970.
 */
export function timeFromIso(text: string): number {
  const length = text.length
  if (length < 10 || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return NaN
  const year = two(text, 0) * 100 + two(text, 2)
  const month = two(text, 5)
  const day = two(text, 8)
  if (!isDate(year, month, day)) return NaN
  const days = daysFromCivil(year, month, day)
  if (length === 10) return days >= 0 ? days * 86_400e6 : NaN
  const separator = text.charCodeAt(10)
  if ((separator !== 84 && separator !== 116 && separator !== 32) || length < 16) return NaN
  const hour = two(text, 11)
  const minute = two(text, 14)
  if (text.charCodeAt(13) !== 58 || !(hour <= 23 && minute <= 59)) return NaN
  let seconds = 0
  let micros = 0
  let at = 16
  if (text.charCodeAt(at) === 58) {
    seconds = two(text, 17)
    if (!(seconds <= 59)) return NaN
    at = 19
    const point = text.charCodeAt(at)
    if (point === 46 || point === 44) {
      const begin = ++at
      for (let scale = 1e5; digit(text, at) >= 0; at++, scale /= 10) {
        if (scale >= 1) micros += digit(text, at) * Math.round(scale)
      }
      if (at === begin) return NaN
    }
  }
  const zone = at === length ? 0 : zoneMinutes(text, at)
  const result = (days * 86_400 + hour * 3600 + (minute - zone) * 60 + seconds) * 1e6 + micros
  return result >= 0 ? result : NaN
}

/** Minutes east of UTC of the zone that ends the text; NaN when it is none. */
function zoneMinutes(text: string, at: number): number {
  const sign = text.charCodeAt(at)
  const rest = text.length - at - 1
  if ((sign === 90 || sign === 122) && rest === 0) return 0
  if (sign !== 43 && sign !== 45) return NaN
  const hours = two(text, at + 1)
  let minutes = 0
  if (rest === 5 && text.charCodeAt(at + 3) === 58) minutes = two(text, at + 4)
  else if (rest === 4) minutes = two(text, at + 3)
  else if (rest !== 2) return NaN
  if (!(hours <= 23 && minutes <= 59)) return NaN
  return (sign === 45 ? -1 : 1) * (hours * 60 + minutes)
}

let lastSecond = NaN
let lastPrefix = ''

/** ISO 8601 in UTC: milliseconds as a rule, microseconds when there are any. */
export function isoFromTime(timeUs: number): string {
  const second = Math.floor(timeUs / 1e6)
  if (second !== lastSecond) {
    // Most times of a moment are of one second, and a Date costs half a microsecond.
    lastPrefix = new Date(second * 1000).toISOString().slice(0, -4)
    lastSecond = second
  }
  const rest = timeUs - second * 1e6
  const ms = Math.floor(rest / 1000)
  const micros = rest - ms * 1000
  return `${lastPrefix}${threeDigits(ms)}${micros === 0 ? '' : threeDigits(micros)}Z`
}

const threeDigits = (value: number): string =>
  value >= 100 ? String(value) : value >= 10 ? `0${value}` : `00${value}`
