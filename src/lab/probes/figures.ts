import type { Latency } from '../generator/load.ts'
import type { Role } from '../system/system.ts'

/** Of all processes of a role together, over the measured time. */
export interface RoleFigures {
  readonly role: Role
  /** Percent of one core: two busy processes may have 200. Sampled every second. */
  readonly cpuMeanPct: number
  readonly cpuMaxPct: number
  readonly cpuSeconds: number
  /** Largest sum of resident memory (PSS where the kernel tells it). */
  readonly memoryMaxBytes: number
  readonly processesMax: number
}

export interface DatabaseFigures {
  readonly connectionsMax: number
  /** Mean of those that were running a statement, and of those that waited for a lock or a flush. */
  readonly activeMean: number
  readonly waitingMean: number
  /** What they waited for, with its share of all samples: `WAL: WalSync` → 0.4. */
  readonly waits: Readonly<Record<string, number>>
  readonly transactionsPerSecond: number
  readonly rowsWrittenPerSecond: number
  readonly rowsReadPerSecond: number
  readonly blocksReadPerSecond: number
  readonly blockHitShare: number
  readonly walBytesPerSecond: number
}

/** From the node's `/metrics`; absent where it has no such thing. */
export interface NodeFigures {
  readonly eventLoopP99Ms?: number
  readonly poolSize?: number
  /** Connections in use, and requests that waited for one; means of the samples. */
  readonly poolBusyMean?: number
  readonly poolWaitingMean?: number
  readonly cacheHitShare?: number
  /** Points that the log has and the store has not. */
  readonly lagMaxPoints?: number
}

export interface BacklogFigures {
  /** Points a second by which it grew in the measured time: least squares over the samples. */
  readonly slopePerSecond: number
  /** Since the end of the load until it was empty; absent: it was not within the limit. */
  readonly drainedMs?: number
  readonly maxPoints: number
}

export interface LedgerFigures {
  /** By the generator and the freshness probe. */
  readonly acknowledged: number
  readonly uncertain: number
  /** Distinct points by the node's ledger, since the start of the step. */
  readonly stored: number
  /** Distinct points counted by queries for them; absent where the step did not ask. */
  readonly counted?: number
  readonly imbalance: number
  /** Set where the system has no ledger, because it is no Weir: `stored` and `imbalance` are 0 then. */
  readonly missing?: string
  /** Set where it could not be asked at the end: why. Nothing is known then, of a loss either. */
  readonly unread?: string
  /** What is wrong, in words; empty: nothing. */
  readonly problems: readonly string[]
}

/** What was seen of a system while it was under load. */
export interface ProbeFigures {
  readonly roles: readonly RoleFigures[]
  readonly database?: DatabaseFigures
  readonly node: NodeFigures
  readonly backlog: BacklogFigures
  /** Intended time of sending to visible in a query. */
  readonly freshness: Latency
  readonly ledger: LedgerFigures
  /** Of the machine: time taken by others on the same hardware, percent of all cores. */
  readonly stealPct: number
  /**
   * Used by what belongs neither to the system nor to the lab, percent of all cores: a desktop, a
   * backup, somebody's build. Absent in results of before, and where the kernel does not tell.
   */
  readonly othersPct?: number
  /** Percent of the time in which something that could run waited for a core; absent likewise. */
  readonly cpuPressurePct?: number
  readonly diskBytes: number
  /** Samples a second, for the plots. */
  readonly samples: readonly ResourceSample[]
}

export interface ResourceSample {
  /** Since the start of the load. */
  readonly atMs: number
  readonly cpuPct: Readonly<Partial<Record<Role, number>>>
  readonly memoryBytes: Readonly<Partial<Record<Role, number>>>
  readonly backlogPoints: number
}
