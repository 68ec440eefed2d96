import type { ScanRead, SeriesSelector } from '../../ports/store.ts'
import type { Engine } from './engine.ts'
import type { PackedSeries, ScanPlace } from './protocol.ts'
import { nameDamaged, pack } from './queries.ts'
import type { FoundSeries } from './queries.ts'
import { readPoints } from './raw.ts'
import type { Points } from './raw.ts'
import { Turns } from './turns.ts'

/** Points a page; texts cut it earlier. */
const PAGE_POINTS = 1 << 16
const PAGE_TEXT_UNITS = 4 << 20
/** Longest turn before other messages are served: shorter than a query's, an export can wait. */
const TURN_MS = 2

/** One page of a scan from a place on, and where the next one begins; absent at the end. */
export async function readScanned(
  engine: Engine,
  { select, range }: ScanRead,
  from: ScanPlace,
): Promise<{ packed: PackedSeries; next?: ScanPlace }> {
  const turns = new Turns(TURN_MS)
  const found: FoundSeries[] = []
  let room = PAGE_POINTS
  let textRoom = PAGE_TEXT_UNITS
  for (const { series, device, metric, place } of seriesFrom(engine, select, from)) {
    if (room === 0 || textRoom <= 0) return { packed: pack(found, 2), next: place }
    if (turns.isOver) await turns.rest()
    const start = Math.max(range.start, place.time)
    let points: Points | undefined
    try {
      points = readPoints(engine, { series, start, end: range.end, limit: room, order: 'asc' })
    } catch (error) {
      throw nameDamaged(engine, error, { tenant: select.tenant, device, metric })
    }
    if (points === undefined) continue
    const { length } = points.timestamps
    const { count, units } = withinTexts(points, textRoom)
    const kept = count === length ? points : firstOf(points, count)
    found.push({ device, metric, columns: [kept.timestamps, kept.values], texts: kept.texts })
    if (length === room || count < length) {
      const next = { ...place, time: points.timestamps[count - 1] + 1 }
      return { packed: pack(found, 2), next }
    }
    room -= count
    textRoom -= units
  }
  return { packed: pack(found, 2) }
}

/** The series of a selection from a place on; of the first one, the place says the time too. */
function* seriesFrom(
  { table }: Engine,
  { tenant, devices, metrics }: SeriesSelector,
  from: ScanPlace,
): Generator<{ series: number; device: string; metric: string; place: ScanPlace }> {
  const names = [...new Set(devices)]
  const chosen = metrics.length === 0 ? undefined : [...new Set(metrics)]
  let { metric: first, time } = from
  for (let d = from.device; d < names.length; d++) {
    const device = names[d]
    const known = table.findDevice(tenant, device)?.series
    // A copy: the iteration rests now and then, and series may come meanwhile.
    const own = known === undefined ? [] : (chosen ?? [...known.keys()])
    for (let m = first; m < own.length; m++) {
      const series = known?.get(own[m])
      const place = { device: d, metric: m, time }
      time = 0
      if (series !== undefined) yield { series, device, metric: own[m], place }
    }
    first = 0
    time = 0
  }
}

function firstOf({ timestamps, values, texts }: Points, count: number): Points {
  return {
    timestamps: timestamps.subarray(0, count),
    values: values.subarray(0, count),
    ...(texts === undefined ? {} : { texts: texts.slice(0, count) }),
  }
}

/** How many of the points have texts of no more than so many units (one at least), and their units. */
function withinTexts(
  { timestamps, texts }: Points,
  most: number,
): { count: number; units: number } {
  let units = 0
  if (texts === undefined) return { count: timestamps.length, units }
  for (let i = 0; i < texts.length; i++) {
    units += texts[i]?.length ?? 0
    if (units > most && i > 0) return { count: i, units }
  }
  return { count: texts.length, units }
}
