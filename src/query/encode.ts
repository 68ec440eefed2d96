import { isoFromTime } from '../model/time.ts'
import type { SeriesBuckets, SeriesPoints } from '../ports/store.ts'

/** JSON of a float64 that parses back to the same bits: `JSON.stringify` would lose -0. */
export function encodeNumber(value: number): string {
  return value === 0 && 1 / value < 0 ? '-0' : String(value)
}

/** JSON of the value at a place: number, or text where the point is text. */
export function encodeValue(points: SeriesPoints, at: number): string {
  const value = points.values[at]
  if (value === value) return encodeNumber(value)
  return JSON.stringify(points.texts?.[at] ?? null)
}

export function encodeTimes(timestamps: Float64Array): string {
  let json = '['
  for (let i = 0; i < timestamps.length; i++) {
    json += `${i === 0 ? '' : ','}"${isoFromTime(timestamps[i])}"`
  }
  return json + ']'
}

/** NaN, which is what an aggregate over nothing gives, becomes null. */
function encodeColumn(values: Float64Array): string {
  let json = '['
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    json += `${i === 0 ? '' : ','}${value - value === 0 ? encodeNumber(value) : 'null'}`
  }
  return json + ']'
}

function encodeName({ device, metric }: { device: string; metric: string }): string {
  return `{"device_id":${JSON.stringify(device)},"metric":${JSON.stringify(metric)}`
}

/** `[{device_id, metric, timestamps: [], values: []}]`: ready for a chart. */
export function encodeSeriesPoints(series: readonly SeriesPoints[]): string {
  const parts = series.map(points => {
    let values = '['
    for (let i = 0; i < points.values.length; i++) {
      values += `${i === 0 ? '' : ','}${encodeValue(points, i)}`
    }
    const times = encodeTimes(points.timestamps)
    return `${encodeName(points)},"timestamps":${times},"values":${values}]}`
  })
  return `[${parts.join(',')}]`
}

/** `[{device_id, metric, timestamps: [], avg: [], …}]`, a column for each aggregate. */
export function encodeSeriesBuckets(
  series: readonly SeriesBuckets[],
  aggregates: readonly string[],
): string {
  const parts = series.map(buckets => {
    let json = `${encodeName(buckets)},"timestamps":${encodeTimes(buckets.timestamps)}`
    for (let a = 0; a < aggregates.length; a++) {
      json += `,"${aggregates[a]}":${encodeColumn(buckets.columns[a])}`
    }
    return json + '}'
  })
  return `[${parts.join(',')}]`
}
