/**
 * What moves through Weir: a columnar set of points of one tenant.
 *
 * A batch carries its own dictionary, so it means the same in every process and on every log:
 * `devices` and `metrics` hold each name once, series `s` is
 * (`devices[seriesDevice[s]]`, `metrics[seriesMetric[s]]`), and point `p` belongs to series
 * `seriesIndex[p]`. Each (device, metric) pair occurs at most once among the series.
 */
export interface Batch {
  readonly tenant: string
  readonly devices: readonly string[]
  readonly metrics: readonly string[]
  /** Per series: its place in `devices`. */
  readonly seriesDevice: Uint32Array
  /** Per series: its place in `metrics`. */
  readonly seriesMetric: Uint32Array
  /** Per point: its series. */
  readonly seriesIndex: Uint32Array
  /** Per point: integer microseconds since 1970, exact as a float64 until the year 2255. */
  readonly timestamps: Float64Array
  /** Per point: its value; NaN where the point is text. Booleans are 0 and 1. */
  readonly values: Float64Array
  /** Per point: its text, where it is a text point. Absent when the batch has none. */
  readonly texts?: readonly (string | undefined)[]
}

/** A batch and its encoded form, which is what a log stores and what threads exchange. */
export interface EncodedBatch {
  readonly batch: Batch
  readonly frame: Uint8Array
}

export function pointCount(batch: Batch): number {
  return batch.timestamps.length
}
