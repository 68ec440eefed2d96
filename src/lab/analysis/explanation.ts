import type { Prediction } from './prediction.ts'
import type { BlockCell, MeasuredStep } from './result-set.ts'
import type { Utilisation } from './utilisation.ts'

export type Cause =
  | 'ledger'
  | 'crash'
  | 'generator'
  | 'queue-lag'
  | 'machine'
  | 'api-core'
  | 'pool'
  | 'wal'
  | 'locks'
  | 'event-loop'
  | 'cache'
  | 'unknown'

/** One figure that was measured, or follows from such by a law that `figure` names. */
export interface Evidence {
  readonly figure: string
  readonly value: number
  readonly unit: string
}

/** What stops a solution under a profile. */
export interface Explanation {
  readonly cause: Cause
  readonly text: string
  readonly evidence: readonly Evidence[]
  /** Absent where the next thing to do is a repair, not a change. */
  readonly prediction?: Prediction
}

/** What a cause is looked for in. */
export interface Scene {
  readonly cell: BlockCell
  /** Where the limit shows: the lowest rate that was not sustained. */
  readonly step: MeasuredStep
  readonly use: Utilisation
  /** What it sustains; 0: nothing. */
  readonly maxRate: number
  /** Of the requests that write. */
  readonly writeShare: number
  /** Settings of its topology and those that it extends: `store.postgres.writes = merged`. */
  readonly settings: readonly string[]
}
