import { isoFromTime } from '../model/time.ts'
import type { SeriesPoints } from '../ports/store.ts'
import { encodeValue } from './encode.ts'

export interface Rows {
  /** `[{"timestamp":…,"metric":value,…}]`, the shape that `POST /api/v1/telemetry/batch` takes. */
  readonly json: string
  readonly count: number
  /** The time of the last row when there are more after it. */
  readonly moreAfterUs: number | undefined
}

/**
 * Merges the series of one device into rows, one a time, at most `limit`. Each series must hold
 * its first `limit + 1` points in the same order, so that every row returned is complete.
 */
export function mergeRows(
  series: readonly SeriesPoints[],
  { limit, order }: { limit: number; order: 'asc' | 'desc' },
): Rows {
  const sign = order === 'asc' ? 1 : -1
  const names = series.map(({ metric }) => JSON.stringify(metric))
  const cursors = new Uint32Array(series.length)
  let json = '['
  let count = 0
  let last = 0
  for (;;) {
    let next = Infinity
    for (let s = 0; s < series.length; s++) {
      const { timestamps } = series[s]
      if (cursors[s] < timestamps.length) next = Math.min(next, sign * timestamps[cursors[s]])
    }
    if (next === Infinity) return { json: json + ']', count, moreAfterUs: undefined }
    if (count === limit) return { json: json + ']', count, moreAfterUs: last }
    last = sign * next
    json += `${count === 0 ? '' : ','}{"timestamp":"${isoFromTime(last)}"`
    for (let s = 0; s < series.length; s++) {
      const at = cursors[s]
      if (at >= series[s].timestamps.length || series[s].timestamps[at] !== last) continue
      json += `,${names[s]}:${encodeValue(series[s], at)}`
      cursors[s] = at + 1
    }
    json += '}'
    count++
  }
}
