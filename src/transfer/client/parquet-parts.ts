import { open } from 'node:fs/promises'
import { textCell } from '../csv/csv-cell.ts'
import { LONG_COLUMNS, TIME_COLUMNS } from '../format.ts'
import type { Mapping } from '../mapping.ts'
import { openParquet } from '../parquet/parquet-reader.ts'
import type { TableChunk } from '../parquet/table-chunk.ts'
import { numberText, TextPieces } from '../text-pieces.ts'
import { PART_BYTES } from './import-part.ts'
import type { ImportPart } from './import-part.ts'

const HEADER = `${TIME_COLUMNS.us},${LONG_COLUMNS.join(',')}\n`

/**
 * A Parquet file in parts, which are CSV: a part of a Parquet file would be none, and sent whole it
 * would have to wait on the other side's disk.
 *
 * @throws WeirError `rejected` when the file cannot be read.
 */
export async function* parquetParts(
  path: string,
  mapping: Mapping,
): AsyncGenerator<ImportPart, void, void> {
  const handle = await open(path)
  try {
    const table = await openParquet(handle, mapping)
    for await (const chunk of table.chunks()) {
      for (let from = 0; from < chunk.rows;) {
        const part = partOf(chunk, from, table.rows)
        from = part.to
        yield part.part
      }
    }
  } finally {
    await handle.close()
  }
}

/** Rows of a chunk from a place on, until the part is large enough. */
function partOf(chunk: TableChunk, from: number, total: number): { part: ImportPart; to: number } {
  const lines = new TextPieces()
  const places: number[] = []
  let bytes = 0
  let to = from
  lines.add(HEADER)
  for (; to < chunk.rows && bytes < PART_BYTES; to++) {
    for (const line of linesOf(chunk, to)) {
      lines.add(line)
      bytes += line.length
      places.push(chunk.firstRow + to)
    }
  }
  const refused = chunk.refused
    .filter(({ row }) => row >= from && row < to)
    .map(({ row, field, detail }) => ({ row: chunk.firstRow + row, field, detail }))
  return {
    to,
    part: {
      ...{ format: 'csv', mapping: {}, body: lines.take(), refused },
      rowOf: line => places[line - 1] ?? chunk.firstRow + from,
      done: (chunk.firstRow + to) / Math.max(1, total),
    },
  }
}

function* linesOf(chunk: TableChunk, row: number): Generator<string, void, void> {
  const { times, devices, metrics, columns, refused } = chunk
  const time = times[row]
  const device = devices.names[devices.index[row]]
  const begin = `${time === time ? numberText(time) : ''},${device === undefined ? '' : textCell(device)}`
  for (const { metric: own, numbers, texts } of columns) {
    const metric = metrics === undefined ? (own ?? '') : (metrics.names[metrics.index[row]] ?? '')
    const text = texts?.[row]
    const value = numbers[row]
    const isEmpty = value !== value && text === undefined
    // In a wide table an empty cell is nothing; in a long one it is a mistake, which Weir refuses.
    if (isEmpty && (metrics === undefined || refused.some(one => one.row === row))) continue
    const cells =
      value === value ? `${numberText(value)},` : `,${text === undefined ? '' : textCell(text)}`
    yield `${begin},${textCell(metric)},${cells}\n`
  }
}
