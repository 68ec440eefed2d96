/** A cost of two kinds of requests, in whatever unit its owner says, a request. */
export interface Cost {
  readonly perWrite: number
  readonly perQuery: number
}

/** A rate that the lab confirmed, of one block. */
export interface ConfirmedRate {
  readonly profile: string
  readonly block: number
  readonly requestsPerSecond: number
  readonly writesPerSecond: number
  readonly pointsPerSecond: number
  readonly queriesPerSecond: number
  /** Over all endpoints, from the intended time of sending. */
  readonly p99Ms: number
}

/** What was measured of one solution: a topology with its flags. */
export interface SolutionFigures {
  readonly solution: string
  readonly topology: string
  readonly flags: readonly string[]
  readonly confirmed: readonly ConfirmedRate[]
  /** Mean of the writes that were measured. */
  readonly pointsPerWrite: number
  /** Share of all that the solution can do on that machine; their sum is 1 at its limit. */
  readonly share: Cost
  /** CPU seconds, by role. */
  readonly cpuSeconds: Readonly<Record<string, Cost>>
  /**
   * False: the profiles had too much the same mix to tell writes from queries, and a request of
   * either kind is taken to cost the same.
   */
  readonly isSeparated: boolean
  /** By how much the confirmed rates differ from what `share` says of them, at most: 0.1 is 10 %. */
  readonly fitError: number
  /** Largest of all roles together. */
  readonly memoryBytes: number
  /** With so many devices. Absent: the results do not say. */
  readonly devices?: number
  /** Of the step with the most points: what is there anyway weighs least in it. */
  readonly disk?: { readonly bytesPerPoint: number; readonly points: number }
}

/** Where the figures come from. */
export interface CalibrationSource {
  readonly run: string
  readonly startedAt: string
  readonly command: string
  readonly commit: string
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
  readonly isQuick: boolean
  readonly blocks: number
}

/** What the lab measured on one machine, as far as a plan needs it. Made by src/lab/analysis. */
export interface Calibration {
  readonly formatVersion: 1
  readonly source: CalibrationSource
  readonly solutions: readonly SolutionFigures[]
  /** What a reader has to know of it, in sentences. */
  readonly warnings: readonly string[]
}
