/** How far beyond its threshold a value was, the least first. */
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

/** Of one point, by one detector; there is at most one of a key. */
export interface AnomalyKey {
  readonly device: string
  readonly metric: string
  /** The point's device time, microseconds. */
  readonly timeUs: number
  /** The detector's name. */
  readonly detector: string
}

/** A point that a detector found unusual, as it was found: a value overwritten later keeps it. */
export interface Anomaly extends AnomalyKey {
  readonly tenant: string
  readonly severity: Severity
  readonly value: number
  /** What the detector had expected: for the rolling one the average of the window before. */
  readonly average: number
  /** Signed, in percent of the average's size; undefined where the average is 0. */
  readonly deviationPct: number | undefined
  /** Signed; in standard deviations for the rolling detector. */
  readonly score: number
}
