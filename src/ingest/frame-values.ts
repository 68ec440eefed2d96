import type { Batch, EncodedBatch } from '../model/batch.ts'
import { encodeFrame } from '../model/frame.ts'
import type { Rejection } from '../model/rejection.ts'
import type { SeriesTable } from '../model/series-table.ts'
import type { ValueRanges } from '../model/value-rules.ts'
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
  const ids = table.resolve(batch)
  const ranges = check.ranges(ids)
  if (ranges === undefined) return { entry, rejected: [] }
  const { seriesIndex, timestamps, values, texts } = batch
  const rejected: Rejection[] = []
  const refused: number[] = []
  for (let i = -1; (i = nextOutside(batch, ranges, i + 1)) < values.length;) {
    const series = ids[seriesIndex[i]]
    const value = values[i]
    check.timeUs = timestamps[i]
    if (value === value ? check.takes(series, value, false) : check.takesText(series)) continue
    refused.push(i)
    if (rejected.length === MAX_LISTED) continue
    const field = texts?.[i] === undefined ? 'values' : 'texts'
    rejected.push({ index: i, field, ...check.refusal(), points: 1 })
  }
  const violations = check.found()
  const found = violations === undefined ? {} : { violations }
  if (refused.length === 0) return { entry, rejected, ...found }
  const unlisted = refused.length - rejected.length
  if (unlisted > 0) rejected.push(theRest(unlisted))
  const { kept, used } = without(batch, refused)
  table.remember(
    kept,
    Uint32Array.from(used, s => ids[s]),
  )
  return { entry: { batch: kept, frame: encodeFrame(kept) }, rejected, ...found }
}

/** The place of the next value, from `at` on, that is not in the range of its series. */
function nextOutside({ values, seriesIndex }: Batch, { mins, maxs }: ValueRanges, at: number) {
  let i = at
  for (; i < values.length; i++) {
    const s = seriesIndex[i]
    if (!(values[i] >= mins[s] && values[i] <= maxs[s])) break
  }
  return i
}

function theRest(points: number): Rejection {
  const detail = `${points} further points were refused; only the first refusals are listed`
  return { index: 0, field: '', detail, reason: 'unlisted', points }
}

/** The batch without the points at these rising places, and the series of it that are `used`. */
function without(
  batch: Batch,
  refused: readonly number[],
): { readonly kept: Batch; readonly used: readonly number[] } {
  const count = batch.timestamps.length - refused.length
  const timestamps = new Float64Array(count)
  const values = new Float64Array(count)
  const seriesIndex = new Uint32Array(count)
  const texts = batch.texts === undefined ? undefined : [...batch.texts]
  const series = new Places(batch.seriesDevice.length)
  let next = 0
  for (let i = 0, to = 0; i < batch.timestamps.length; i++) {
    if (i === refused[next]) {
      next++
      continue
    }
    timestamps[to] = batch.timestamps[i]
    values[to] = batch.values[i]
    seriesIndex[to] = series.place(batch.seriesIndex[i])
    if (texts !== undefined) texts[to] = texts[i]
    to++
  }
  if (texts !== undefined) texts.length = count
  const devices = new Places(batch.devices.length)
  const metrics = new Places(batch.metrics.length)
  const kept: Batch = {
    tenant: batch.tenant,
    seriesDevice: Uint32Array.from(series.used, s => devices.place(batch.seriesDevice[s])),
    seriesMetric: Uint32Array.from(series.used, s => metrics.place(batch.seriesMetric[s])),
    devices: devices.used.map(d => batch.devices[d]),
    metrics: metrics.used.map(m => batch.metrics[m]),
    ...{ seriesIndex, timestamps, values },
    ...(texts?.some(text => text !== undefined) === true ? { texts } : {}),
  }
  return { kept, used: series.used }
}

/** New places for what of a dictionary is used, in the order of its first use. */
class Places {
  readonly used: number[] = []
  readonly #places: Int32Array

  constructor(length: number) {
    this.#places = new Int32Array(length).fill(-1)
  }

  place(old: number): number {
    const known = this.#places[old]
    if (known >= 0) return known
    this.#places[old] = this.used.length
    return this.used.push(old) - 1
  }
}
