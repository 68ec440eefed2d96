import type { JsonWriter } from '../kit/json-writer.ts'
import type { SeriesPoints } from '../ports/store.ts'
import { writeValue } from './encode.ts'

const FIRST = Buffer.from('{"timestamp":')
const NEXT = Buffer.from(',{"timestamp":')

export interface RowsEnd {
  readonly count: number
  /** The time of the last row when there are more after it. */
  readonly moreAfterUs: number | undefined
}

/**
 * Merges the series of one device into rows, one a time, at most `limit`, and writes them as
 * `[{"timestamp":…,"metric":value,…}]`, the shape that `POST /api/v1/telemetry/batch` takes. Each
 * series must hold its first `limit + 1` points in the same order, so that every row is complete.
 */
export function writeRows(
  writer: JsonWriter,
  series: readonly SeriesPoints[],
  { limit, order }: { limit: number; order: 'asc' | 'desc' },
): RowsEnd {
  const sign = order === 'asc' ? 1 : -1
  const names = series.map(({ metric }) => Buffer.from(`,${JSON.stringify(metric)}:`))
  const cursors = new Uint32Array(series.length)
  let count = 0
  let last = 0
  writer.ascii('[')
  for (;;) {
    let next = Infinity
    for (let s = 0; s < series.length; s++) {
      const { timestamps } = series[s]
      if (cursors[s] < timestamps.length) next = Math.min(next, sign * timestamps[cursors[s]])
    }
    if (next === Infinity || count === limit) {
      writer.ascii(']')
      return { count, moreAfterUs: next === Infinity ? undefined : last }
    }
    last = sign * next
    writer.bytes(count === 0 ? FIRST : NEXT)
    writer.time(last)
    for (let s = 0; s < series.length; s++) {
      const at = cursors[s]
      if (at >= series[s].timestamps.length || series[s].timestamps[at] !== last) continue
      writer.bytes(names[s])
      writeValue(writer, series[s], at)
      cursors[s] = at + 1
    }
    writer.ascii('}')
    count++
  }
}
