import type { Batch, EncodedBatch } from '../model/batch.ts'
import { encodeFrame } from '../model/frame.ts'
import type { Rejection } from '../model/rejection.ts'
import type { SeriesTable } from '../model/series-table.ts'
import type { Violations } from '../model/violation.ts'
import type { ValueCheck } from './value-check.ts'

/** As of the JSON doors: beyond it refusals are counted but not listed one by one. */
const MAX_LISTED = 1000

export interface CheckedFrame {
  /** What is to be stored: the frame as it came, or a new one of what was not refused. */
  readonly entry: EncodedBatch
  readonly rejected: readonly Rejection[]
  readonly violations?: Violations
}

/**
 * Holds the values of a frame, whose form has been checked, against what products declare; `check`
 * has begun. A frame cannot tell booleans from numbers, so 0 and 1 pass for both.
 *
 * Refused points are taken out, and the others kept: values come from the sensors behind a
 * gateway, which could not do anything better than send the frame again for ever.
 */
export function checkFrameValues(
  entry: EncodedBatch,
  table: SeriesTable,
  check: ValueCheck,
): CheckedFrame {
  const { batch } = entry
  const { seriesIndex, timestamps, values, texts } = batch
  const ids = table.resolve(batch)
  const rejected: Rejection[] = []
  let refused: number[] | undefined
  for (let i = 0; i < timestamps.length; i++) {
    const series = ids[seriesIndex[i]]
    const value = values[i]
    check.timeUs = timestamps[i]
    if (value === value ? check.takes(series, value, false) : check.takesText(series)) continue
    ;(refused ??= []).push(i)
    if (rejected.length === MAX_LISTED) continue
    const field = texts?.[i] === undefined ? 'values' : 'texts'
    rejected.push({ index: i, field, ...check.refusal(), points: 1 })
  }
  const violations = check.found()
  const found = violations === undefined ? {} : { violations }
  if (refused === undefined) return { entry, rejected, ...found }
  const unlisted = refused.length - rejected.length
  if (unlisted > 0) rejected.push(theRest(unlisted))
  const kept = without(batch, refused)
  return { entry: { batch: kept, frame: encodeFrame(kept) }, rejected, ...found }
}

function theRest(points: number): Rejection {
  const detail = `${points} further points were refused; only the first refusals are listed`
  return { index: 0, field: '', detail, reason: 'unlisted', points }
}

/** The batch without the points at these places; its dictionary keeps only what is used. */
function without(batch: Batch, places: readonly number[]): Batch {
  const refused = new Set(places)
  const kept: number[] = []
  for (let i = 0; i < batch.timestamps.length; i++) if (!refused.has(i)) kept.push(i)
  const used = [...new Set(kept.map(i => batch.seriesIndex[i]))]
  const devices = [...new Set(used.map(s => batch.seriesDevice[s]))]
  const metrics = [...new Set(used.map(s => batch.seriesMetric[s]))]
  const seriesAt = placesOf(used)
  const deviceAt = placesOf(devices)
  const metricAt = placesOf(metrics)
  const of = (places: ReadonlyMap<number, number>, at: number): number => places.get(at) ?? 0
  const { texts } = batch
  return {
    tenant: batch.tenant,
    devices: devices.map(d => batch.devices[d]),
    metrics: metrics.map(m => batch.metrics[m]),
    seriesDevice: Uint32Array.from(used, s => of(deviceAt, batch.seriesDevice[s])),
    seriesMetric: Uint32Array.from(used, s => of(metricAt, batch.seriesMetric[s])),
    seriesIndex: Uint32Array.from(kept, i => of(seriesAt, batch.seriesIndex[i])),
    timestamps: Float64Array.from(kept, i => batch.timestamps[i]),
    values: Float64Array.from(kept, i => batch.values[i]),
    ...(texts === undefined ? {} : { texts: kept.map(i => texts[i]) }),
  }
}

function placesOf(ids: readonly number[]): ReadonlyMap<number, number> {
  return new Map(ids.map((id, place) => [id, place]))
}
