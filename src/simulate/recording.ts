import { createReadStream } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { join, parse, sep } from 'node:path'
import { csvCells, CsvError, CsvReader } from '../kit/csv-reader.ts'
import { cellNumber, cellTime, csvLayout, RecordingError } from '../model/csv-layout.ts'
import type { CsvChoice, CsvLayout } from '../model/csv-layout.ts'
import type { MessageData } from './message.ts'

const SAMPLE_ROWS = 100
const TAIL_BYTES = 65_536

export interface RecordedRow {
  readonly deviceId: string
  /** Microseconds since 1970. */
  readonly time: number
  readonly data: MessageData
  /** How far in the file this row is, in bytes as they were read (so in steps). */
  readonly bytesRead: number
}

/** One recorded CSV file, its first lines looked at. */
export interface Recording {
  readonly path: string
  readonly deviceId: string
  readonly bytes: number
  readonly delimiter: string
  readonly layout: CsvLayout
  readonly firstTime: number
  /** Time of the file's last row. */
  readonly lastTime: number
}

/**
 * The device that a file is: the last three parts of its path as given, without the extension,
 * joined by `-`. So `../data/skab/valve1/0.csv` is `skab-valve1-0` and `pump.csv` is `pump`.
 */
export function deviceIdOfPath(path: string): string {
  const { root, dir, name } = parse(path)
  const folders = dir.slice(root.length).split(sep)
  const parts = [...folders, name].filter(part => part !== '' && part !== '.' && part !== '..')
  return parts.slice(-3).join('-').replace(/[+#/]/g, '-')
}

/** The files named, and those ending in `.csv` of the folders named, at any depth, in order. */
export async function recordedFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) {
    if (!(await stat(path)).isDirectory()) {
      files.push(path)
      continue
    }
    const found = await readdir(path, { recursive: true })
    const csv = found.filter(name => /\.(csv|tsv)$/i.test(name))
    if (csv.length === 0) throw new RecordingError(`${path}: no .csv file in this folder`)
    files.push(...csv.sort().map(name => join(path, name)))
  }
  return files
}

/** @throws RecordingError, with the path, when the file is not a recording that can be replayed. */
export async function openRecording(path: string, choice: CsvChoice): Promise<Recording> {
  const { size } = await stat(path)
  const records: string[][] = []
  const reader = new CsvReader()
  for await (const { cells } of csvRecords(path, reader)) {
    records.push(cells)
    if (records.length > SAMPLE_ROWS) break
  }
  const [header, ...rows] = records
  if (rows.length === 0) throw new RecordingError(`${path}: no line of data under a header`)
  const { delimiter = ',' } = reader
  const layout = within(path, () => csvLayout(header, rows, choice))
  const timeOf = (cells: readonly string[]): number => cellTime(cells[layout.timeColumn] ?? '')
  const firstTime = rows.map(timeOf).find(time => time >= 0)
  if (firstTime === undefined) throw new RecordingError(`${path}: no time in its first lines`)
  const last = (await lastLines(path, size))
    .map(line => timeOf(csvCells(line, delimiter)))
    .findLast(time => time >= 0)
  const deviceId = deviceIdOfPath(path)
  const lastTime = last ?? firstTime
  return { path, deviceId, bytes: size, delimiter, layout, firstTime, lastTime }
}

/** Names the file in what is wrong with it. */
function within<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof RecordingError || error instanceof CsvError)) throw error
    throw new RecordingError(`${path}: ${error.message}`, { cause: error })
  }
}

/** The records of a file with how far in it they were read. */
async function* csvRecords(
  path: string,
  reader: CsvReader,
): AsyncGenerator<{ cells: string[]; bytesRead: number }, void, void> {
  const input = createReadStream(path, { encoding: 'utf8' })
  const next = (): string[] | undefined => within(path, () => reader.next())
  for await (const text of input) {
    reader.push(text as string)
    for (let cells = next(); cells !== undefined; cells = next()) {
      yield { cells, bytesRead: input.bytesRead }
    }
  }
  reader.end()
  const cells = next()
  if (cells !== undefined) yield { cells, bytesRead: input.bytesRead }
}

async function lastLines(path: string, size: number): Promise<string[]> {
  const file = await open(path)
  try {
    const length = Math.min(size, TAIL_BYTES)
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.toString('utf8').split(/\r?\n/)
  } finally {
    await file.close()
  }
}

export interface SkippedRows {
  /** Rows without a time, a device or a single number. */
  rows: number
}

/** The rows of the recording in the order of the file. */
export async function* recordedRows(
  recording: Recording,
  skipped: SkippedRows,
): AsyncGenerator<RecordedRow, void, void> {
  const { layout, deviceId } = recording
  let header = true
  for await (const { cells, bytesRead } of csvRecords(
    recording.path,
    new CsvReader(recording.delimiter),
  )) {
    if (header) {
      header = false
      continue
    }
    const row = rowOf(cells, layout, deviceId)
    if (row === undefined) skipped.rows++
    else yield { ...row, bytesRead }
  }
}

function rowOf(
  cells: readonly string[],
  layout: CsvLayout,
  fileDevice: string,
): Omit<RecordedRow, 'bytesRead'> | undefined {
  const time = cellTime(cells[layout.timeColumn] ?? '')
  const deviceId =
    layout.deviceColumn === undefined ? fileDevice : (cells[layout.deviceColumn] ?? '')
  if (Number.isNaN(time) || deviceId === '') return undefined
  const data: MessageData = {}
  let numbers = 0
  for (const column of layout.metricColumns) {
    const value = cellNumber(cells[column] ?? '')
    if (Number.isNaN(value)) continue
    data[layout.header[column]] = value
    numbers++
  }
  return numbers === 0 ? undefined : { deviceId, time, data }
}
