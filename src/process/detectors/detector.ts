import type { Findings } from './findings.ts'

/** The numbers of one batch, as columns. */
export interface DetectorBatch {
  /** Per series of the batch: its slot, or -1 where the series is not watched. */
  readonly slots: Int32Array
  /** Per point: its series. */
  readonly seriesIndex: Uint32Array
  readonly timestamps: Float64Array
  /** NaN where the point is text: it is passed over. */
  readonly values: Float64Array
  /** The points in the order of their times, where the batch is not in it series by series. */
  readonly order: Uint32Array | undefined
}

/** Points seen since the start of the process. */
export interface DetectorCounts {
  /** Older than the newest of their series: they change nothing. */
  readonly late: number
  /** The newest point of a series once more, with the same value: they change nothing. */
  readonly repeated: number
}

/**
 * Watches series for values that are unusual. Called by `Analytics` alone, on the doors' thread,
 * with every durable batch in the order of the log; synchronous, and hot.
 *
 * A series has a slot, a small number that it keeps while it is watched and that another gets
 * afterwards. State is typed arrays by slot and nothing else: it must be a function of the points
 * seen since `admit`, so that a snapshot and the rest of the log lead to what an uninterrupted run
 * would have. Time is the points' own, never the clock's.
 */
export interface Detector {
  /** Stored with what it finds, so never changed. */
  readonly name: string
  /** Says what the state depends on (settings, layout): a state is restored to the same one only. */
  readonly signature: string
  readonly counts: DetectorCounts
  /** There will be slots 0 to `slots` - 1. */
  reserve(slots: number): void
  /** A series with this metric gets the slot and begins without a past. */
  admit(slot: number, metric: string): void
  /** Takes the points in, and reports by their index those that are unusual. */
  detect(batch: DetectorBatch, findings: Findings): void
  /** The state of the first `slots` slots: a view, true until the next `detect` or `admit`. */
  state(slots: number): Float64Array
}
