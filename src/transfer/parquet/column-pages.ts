import type { NameColumn, RowGroup } from './row-group.ts'
import { bitsFor } from './run-lengths.ts'
import type { RunLengths } from './run-lengths.ts'

export const ENCODING = { plain: 0, rle: 3, rleDictionary: 8 } as const

/** Least and greatest value of a column chunk, as the bytes that Parquet keeps of them. */
export interface Statistics {
  readonly min?: Uint8Array
  readonly max?: Uint8Array
  readonly nulls: number
}

/** One column of a row group, encoded and not compressed yet: one data page, its dictionary before. */
export interface ColumnPages {
  readonly dictionary?: { readonly bytes: Buffer; readonly entries: number }
  readonly data: Buffer
  readonly encoding: number
  readonly statistics: Statistics
}

/** The five columns, in the order of the schema. Typed arrays are little-endian as Parquet is. */
export function columnPages(group: RowGroup): ColumnPages[] {
  return [
    {
      data: bytesOf(group.times.subarray(0, 2 * group.rows)),
      encoding: ENCODING.plain,
      statistics: { min: int64(group.firstTime), max: int64(group.lastTime), nulls: 0 },
    },
    namePages(group.devices),
    namePages(group.metrics),
    {
      data: Buffer.concat([
        levels(group.hasNumber),
        bytesOf(group.values.subarray(0, group.numbers)),
      ]),
      encoding: ENCODING.plain,
      statistics: numberStatistics(group),
    },
    {
      data: Buffer.concat([levels(group.hasText), ...group.texts.map(byteArray)]),
      encoding: ENCODING.plain,
      statistics: { nulls: group.rows - group.texts.length },
    },
  ]
}

function namePages({ names, runs }: NameColumn): ColumnPages {
  const bits = bitsFor(names.length)
  const sorted = names.map(name => Buffer.from(name)).sort((a, b) => a.compare(b))
  return {
    dictionary: { bytes: Buffer.concat(names.map(byteArray)), entries: names.length },
    data: Buffer.concat([Buffer.of(bits), runs.encode(bits)]),
    encoding: ENCODING.rleDictionary,
    statistics: { min: sorted[0], max: sorted[sorted.length - 1], nulls: 0 },
  }
}

function numberStatistics({ values, numbers, rows }: RowGroup): Statistics {
  let min = Infinity
  let max = -Infinity
  for (let i = 0; i < numbers; i++) {
    const value = values[i]
    if (value < min) min = value
    if (value > max) max = value
  }
  const nulls = rows - numbers
  if (numbers === 0) return { nulls }
  // Zeroes of both signs are equal: the format asks for the wider bounds.
  return { min: double(min === 0 ? -0 : min), max: double(max === 0 ? 0 : max), nulls }
}

/** Definition levels as a data page of version 1 has them: with their length in front. */
function levels(runs: RunLengths): Buffer {
  const encoded = runs.encode(1)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(encoded.length)
  return Buffer.concat([length, encoded])
}

function byteArray(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafe(4 + length)
  bytes.writeUInt32LE(length)
  bytes.write(text, 4)
  return bytes
}

function bytesOf(column: Uint32Array | Float64Array): Buffer {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength)
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  return bytes
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return bytes
}
