import { TIME_COLUMNS, TIME_STYLES } from '../format.ts'
import type { TimeStyle } from '../format.ts'
import { RowWriter } from '../row-target.ts'
import type { RowTarget } from '../row-target.ts'
import { timeReader } from '../time-reader.ts'

const NEWLINE = 10
const KNOWN = new Set<string>([
  ...Object.values(TIME_COLUMNS),
  'device_id',
  'metric',
  'value',
  'text',
])
const READERS = Object.fromEntries(TIME_STYLES.map(style => [style, timeReader(style)])) as Record<
  TimeStyle,
  (cell: string) => number
>

type Row = Record<string, unknown>

/**
 * Reads NDJSON piece by piece: rows of Weir's own (`{time, device_id, metric, value | text}`), or
 * the messages of `POST /api/v1/telemetry`, which the first line tells.
 */
export class NdjsonDecoder {
  /** Of the messages of the native door, which its own decoder reads; undefined while not known. */
  isNative: boolean | undefined
  #line = 0

  /** Puts the lines of a piece, which ends with a line; to be called when it is not native. */
  decode(piece: Buffer, target: RowTarget): void {
    const writer = new RowWriter(target)
    for (let from = 0; from < piece.length; this.#line++) {
      let to = piece.indexOf(NEWLINE, from)
      if (to < 0) to = piece.length
      const line = piece.toString('utf8', from, to).trim()
      from = to + 1
      if (line === '') continue
      target.item(this.#line)
      putLine(line, writer)
    }
  }

  /** Looks at the first line that there is. */
  look(piece: Buffer): void {
    if (this.isNative !== undefined) return
    const first = /\S.*/.exec(piece.toString('utf8'))?.[0]
    if (first === undefined) return
    const row = parsed(first)
    this.isNative = isRow(row) && ('data' in row || 'timestamp' in row) && !('metric' in row)
  }
}

function putLine(line: string, writer: RowWriter): void {
  const { target } = writer
  const row = parsed(line)
  if (!isRow(row)) {
    const detail = row instanceof SyntaxError ? row.message : 'is not an object of a row'
    target.reject('', detail, 'malformed')
    return
  }
  for (const field in row) {
    if (!KNOWN.has(field)) {
      target.rejectPoints(0, { field, detail: 'is not a field of a row', reason: 'unknown_field' })
    }
  }
  const { device_id: device, metric, value, text } = row
  if (typeof device !== 'string') target.device(device)
  else if (writer.device(device, 'device_id') && putTime(row, writer)) {
    if (typeof metric !== 'string') target.reject('metric', 'must be a string', 'invalid_name')
    else if (typeof text === 'string' && isNone(value)) writer.text(metric, text)
    else if (typeof value === 'number' && isNone(text)) putNumber(line, row, writer)
    else target.reject('value', 'a row has a number as value, or a string as text', 'invalid_value')
  }
}

const isNone = (field: unknown): boolean => field === undefined || field === null

function putTime(row: Row, writer: RowWriter): boolean {
  const style = TIME_STYLES.find(one => row[TIME_COLUMNS[one]] !== undefined)
  const field = TIME_COLUMNS[style ?? 'iso']
  const time = row[field]
  if (style === undefined || (typeof time !== 'string' && typeof time !== 'number')) {
    writer.target.reject(field, 'is missing', 'invalid_time')
    return false
  }
  // `time` may be a number too, told by its magnitude.
  const read = style === 'iso' && typeof time === 'number' ? timeReader('auto') : READERS[style]
  return writer.time(read(String(time)), field, 1)
}

function putNumber(line: string, { metric, value }: Row, writer: RowWriter): void {
  const number = value as number
  if (number - number !== 0) {
    writer.target.reject('value', 'is beyond the range of a float64', 'invalid_value')
  } else if (Math.abs(number) > Number.MAX_SAFE_INTEGER && isRounded(line, number)) {
    writer.target.reject('value', 'has no exact float64', 'inexact_number')
  } else writer.number(metric as string, number)
}

/** Whether JSON rounded a whole number: its source is not how the float64 is written. */
function isRounded(line: string, value: number): boolean {
  let source = ''
  JSON.parse(line, (key: string, one: unknown, context?: { source?: string }) => {
    if (key === 'value') source = context?.source ?? ''
    return one
  })
  return /^-?\d+$/.test(source) && String(value) !== source
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    return error
  }
}

function isRow(value: unknown): value is Row {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Error) &&
    !Array.isArray(value)
  )
}
