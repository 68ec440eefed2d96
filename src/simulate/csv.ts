import { timeFromIso, timeFromNumber } from '../model/time.ts'

/** How the columns of a recorded CSV file are to be read. */
export interface CsvLayout {
  readonly delimiter: string
  readonly header: readonly string[]
  readonly timeColumn: number
  /** Absent: the whole file is one device. */
  readonly deviceColumn: number | undefined
  readonly metricColumns: readonly number[]
}

export interface CsvChoice {
  readonly timeColumn?: string
  readonly deviceColumn?: string
}

/** The file cannot be replayed; the message says what is wrong with it. */
export class RecordingError extends Error {
  override name = 'RecordingError'
}

const DELIMITERS = [',', ';', '\t']
const BLANKS: ReadonlySet<string> = new Set(['', 'nan', 'na', 'n/a', 'null', 'none', '-'])
const TIME_NAMES = /^(date[ _-]?time|time[ _-]?stamp|time|date|ts)$/i

/** The delimiter that splits the header into most cells; a comma when none splits it. */
export function sniffDelimiter(header: string): string {
  let best = ','
  let most = 1
  for (const delimiter of DELIMITERS) {
    const cells = splitCsvLine(header, delimiter).length
    if (cells > most) [best, most] = [delimiter, cells]
  }
  return best
}

/** The cells of one line (RFC 4180 quotes), without the white space around them. */
export function splitCsvLine(line: string, delimiter: string): string[] {
  if (!line.includes('"')) return line.split(delimiter).map(cell => cell.trim())
  const cells: string[] = []
  let cell = ''
  let quoted = false
  for (let i = 0; i < line.length; i++) {
    const char = line[i]
    if (quoted) {
      if (char !== '"') cell += char
      else if (line[i + 1] === '"') cell += line[++i]
      else quoted = false
    } else if (char === '"' && cell.trim() === '') {
      quoted = true
      cell = ''
    } else if (char === delimiter) {
      cells.push(cell.trim())
      cell = ''
    } else cell += char
  }
  cells.push(cell.trim())
  return cells
}

/** The number in a cell; NaN for a blank, a word, or what JSON cannot say (Infinity). */
export function cellNumber(cell: string): number {
  if (cell === '') return NaN
  const value = Number(cell)
  return Number.isFinite(value) ? value : NaN
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
 * Finds the columns from the header line and the first lines of data: the time column is the one
 * named, else one called like a time, else the first that holds times. Every other column is a
 * metric if all that it holds in these lines is numbers.
 *
 * @throws RecordingError when there is no time column, no metric, or a name that occurs twice.
 */
export function csvLayout(
  headerLine: string,
  sample: readonly string[],
  choice: CsvChoice,
): CsvLayout {
  const line = headerLine.replace(/^\uFEFF/, '')
  const delimiter = sniffDelimiter(line)
  const header = splitCsvLine(line, delimiter)
  const rows = sample.map(text => splitCsvLine(text, delimiter))
  const twice = header.find((name, at) => name !== '' && header.indexOf(name) !== at)
  if (twice !== undefined) throw new RecordingError(`two columns are called "${twice}"`)
  const timeColumn = findTime(header, rows, choice.timeColumn)
  const deviceColumn =
    choice.deviceColumn === undefined ? undefined : named(header, choice.deviceColumn)
  const metricColumns: number[] = []
  for (let column = 0; column < header.length; column++) {
    if (column === timeColumn || column === deviceColumn || header[column] === '') continue
    if (isNumeric(rows, column)) metricColumns.push(column)
  }
  if (metricColumns.length === 0) throw new RecordingError('no column holds numbers')
  return { delimiter, header, timeColumn, deviceColumn, metricColumns }
}

function named(header: readonly string[], name: string): number {
  const column = header.indexOf(name)
  if (column < 0)
    throw new RecordingError(`no column is called "${name}"; there are: ${header.join(', ')}`)
  return column
}

function findTime(header: readonly string[], rows: string[][], name: string | undefined): number {
  if (name !== undefined) return named(header, name)
  // Most of them: a broken row does not hide the column.
  const holdsTimes = (column: number): boolean =>
    2 * rows.filter(row => looksLikeTime(row[column] ?? '')).length > rows.length
  const columns = Array.from(header.keys())
  const called = columns.find(column => TIME_NAMES.test(header[column]) && holdsTimes(column))
  const found = called ?? columns.find(holdsTimes)
  if (found === undefined)
    throw new RecordingError('no column holds times; name one with --time-column')
  return found
}

function isNumeric(rows: string[][], column: number): boolean {
  let numbers = 0
  for (const row of rows) {
    const cell = row[column] ?? ''
    if (BLANKS.has(cell.toLowerCase())) continue
    if (Number.isNaN(cellNumber(cell))) return false
    numbers++
  }
  return numbers > 0
}
