import { timeFromIso, timeFromNumber } from './time.ts'

/** How the columns of a CSV file of somebody's are to be read. */
export interface CsvLayout {
  readonly header: readonly string[]
  readonly timeColumn: number
  /** Absent: the whole file is one device. */
  readonly deviceColumn: number | undefined
  readonly metricColumns: readonly number[]
}

export interface CsvChoice {
  readonly timeColumn?: string
  readonly deviceColumn?: string
  /**
   * The columns that are metrics, by name; `all` but time and device; by default those that hold
   * nothing but numbers.
   */
  readonly metrics?: 'numbers' | 'all' | readonly string[]
}

/** The file cannot be read as a recording; the message says what is wrong with it. */
export class RecordingError extends Error {
  override name = 'RecordingError'
}

const BLANKS: ReadonlySet<string> = new Set(['', 'nan', 'na', 'n/a', 'null', 'none', '-'])
const TIME_NAMES = /^(date[ _-]?time|time[ _-]?stamp|time|date|ts)$/i

/** The ways in which programs write that there is no value. */
export function isBlankCell(cell: string): boolean {
  return cell === '' || (cell.length <= 4 && BLANKS.has(cell.toLowerCase()))
}

/** The decimal number in a cell; NaN for a blank, a word, or what JSON cannot say (Infinity). */
export function cellNumber(cell: string): number {
  if (cell === '') return NaN
  const value = Number(cell)
  if (value - value !== 0) return NaN
  // `0x1f`, `0b1`, `0o7`: names of something, not measurements.
  const second = cell.charCodeAt(1) | 0x20
  if (second > 97 && second !== 101) return NaN
  return value
}

/** Microseconds since 1970 of a cell, ISO 8601 (no zone: UTC) or a number; NaN when it is no time. */
export function cellTime(cell: string): number {
  const time = timeFromIso(cell)
  return time === time ? time : timeFromNumber(cellNumber(cell))
}

/** Small numbers are values, not times: a guess takes numbers only from 1973 on. */
function looksLikeTime(cell: string): boolean {
  const value = cellNumber(cell)
  return value === value ? value >= 1e8 : timeFromIso(cell) >= 0
}

/**
 * Finds the columns from the header and the first rows: the time column is the one named, else one
 * called like a time, else the first that holds times. Every other column is a metric if all that
 * it holds in these rows is numbers, unless `choice.metrics` says otherwise.
 *
 * @throws RecordingError when there is no time column, no metric, or a name that occurs twice.
 */
export function csvLayout(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  choice: CsvChoice,
): CsvLayout {
  const twice = header.find((name, at) => name !== '' && header.indexOf(name) !== at)
  if (twice !== undefined) throw new RecordingError(`two columns are called "${twice}"`)
  const timeColumn = findTime(header, rows, choice.timeColumn)
  const deviceColumn =
    choice.deviceColumn === undefined ? undefined : columnNamed(header, choice.deviceColumn)
  const { metrics = 'numbers' } = choice
  const others = [...header.keys()].filter(
    column => column !== timeColumn && column !== deviceColumn && header[column] !== '',
  )
  let metricColumns
  if (metrics === 'all') metricColumns = others
  else if (metrics === 'numbers') metricColumns = others.filter(column => isNumeric(rows, column))
  else metricColumns = metrics.map(name => columnNamed(header, name))
  if (metricColumns.length === 0) {
    const what = metrics === 'all' ? 'there are only time and device' : 'no column holds numbers'
    throw new RecordingError(what)
  }
  return { header, timeColumn, deviceColumn, metricColumns }
}

/** @throws RecordingError that lists the columns there are. */
export function columnNamed(header: readonly string[], name: string): number {
  const column = header.indexOf(name)
  if (column < 0)
    throw new RecordingError(`no column is called "${name}"; there are: ${header.join(', ')}`)
  return column
}

function findTime(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  name: string | undefined,
): number {
  if (name !== undefined) return columnNamed(header, name)
  // Most of them: a broken row does not hide the column.
  const holdsTimes = (column: number): boolean =>
    2 * rows.filter(row => looksLikeTime(row[column] ?? '')).length > rows.length
  const columns = Array.from(header.keys())
  const called = columns.find(column => TIME_NAMES.test(header[column]) && holdsTimes(column))
  const found = called ?? columns.find(holdsTimes)
  if (found === undefined) throw new RecordingError('no column holds times; name the time column')
  return found
}

function isNumeric(rows: readonly (readonly string[])[], column: number): boolean {
  let numbers = 0
  for (const row of rows) {
    const cell = row[column] ?? ''
    if (isBlankCell(cell)) continue
    if (Number.isNaN(cellNumber(cell))) return false
    numbers++
  }
  return numbers > 0
}
