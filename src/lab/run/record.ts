import type { LoadResult } from '../generator/load.ts'
import type { ProbeFigures } from '../probes/figures.ts'
import type { Solution } from '../system/solution.ts'
import type { Slo, Workload } from '../workloads/workload.ts'

/**
 * The lines of a result file (`results.ndjson`): a `run`, then a line a step and a cell. A run that was
 * interrupted has its `run` again where it went on, with the time of that.
 */
export type LabRecord = RunRecord | StepRecord | CellRecord

export interface RunRecord {
  readonly kind: 'run'
  readonly formatVersion: 1
  readonly id: string
  readonly startedAt: string
  readonly command: string
  readonly isQuick: boolean
  readonly seed: number
  readonly blocks: number
  readonly solutions: readonly Solution[]
  readonly profiles: readonly string[]
  /** Of the profiles: what a result means when the definitions have changed since. */
  readonly workloads?: readonly Workload[]
  readonly slo: Slo
  readonly phases: Phases
  readonly machine: MachineFacts
}

/** Lengths of what is done for a cell. */
export interface Phases {
  readonly startRate: number
  /** The search tries no rate above; absent: what the generator can send. */
  readonly maxRate?: number
  readonly pilotFactor: number
  readonly pilotStepMs: number
  readonly warmUpMs: number
  readonly measureMs: number
  /** The bracket of the bisection: upper ÷ lower − 1. */
  readonly precision: number
  readonly confirmMs: number
  readonly overloadFactor: number
  readonly overloadMs: number
  /** How often a void step is repeated before the cell is given up. */
  readonly maxVoids: number
  readonly drainLimitMs: number
}

export interface MachineFacts {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
  readonly commit: string
  /** Of an fsync of 4 KB on the disk of the data, milliseconds. */
  readonly fsyncP50Ms: number
  readonly fsyncP99Ms: number
  /** `PostgreSQL 18.4`, `Kafka 4.1`. */
  readonly servers: readonly string[]
  /** What every topology file used says, by name; without comments, and without what is secret. */
  readonly topologies: Readonly<Record<string, string>>
}

export type Phase = 'pilot' | 'bisect' | 'confirm' | 'overload'

export interface CellKey {
  readonly block: number
  readonly solution: string
  readonly profile: string
}

/**
 * `pass` and `fail` say whether the rate was sustained; `void`: the instrument was not good enough,
 * repeat it; `invalid`: the system lost or doubled a point.
 */
export type Outcome = 'pass' | 'fail' | 'void' | 'invalid'

export interface Breach {
  readonly rule:
    | 'p99'
    | 'p95'
    | 'errors'
    | 'achieved'
    | 'backlog'
    | 'ledger'
    /** The ledger could not be asked at the end: what was stored, nobody knows. */
    | 'unread'
    | 'freshness'
    | 'send-lag'
    | 'generator-cpu'
    | 'crash'
  /** With figure and bound: `p99 of GET latest 412 ms, at most 300 ms`. */
  readonly detail: string
}

export interface Verdict {
  readonly outcome: Outcome
  readonly breaches: readonly Breach[]
}

export interface StepRecord {
  readonly kind: 'step'
  readonly cell: CellKey
  readonly phase: Phase
  readonly attempt: number
  /** Offered; of a pilot, the last stage's. */
  readonly rate: number
  readonly startedAt: string
  /** Absent where the system did not start or ended. */
  readonly load?: LoadResult
  readonly probes?: ProbeFigures
  readonly verdict: Verdict
  /** Of `overload`: after the load, until an endpoint answers within the SLO again. */
  readonly recoveryMs?: number
}

/** The end of a cell. What it is made of are the steps before it with its key. */
export interface CellRecord {
  readonly kind: 'cell'
  readonly cell: CellKey
  readonly endedAt: string
  /** Confirmed; 0 where not even the lowest rate was sustained. */
  readonly maxRate: number
  /** What kept the next higher rate from passing. */
  readonly limit: readonly Breach[]
  /** Set where the cell has no result: why. */
  readonly problem?: string
}
