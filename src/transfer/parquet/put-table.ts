import { RowWriter } from '../row-target.ts'
import type { RowTarget } from '../row-target.ts'
import type { TableChunk } from './table-chunk.ts'

/** Puts rows [from, to) of a chunk; refusals name the row of the file. */
export function putTable(
  chunk: TableChunk,
  { from, to }: { readonly from: number; readonly to: number },
  target: RowTarget,
): void {
  const writer = new RowWriter(target)
  const { times, devices, metrics, columns, firstRow } = chunk
  const refused = new Set(chunk.refused.map(({ row }) => row))
  for (let row = from; row < to; row++) {
    target.item(firstRow + row)
    if (!writer.device(devices.names[devices.index[row]], chunk.deviceField)) continue
    if (!writer.time(times[row], chunk.timeField, columns.length)) continue
    if (metrics === undefined) {
      for (const column of columns) putValue(column, row, { writer, metric: column.metric ?? '' })
      continue
    }
    const metric = metrics.names[metrics.index[row]]
    if (metric === undefined) target.reject('metric', 'is missing', 'invalid_name')
    else if (!putValue(columns[0], row, { writer, metric }) && !refused.has(row)) {
      target.reject('value', 'has neither a value nor a text', 'invalid_value')
    }
  }
  for (const { row, field, detail, reason } of chunk.refused) {
    if (row < from || row >= to) continue
    target.item(firstRow + row)
    target.reject(field, detail, reason)
  }
}

function putValue(
  { numbers, texts }: TableChunk['columns'][number],
  row: number,
  { writer, metric }: { writer: RowWriter; metric: string },
): boolean {
  const value = numbers[row]
  if (value === value) {
    writer.number(metric, value)
    return true
  }
  const text = texts?.[row]
  if (text === undefined) return false
  writer.text(metric, text)
  return true
}
