import type { ScanRead, SeriesPoints, Store, TimeRange } from '../../ports/store.ts'

/** The points of one series in a window of time, in rising parts. */
export type WindowSeries = readonly SeriesPoints[]

/** About a chunk of a scan. */
export const WINDOW_POINTS = 65_536

/** All series of a selection of one device side by side, window by window, each by its metric. */
export type TimeWindow = ReadonlyMap<string, WindowSeries>

/**
 * A store scans series by series; who needs them side by side gets them in windows of time that hold
 * at most `maxPoints` points, found by trying: a window that holds more is shortened to where the
 * points seen so far say it fits, and one that holds few makes the next twice as long. The selection
 * names its metrics, and a window of a microsecond may hold a point of each whatever the bound is.
 */
export async function* timeWindows(
  store: Pick<Store, 'scan'>,
  { select, range }: ScanRead,
  maxPoints = WINDOW_POINTS,
): AsyncGenerator<TimeWindow, void, void> {
  const perSeries = Math.max(1, Math.floor(maxPoints / 2 / Math.max(1, select.metrics.length)))
  let span = Infinity
  for (let start = range.start; start < range.end;) {
    const window: TimeRange = { start, end: Math.min(range.end, start + span) }
    const bound = window.end - window.start > 1 ? maxPoints : Infinity
    const { series, points } = await collect(store, { select, range: window }, bound)
    if (points > bound) {
      span = fittingEnd(series.values(), perSeries) - start
      continue
    }
    if (points > 0) yield series
    start = window.end
    if (points < maxPoints / 2) span *= 2
  }
}

/** Gives up when there are more points than `bound`. */
async function collect(store: Pick<Store, 'scan'>, request: ScanRead, bound: number) {
  const series = new Map<string, SeriesPoints[]>()
  let points = 0
  for await (const chunk of store.scan(request)) {
    for (const part of chunk) {
      const parts = series.get(part.metric)
      if (parts === undefined) series.set(part.metric, [part])
      else parts.push(part)
      points += part.timestamps.length
    }
    if (points > bound) break
  }
  return { series, points }
}

/** Where the densest series that was seen has had `count` points; there is one with more of them. */
function fittingEnd(all: Iterable<WindowSeries>, count: number): number {
  let end = Infinity
  for (const parts of all) {
    let before = 0
    for (const { timestamps } of parts) {
      if (count - before < timestamps.length) {
        end = Math.min(end, timestamps[count - before])
        break
      }
      before += timestamps.length
    }
  }
  return end
}
