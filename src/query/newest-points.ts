import type { SeriesPoints, SeriesSelector, Store, TimeRange } from '../ports/store.ts'
import { newestFirst } from './newest-series.ts'

/** One point, as it is shown among those of other series. */
export interface Point {
  readonly device: string
  readonly metric: string
  readonly timeUs: number
  readonly value: number | string
}

export interface NewestPointsRequest {
  readonly select: SeriesSelector
  readonly range: TimeRange
  /** Points of all series together. */
  readonly limit: number
  /** Points of each series that are read at first: what is enough where all send as often. */
  readonly share: number
}

/** How much more is read of a series at a time. */
const GROWTH = 4

/**
 * The newest points of all series of a selection, newest first; of one time in order of device and metric. Of each
 * series a few are read, and more only of those whose points are all among the newest: so never
 * much more than `limit` is in memory, however many series there are.
 */
export async function newestPoints(
  store: Pick<Store, 'read'>,
  { select, range, limit, share }: NewestPointsRequest,
): Promise<Point[]> {
  const { tenant, metrics } = select
  let { devices } = select
  let { start } = range
  let newest: Point[] = []
  for (
    let count = Math.min(limit, share);
    devices.length > 0;
    count = Math.min(limit, count * GROWTH)
  ) {
    const found = await store.read({
      select: { tenant, devices, metrics },
      range: { start, end: range.end },
      ...{ limit: count, order: 'desc' },
    })
    const again = new Set(devices)
    newest = newest.filter(({ device }) => !again.has(device))
    for (const series of found) for (const point of pointsOf(series)) newest.push(point)
    newest.sort(newestFirst)
    newest.length = Math.min(newest.length, limit)
    if (newest.length === limit) start = newest[limit - 1].timeUs
    if (count === limit) break
    devices = unfinished(found, { count, start })
  }
  return newest
}

/** The devices of series that may have more points that are newer than `start`. */
function unfinished(
  found: readonly SeriesPoints[],
  { count, start }: { count: number; start: number },
): string[] {
  const more = found.filter(
    ({ timestamps }) => timestamps.length === count && timestamps[count - 1] > start,
  )
  return [...new Set(more.map(({ device }) => device))]
}

export function pointsOf({ device, metric, timestamps, values, texts }: SeriesPoints): Point[] {
  return Array.from(timestamps, (timeUs, i) => ({
    ...{ device, metric, timeUs },
    value: texts?.[i] ?? values[i],
  }))
}
