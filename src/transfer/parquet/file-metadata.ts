import { LONG_COLUMNS, TIME_COLUMNS } from '../format.ts'
import type { Statistics } from './column-pages.ts'
import { CompactWriter } from './compact-writer.ts'

// Field numbers and constants: apache/parquet-format, src/main/thrift/parquet.thrift.

const PHYSICAL = { int64: 2, double: 5, byteArray: 6 } as const
const REPETITION = { required: 0, optional: 1 } as const
const CONVERTED = { utf8: 0, timestampMicros: 10 } as const
const LOGICAL = { string: 1, timestamp: 8 } as const
export const PAGE_TYPE = { data: 0, dictionary: 2 } as const
export const CODEC = { none: 0, zstd: 6 } as const

type Column = 'time' | 'text' | 'name' | 'number'

const COLUMNS: readonly { readonly name: string; readonly kind: Column }[] = [
  { name: TIME_COLUMNS.iso, kind: 'time' },
  { name: LONG_COLUMNS[0], kind: 'name' },
  { name: LONG_COLUMNS[1], kind: 'name' },
  { name: LONG_COLUMNS[2], kind: 'number' },
  { name: LONG_COLUMNS[3], kind: 'text' },
]
const TYPE_OF: Readonly<Record<Column, number>> = {
  time: PHYSICAL.int64,
  name: PHYSICAL.byteArray,
  number: PHYSICAL.double,
  text: PHYSICAL.byteArray,
}

/** Where a column chunk ended up in the file. */
export interface WrittenColumn {
  /** Of the dictionary page, or the data page where there is none. */
  readonly offset: number
  readonly dataOffset: number
  readonly hasDictionary: boolean
  readonly encodings: readonly number[]
  readonly codec: number
  readonly rows: number
  readonly rawBytes: number
  readonly bytes: number
  readonly statistics: Statistics
}

/** The metadata of one row group, as an element of the footer's list. */
export function rowGroupMetadata(columns: readonly WrittenColumn[], ordinal: number): Buffer {
  const [{ offset, rows }] = columns
  const sum = (of: (column: WrittenColumn) => number): number =>
    columns.reduce((total, column) => total + of(column), 0)
  const writer = new CompactWriter()
  writer.element(group => {
    group.list(1, 'struct', columns.length)
    columns.forEach((column, i) =>
      group.element(chunk => {
        chunk.i64(2, 0).struct(3, meta => writeColumn(meta, COLUMNS[i], column))
      }),
    )
    group
      .i64(
        2,
        sum(({ rawBytes }) => rawBytes),
      )
      .i64(3, rows)
    group.i64(5, offset).i64(
      6,
      sum(({ bytes }) => bytes),
    )
    if (ordinal < 1 << 15) group.i16(7, ordinal)
  })
  return writer.take()
}

function writeColumn(
  meta: CompactWriter,
  { name, kind }: (typeof COLUMNS)[number],
  column: WrittenColumn,
): void {
  meta.i32(1, TYPE_OF[kind]).list(2, 'i32', column.encodings.length)
  for (const encoding of column.encodings) meta.i32Element(encoding)
  meta.list(3, 'binary', 1).binaryElement(name)
  meta.i32(4, column.codec).i64(5, column.rows).i64(6, column.rawBytes).i64(7, column.bytes)
  meta.i64(9, column.dataOffset)
  if (column.hasDictionary) meta.i64(11, column.offset)
  const { min, max, nulls } = column.statistics
  meta.struct(12, statistics => {
    statistics.i64(3, nulls)
    if (max !== undefined) statistics.binary(5, max)
    if (min !== undefined) statistics.binary(6, min)
  })
}

/** The footer without its length and magic. */
export function fileMetadata(rows: number, groups: readonly Buffer[]): Buffer {
  const writer = new CompactWriter()
  writer.element(file => {
    file.i32(1, 2).list(2, 'struct', COLUMNS.length + 1)
    file.element(schema => schema.binary(4, 'points').i32(5, COLUMNS.length))
    for (const column of COLUMNS) file.element(schema => writeElement(schema, column))
    file.i64(3, rows).list(4, 'struct', groups.length)
    for (const group of groups) file.raw(group)
    file.binary(6, 'weir')
    // Statistics are ordered as the types are.
    file.list(7, 'struct', COLUMNS.length)
    for (let i = 0; i < COLUMNS.length; i++) file.element(order => order.struct(1, () => undefined))
  })
  return writer.take()
}

function writeElement(schema: CompactWriter, { name, kind }: (typeof COLUMNS)[number]): void {
  const optional = kind === 'number' || kind === 'text'
  schema.i32(1, TYPE_OF[kind]).i32(3, optional ? REPETITION.optional : REPETITION.required)
  schema.binary(4, name)
  if (kind === 'number') return
  if (kind === 'time') {
    schema.i32(6, CONVERTED.timestampMicros).struct(10, logical =>
      logical.struct(LOGICAL.timestamp, timestamp => {
        // UTC, microseconds.
        timestamp.bool(1, true).struct(2, unit => unit.struct(2, () => undefined))
      }),
    )
  } else {
    schema.i32(6, CONVERTED.utf8)
    schema.struct(10, logical => logical.struct(LOGICAL.string, () => undefined))
  }
}

export interface PageInfo {
  readonly type: number
  readonly values: number
  readonly encoding: number
  readonly rawBytes: number
  readonly bytes: number
}

export function pageHeader({ type, values, encoding, rawBytes, bytes }: PageInfo): Buffer {
  const writer = new CompactWriter()
  writer.element(header => {
    header.i32(1, type).i32(2, rawBytes).i32(3, bytes)
    if (type === PAGE_TYPE.dictionary)
      header.struct(7, page => page.i32(1, values).i32(2, encoding))
    else {
      // Definition and repetition levels are RLE.
      header.struct(5, page => page.i32(1, values).i32(2, encoding).i32(3, 3).i32(4, 3))
    }
  })
  return writer.take()
}
