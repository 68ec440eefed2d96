import type { FileHandle } from 'node:fs/promises'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { parquetMetadataAsync, parquetRead } from 'hyparquet'
import type { AsyncBuffer, ColumnData, FileMetaData, SchemaElement } from 'hyparquet'
import type { Mapping } from '../mapping.ts'
import { refused } from '../mapping.ts'
import { constantName, namesOf, TimeValue, timesOf, valuesOf } from './column-values.ts'
import type { RawColumn } from './column-values.ts'
import type { NameIndex, RefusedValue, TableChunk, ValueColumn } from './table-chunk.ts'
import { tableLayout } from './table-layout.ts'
import type { FlatColumn, StoredTime, TableLayout } from './table-layout.ts'

/** A row group is read as a whole: one that is larger is refused, not tried. */
const MAX_GROUP_BYTES = 512 << 20
const MAX_GROUP_ROWS = 16 << 20
/** What a value takes at least, once it is read. */
const VALUE_BYTES = 8
/** A page that claims to become larger is refused before it is unpacked. */
const MAX_PAGE_BYTES = 256 << 20
/** Rows of a chunk that is handed on. */
const CHUNK_ROWS = 1 << 16

const unpack =
  (inflate: (input: Uint8Array, options: { maxOutputLength: number }) => Buffer) =>
  (input: Uint8Array, outputLength: number): Uint8Array => {
    if (outputLength > MAX_PAGE_BYTES) throw new Error(`a page has ${outputLength} bytes`)
    return inflate(input, { maxOutputLength: Math.max(1, outputLength) })
  }

const COMPRESSORS = {
  ZSTD: unpack(zstdDecompressSync),
  GZIP: unpack(gunzipSync),
  BROTLI: unpack(brotliDecompressSync),
}

const PARSERS = {
  timestampFromMilliseconds: (value: bigint) => new TimeValue(Number(value) * 1000),
  timestampFromMicroseconds: (value: bigint) => new TimeValue(Number(value)),
  timestampFromNanoseconds: (value: bigint) => new TimeValue(Number(value / 1000n)),
  dateFromDays: (days: number) => new TimeValue(days * 86_400e6),
}

export interface ParquetTable {
  readonly rows: number
  /** Chunk by chunk, one row group in memory. */
  chunks(): AsyncGenerator<TableChunk, void, void>
}

/**
 * Opens a Parquet file: Weir's own, or any with a mapping. Nested columns are left out.
 *
 * @throws WeirError `rejected` when it is no Parquet file, or lacks the columns of the mapping.
 */
export async function openParquet(handle: FileHandle, mapping: Mapping): Promise<ParquetTable> {
  const file = await bufferOf(handle)
  let metadata: FileMetaData
  try {
    metadata = await parquetMetadataAsync(file, { geoparquet: false })
  } catch (error) {
    throw refused(`the file is no whole Parquet file: ${messageOf(error)}`, error)
  }
  const layout = tableLayout(flatColumns(metadata.schema), mapping)
  const columns = columnsOf(layout).size
  for (const group of metadata.row_groups) {
    const bytes = Number(group.total_byte_size)
    const rows = Number(group.num_rows)
    // A few bytes may say a value for any number of rows: each takes its place in memory.
    const size = Math.max(bytes, rows * columns * VALUE_BYTES)
    if (!(size <= MAX_GROUP_BYTES && rows <= MAX_GROUP_ROWS)) {
      const what = `${rows} rows of ${columns} columns in ${bytes} bytes`
      throw refused(`a row group has ${what}; write smaller ones, or name fewer columns`)
    }
  }
  return {
    rows: Number(metadata.num_rows),
    chunks: () => chunksOf({ file, metadata, layout, mapping }),
  }
}

interface Reading {
  readonly file: AsyncBuffer
  readonly metadata: FileMetaData
  readonly layout: TableLayout
  readonly mapping: Mapping
}

async function* chunksOf(reading: Reading): AsyncGenerator<TableChunk, void, void> {
  let firstRow = 0
  for (const group of reading.metadata.row_groups) {
    const rows = Number(group.num_rows)
    if (rows > 0) {
      let columns: Map<string, RawColumn>
      try {
        columns = await readGroup(reading, firstRow, rows)
      } catch (error) {
        throw refused(`row group at row ${firstRow}: ${messageOf(error)}`, error)
      }
      for (let from = 0; from < rows; from += CHUNK_ROWS) {
        const to = Math.min(rows, from + CHUNK_ROWS)
        yield chunkOf(reading, columns, { from, to, firstRow: firstRow + from })
      }
    }
    firstRow += rows
  }
}

async function readGroup(
  { file, metadata, layout }: Reading,
  firstRow: number,
  rows: number,
): Promise<Map<string, RawColumn>> {
  const { time } = layout
  const wanted = columnsOf(layout)
  const found = new Map<string, ColumnData[]>()
  await parquetRead({
    ...{ file, metadata: withRawTime(metadata, time), columns: [...wanted] },
    ...{ rowStart: firstRow, rowEnd: firstRow + rows, geoparquet: false },
    ...{ compressors: COMPRESSORS, parsers: PARSERS },
    onChunk(data) {
      const parts = found.get(data.columnName)
      if (parts === undefined) found.set(data.columnName, [data])
      else parts.push(data)
    },
  })
  const columns = new Map<string, RawColumn>()
  for (const name of wanted) {
    const column = joined(found.get(name) ?? [])
    if (column.length < rows) {
      throw new Error(`column "${name}" has ${column.length} values for ${rows} rows`)
    }
    columns.set(name, column)
  }
  return columns
}

/** The names of those that are read. */
function columnsOf({ time, device, metric, values }: TableLayout): Set<string> {
  const names = new Set([time.name, ...values])
  if (device.column !== undefined) names.add(device.column)
  if (metric !== undefined) names.add(metric)
  return names
}

/** The time column as the integers that it is stored as: objects for each would cost much. */
function withRawTime(metadata: FileMetaData, time: FlatColumn): FileMetaData {
  if (!['MILLIS', 'MICROS', 'NANOS'].includes(time.storedTime ?? '')) return metadata
  const schema = metadata.schema.map((element, i) => {
    if (i === 0 || element.name !== time.name) return element
    const { logical_type: _logical, converted_type: _converted, ...raw } = element
    return raw as SchemaElement
  })
  return { ...metadata, schema }
}

function joined(parts: readonly ColumnData[]): RawColumn {
  if (parts.length === 1) return parts[0].columnData as RawColumn
  parts = parts.toSorted((a, b) => a.rowStart - b.rowStart)
  const [first] = parts.map(({ columnData }) => columnData)
  const total = parts.reduce((sum, { columnData }) => sum + columnData.length, 0)
  const isTyped = first instanceof Float64Array || first instanceof BigInt64Array
  if (isTyped && parts.every(({ columnData }) => columnData.constructor === first.constructor)) {
    const out = first instanceof Float64Array ? new Float64Array(total) : new BigInt64Array(total)
    let at = 0
    for (const { columnData } of parts) {
      out.set(columnData as never, at)
      at += columnData.length
    }
    return out
  }
  const all: unknown[] = []
  for (const { columnData } of parts) {
    for (let i = 0; i < columnData.length; i++) all.push(columnData[i])
  }
  return all
}

function chunkOf(
  { layout, mapping }: Reading,
  columns: ReadonlyMap<string, RawColumn>,
  { from, to, firstRow }: { from: number; to: number; firstRow: number },
): TableChunk {
  const { time, device, metric, values } = layout
  const part = (name: string): RawColumn => slice(columns.get(name) ?? [], from, to)
  const rows = to - from
  const refusals: RefusedValue[] = []
  const columnOf = (name: string): ValueColumn => ({
    ...valuesOf(part(name), name, refusals),
    ...(metric === undefined ? { metric: name } : {}),
  })
  const own = values.map(columnOf)
  const devices: NameIndex =
    device.column === undefined ? constantName(device.name, rows) : namesOf(part(device.column))
  return {
    ...{ firstRow, rows, devices, timeField: time.name, deviceField: device.column ?? 'device' },
    times: timesOf(part(time.name), { stored: time.storedTime, unit: mapping.timeUnit ?? 'auto' }),
    ...(metric === undefined ? {} : { metrics: namesOf(part(metric)) }),
    columns: metric === undefined ? own : [withTexts(own)],
    refused: refusals.sort((a, b) => a.row - b.row),
  }
}

/** Long tables: the value column, with the texts of the text column where it has nothing. */
function withTexts([value, text]: readonly ValueColumn[]): ValueColumn {
  if (text?.texts === undefined) return value
  const { texts } = text
  if (value.texts === undefined) return { numbers: value.numbers, texts }
  const both = value.texts.map((own, i) => own ?? texts[i])
  return { numbers: value.numbers, texts: both }
}

function slice(column: RawColumn, from: number, to: number): RawColumn {
  if (Array.isArray(column)) return column.slice(from, to) as unknown[]
  // Copies, because chunks travel to another thread.
  return (column as Float64Array).slice(from, to)
}

function flatColumns(schema: readonly SchemaElement[]): FlatColumn[] {
  const columns: FlatColumn[] = []
  for (let i = 1; i < schema.length;) {
    const element = schema[i]
    if ((element.num_children ?? 0) > 0) {
      i = afterTree(schema, i)
      continue
    }
    if (element.repetition_type !== 'REPEATED') {
      columns.push({ name: element.name, storedTime: storedTimeOf(element) })
    }
    i++
  }
  return columns
}

function afterTree(schema: readonly SchemaElement[], at: number): number {
  let next = at + 1
  for (let child = 0; child < (schema[at]?.num_children ?? 0); child++)
    next = afterTree(schema, next)
  return next
}

function storedTimeOf({
  type,
  converted_type,
  logical_type,
}: SchemaElement): StoredTime | undefined {
  if (type === 'INT96') return 'INT96'
  if (converted_type === 'DATE' || logical_type?.type === 'DATE') return 'DATE'
  if (logical_type?.type === 'TIMESTAMP') return logical_type.unit
  if (converted_type === 'TIMESTAMP_MILLIS') return 'MILLIS'
  return converted_type === 'TIMESTAMP_MICROS' ? 'MICROS' : undefined
}

async function bufferOf(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat()
  return {
    byteLength: size,
    async slice(start, end = size) {
      const length = Math.max(0, Math.min(size, end) - start)
      const bytes = new Uint8Array(length)
      const { bytesRead } = await handle.read(bytes, 0, length, start)
      if (bytesRead < length) throw new Error('the file is shorter than it says')
      return bytes.buffer
    },
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
