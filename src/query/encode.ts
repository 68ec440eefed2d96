import type { JsonWriter } from '../kit/json-writer.ts'
import type { SeriesBuckets, SeriesPoints } from '../ports/store.ts'

/** The value at a place: number, or text where the point is text. */
export function writeValue(writer: JsonWriter, points: SeriesPoints, at: number): void {
  const value = points.values[at]
  const text = value === value ? undefined : points.texts?.[at]
  if (text === undefined) writer.number(value)
  else writer.string(text)
}

function writeTimes(writer: JsonWriter, timestamps: Float64Array): void {
  writer.ascii('[')
  for (let i = 0; i < timestamps.length; i++) {
    if (i > 0) writer.ascii(',')
    writer.time(timestamps[i])
  }
  writer.ascii(']')
}

/** NaN, which is what an aggregate over nothing gives, becomes null. */
function writeColumn(writer: JsonWriter, values: Float64Array): void {
  writer.ascii('[')
  for (let i = 0; i < values.length; i++) {
    if (i > 0) writer.ascii(',')
    writer.number(values[i])
  }
  writer.ascii(']')
}

/** The unit of a metric of a device of the tenant in question; undefined: not known. */
export type SeriesUnit = (device: string, metric: string) => string | undefined

interface SeriesHead {
  readonly device: string
  readonly metric: string
  readonly timestamps: Float64Array
}

/** `,"units":{metric: unit}` of those that are known, or nothing. */
export function writeUnits(
  writer: JsonWriter,
  series: readonly SeriesHead[],
  unitOf: SeriesUnit,
): void {
  let isFirst = true
  for (const { device, metric } of series) {
    const unit = unitOf(device, metric)
    if (unit === undefined) continue
    writer.ascii(isFirst ? ',"units":{' : ',')
    isFirst = false
    writer.string(metric)
    writer.ascii(':')
    writer.string(unit)
  }
  if (!isFirst) writer.ascii('}')
}

function writeHead(writer: JsonWriter, series: SeriesHead, unitOf: SeriesUnit): void {
  writer.ascii('{"device_id":')
  writer.string(series.device)
  writer.ascii(',"metric":')
  writer.string(series.metric)
  const unit = unitOf(series.device, series.metric)
  if (unit !== undefined) {
    writer.ascii(',"unit":')
    writer.string(unit)
  }
  writer.ascii(',"timestamps":')
  writeTimes(writer, series.timestamps)
}

/** `[{device_id, metric, unit?, timestamps: [], values: []}]`: ready for a chart. */
export function writeSeriesPoints(
  writer: JsonWriter,
  series: readonly SeriesPoints[],
  unitOf: SeriesUnit,
): void {
  writer.ascii('[')
  for (let s = 0; s < series.length; s++) {
    const points = series[s]
    if (s > 0) writer.ascii(',')
    writeHead(writer, points, unitOf)
    writer.ascii(',"values":[')
    for (let i = 0; i < points.values.length; i++) {
      if (i > 0) writer.ascii(',')
      writeValue(writer, points, i)
    }
    writer.ascii(']}')
  }
  writer.ascii(']')
}

/** `[{device_id, metric, unit?, timestamps: [], avg: [], …}]`, a column for each aggregate. */
export function writeSeriesBuckets(
  writer: JsonWriter,
  series: readonly SeriesBuckets[],
  { aggregates, unitOf }: { aggregates: readonly string[]; unitOf: SeriesUnit },
): void {
  writer.ascii('[')
  for (let s = 0; s < series.length; s++) {
    const buckets = series[s]
    if (s > 0) writer.ascii(',')
    writeHead(writer, buckets, unitOf)
    for (let a = 0; a < aggregates.length; a++) {
      writer.ascii(`,"${aggregates[a]}":`)
      writeColumn(writer, buckets.columns[a])
    }
    writer.ascii('}')
  }
  writer.ascii(']')
}
