import {
  cellNumber,
  csvLayout,
  columnNamed,
  isBlankCell,
  RecordingError,
} from '../../model/csv-layout.ts'
import { LONG_COLUMNS, TIME_COLUMNS, TIME_STYLES } from '../format.ts'
import { deviceSource, hasColumns, metricNames, refused } from '../mapping.ts'
import type { Mapping } from '../mapping.ts'
import type { RowWriter } from '../row-target.ts'
import { timeReader } from '../time-reader.ts'
import { textOfCell } from './csv-cell.ts'

/** Puts the cells of one record, whose line was told to the target already. */
export type PutRow = (
  cells: readonly string[],
  writer: RowWriter,
  wasQuoted: (column: number) => boolean,
) => void

/** How many rows are looked at to find the columns of a foreign file. */
export const SAMPLE_ROWS = 100

/** How rows of a file of Weir's own are read; undefined when its header is another one. */
export function ownRows(header: readonly string[], mapping: Mapping): PutRow | undefined {
  if (hasColumns(mapping) || header.length !== 1 + LONG_COLUMNS.length) return undefined
  const style = TIME_STYLES.find(one => TIME_COLUMNS[one] === header[0])
  if (style === undefined || LONG_COLUMNS.some((name, i) => header[i + 1] !== name))
    return undefined
  const read = timeReader(style)
  const [timeField] = header
  return (cells, writer, wasQuoted) => {
    const [time, device, metric, value, text = ''] = cells
    if (cells.length < 4) {
      writer.target.reject('', `has ${cells.length} cells in place of 5`, 'malformed')
      return
    }
    if (!writer.device(textOfCell(device), 'device_id')) return
    if (!writer.time(read(time), timeField, 1)) return
    const name = textOfCell(metric)
    if (value !== '') putNumber(value, name, writer)
    else if (text !== '' || wasQuoted(4)) writer.text(name, textOfCell(text))
    else writer.target.reject('value', 'has neither a value nor a text', 'invalid_value')
  }
}

function putNumber(cell: string, metric: string, writer: RowWriter): void {
  const value = cellNumber(cell)
  if (value !== value) {
    writer.target.reject('value', `${shown(cell)} is not a number`, 'invalid_value')
  } else if (isInexact(cell, value)) {
    writer.target.reject('value', `${shown(cell)} has no exact float64`, 'inexact_number')
  } else writer.number(metric, value)
}

/** A whole number that a float64 would change: most likely an id, not a measurement. */
function isInexact(cell: string, value: number): boolean {
  if (value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER) return false
  return /^-?\d+$/.test(cell) && String(value) !== cell
}

const shown = (cell: string): string => JSON.stringify(cell.slice(0, 40))

/**
 * How rows of somebody's file are read: with a metric column, a point a row; else every metric
 * column is a series of the row's device. Numbers are numbers, `true` and `false` 1 and 0, blanks (empty,
 * `NaN`, `null`, `-` …) nothing, and what else there is are texts.
 *
 * @throws WeirError `rejected` when the columns are not there.
 */
export function mappedRows(
  header: readonly string[],
  sample: readonly (readonly string[])[],
  mapping: Mapping,
): PutRow {
  try {
    return mapping.metric === undefined
      ? wideRows(header, sample, mapping)
      : longRows(header, mapping)
  } catch (error) {
    if (error instanceof RecordingError) throw refused(error.message, error)
    throw error
  }
}

function wideRows(
  header: readonly string[],
  sample: readonly (readonly string[])[],
  mapping: Mapping,
): PutRow {
  const source = deviceSource(mapping)
  const { time, metrics = ['*'] } = mapping
  const layout = csvLayout(header, sample, {
    metrics: metricNames(metrics, header),
    ...(time === undefined ? {} : { timeColumn: time }),
    ...(source.column === undefined ? {} : { deviceColumn: source.column }),
  })
  const { timeColumn, deviceColumn = -1, metricColumns } = layout
  const textOf = isOwnWide(header) ? textOfCell : (cell: string): string => cell
  const names = metricColumns.map(column => textOf(header[column]))
  const read = timeReader(mapping.timeUnit ?? 'auto')
  return (cells, writer) => {
    const device = source.name ?? textOf(cells[deviceColumn] ?? '')
    if (!writer.device(device, source.column ?? 'device')) return
    if (!writer.time(read(cells[timeColumn]), header[timeColumn], names.length)) return
    for (let i = 0; i < names.length; i++) {
      const cell = cells[metricColumns[i]] ?? ''
      if (!putValue(cell, names[i], writer)) writer.text(names[i], textOf(cell))
    }
  }
}

/** Whether an export wrote it, which defuses names and texts (`csv-cell.ts`). */
function isOwnWide([time, device]: readonly string[]): boolean {
  return device === LONG_COLUMNS[0] && TIME_STYLES.some(style => TIME_COLUMNS[style] === time)
}

function longRows(header: readonly string[], mapping: Mapping): PutRow {
  const source = deviceSource(mapping)
  const { time, metric, value, text } = mapping
  if (time === undefined || metric === undefined || value === undefined) {
    throw refused('a mapping with metric=COLUMN needs time=COLUMN and value=COLUMN too')
  }
  const timeColumn = columnNamed(header, time)
  const metricColumn = columnNamed(header, metric)
  const valueColumn = columnNamed(header, value)
  const textColumn = text === undefined ? -1 : columnNamed(header, text)
  const deviceColumn = source.column === undefined ? -1 : columnNamed(header, source.column)
  const read = timeReader(mapping.timeUnit ?? 'auto')
  return (cells, writer) => {
    const device = source.name ?? cells[deviceColumn] ?? ''
    if (!writer.device(device, source.column ?? 'device')) return
    if (!writer.time(read(cells[timeColumn] ?? ''), time, 1)) return
    const cell = cells[valueColumn] ?? ''
    const given = isBlankCell(cell) ? (cells[textColumn] ?? '') : cell
    if (isBlankCell(given)) {
      writer.target.reject(value, 'is empty', 'invalid_value')
      return
    }
    const name = cells[metricColumn] ?? ''
    if (!putValue(given, name, writer)) writer.text(name, given)
  }
}

/** False for a text: what is blank is nothing, and all else is put or refused. */
function putValue(cell: string, metric: string, writer: RowWriter): boolean {
  if (isBlankCell(cell)) return true
  const value = cellNumber(cell)
  if (value === value) {
    if (isInexact(cell, value)) {
      writer.target.reject(metric, `${shown(cell)} has no exact float64`, 'inexact_number')
    } else writer.number(metric, value)
  } else if (/^true$/i.test(cell)) writer.number(metric, 1)
  else if (/^false$/i.test(cell)) writer.number(metric, 0)
  else return false
  return true
}
