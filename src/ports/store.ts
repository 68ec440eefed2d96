import type { EncodedBatch } from '../model/batch.ts'
import type { NewestRead, SeriesTime } from './latest.ts'
import type { LogPosition } from './log.ts'

/** `end` is exclusive; both are integer microseconds since 1970. */
export interface TimeRange {
  readonly start: number
  readonly end: number
}

/** `metrics` empty means every metric of each device. Unknown names select nothing. */
export interface SeriesSelector {
  readonly tenant: string
  readonly devices: readonly string[]
  readonly metrics: readonly string[]
}

/** Points of one series, strictly rising (or, for `desc`, falling) in time, each time once. */
export interface SeriesPoints {
  readonly device: string
  readonly metric: string
  readonly timestamps: Float64Array
  /** NaN where the point is text. */
  readonly values: Float64Array
  readonly texts?: readonly (string | undefined)[]
}

/**
 * How much an answer may hold, of all series together. A read that would give more is refused
 * (`rejected`, with this `limit`), and gathers not much more than that before.
 */
export interface AnswerBound {
  readonly most: number
  /** Its configuration path. */
  readonly limit: string
}

export interface RawRead {
  readonly select: SeriesSelector
  readonly range: TimeRange
  /** At most this many points of each series, the first ones in `order`. */
  readonly limit: number
  readonly order: 'asc' | 'desc'
  /** Of points; absent: none. */
  readonly bound?: AnswerBound
}

/** Everything of a selection, for exports. */
export interface ScanRead {
  readonly select: SeriesSelector
  readonly range: TimeRange
}

/** `pNN` is the exact percentile, nearest rank on the sorted values (`p50`, `p99.9`). */
export type Aggregate = 'avg' | 'min' | 'max' | 'count' | 'sum' | 'first' | 'last' | `p${number}`

export interface BucketRead {
  readonly select: SeriesSelector
  readonly range: TimeRange
  /** Microseconds. Buckets are aligned to multiples of it since 1970; the first may begin before `start`. */
  readonly intervalUs: number
  readonly aggregates: readonly Aggregate[]
  /** Of buckets; absent: none. */
  readonly bound?: AnswerBound
}

/** Only buckets that hold numeric points; text points are not counted. */
export interface SeriesBuckets {
  readonly device: string
  readonly metric: string
  /** The start of each bucket, rising. */
  readonly timestamps: Float64Array
  /** A column for each aggregate asked for, in that order. */
  readonly columns: readonly Float64Array[]
}

export interface DownsampleRead {
  readonly select: SeriesSelector
  readonly range: TimeRange
  /** LTTB (Steinarsson 2013): the first and last point and the largest triangles between. */
  readonly maxPoints: number
  /** Of points; absent: none. */
  readonly bound?: AnswerBound
}

/** The newest point by device time of some series, as columns. */
export interface LatestColumns {
  readonly tenants: readonly string[]
  readonly devices: readonly string[]
  readonly metrics: readonly string[]
  readonly timestamps: Float64Array
  readonly values: Float64Array
  readonly texts: readonly (string | undefined)[]
}

/** Of one tenant, as `StoreStats` says of all. */
export interface TenantPoints {
  readonly stored: number
  readonly duplicate: number
  readonly unsettled: number
}

export interface StoreStats {
  /** Distinct points held, by key (tenant, device, metric, time). */
  readonly stored: number
  /** Points that repeated a key that was there. stored + duplicate + unsettled = points written. */
  readonly duplicate: number
  /**
   * Points of entries that can never be stored, since the store was made. Absent where the store
   * does not keep it: then the caller knows only of its own.
   */
  readonly deadLettered?: number
  /** Points taken and queryable of which it is not yet known whether they repeat a key. */
  readonly unsettled: number
  /** Points that were stored before the store counted by tenant are in the sums alone. */
  readonly tenants: ReadonlyMap<string, TenantPoints>
  readonly series: number
  /**
   * Blocks found damaged and set aside: their points count as stored, but reads go on without them.
   * Absent where the store cannot tell.
   */
  readonly damagedBlocks?: number
  /** Bytes on disk, and bytes in memory that wait to be written. */
  readonly diskBytes: number
  readonly memoryBytes: number
  /** Why the store takes no writes any more, for `/ready`; absent while it does. */
  readonly failure?: string
}

/** A statement of a database, with all that has been called of it. */
export interface StatementFigures {
  readonly statement: string
  readonly calls: number
  readonly totalMs: number
}

/** What is known of the database that a store is kept in. */
export interface DatabaseFigures {
  readonly connections: {
    readonly size: number
    readonly inUse: number
    readonly idle: number
    /** Who waits for a connection. */
    readonly waiting: number
  }
  /** The slowest ones by the time of all their calls; empty where the database does not tell. */
  readonly statements: readonly StatementFigures[]
}

/** What a store can do, as data: compositions that cannot work are refused by it. */
export interface StoreCapabilities {
  /** A read called after `write` was called (not: resolved) sees its points. */
  readonly readsFollowWrites: boolean
  /** What a resolved `write` took survives a crash, so that a door may acknowledge on it alone. */
  readonly commitsOnWrite: boolean
  /** Several processes write to it and read what the others wrote. */
  readonly isShared: boolean
}

/** A batch to be stored. */
export interface StoreEntry extends EncodedBatch {
  /** Where the log has it; absent when no log keeps it, and nothing is skipped then. */
  readonly position?: LogPosition | undefined
}

/**
 * Where points live. Keyed by (tenant, device, metric, time), the last write wins, so that
 * writing a batch again changes nothing.
 *
 * Called from the doors' thread; implementations keep their work off it. Reads are exact under
 * duplicates and disorder; series without points in range are left out of answers.
 *
 * Errors are `WeirError`s: `retryable` (try again; disk full has the code `disk_full`), `rejected`
 * (a range, interval or aggregate that makes no sense), `corrupt` (a read has met damaged data and
 * names it), `closed` (every call after `close`, or after the store has failed for good).
 */
export interface Store {
  readonly capabilities: StoreCapabilities
  /**
   * Takes entries in log order. Called by the writer, without waiting for earlier calls; resolves
   * when the points are queryable. Entries at positions that are already covered change nothing.
   * Rejects with `rejected` when an entry can never be stored; its position counts as taken, and
   * the caller puts its points among the dead letters.
   *
   * A store that is shared may reject with `retryable` or `overloaded`: then it takes none of what
   * follows in the same log partition, which is rejected likewise, until the caller has given it the
   * entry again.
   */
  write(entries: readonly StoreEntry[]): Promise<void>
  /**
   * The first position of each log partition that is not durably in the store, whichever process
   * wrote the ones before.
   */
  positions(): Promise<readonly LogPosition[]>
  /** Called whenever `positions()` has advanced: the log may be trimmed to there. */
  onCommit(listener: (positions: readonly LogPosition[]) => void): void
  /** Makes everything taken so far durable, and settles it. For graceful stop, backup and tests. */
  flush(): Promise<void>
  read(request: RawRead): Promise<SeriesPoints[]>
  buckets(request: BucketRead): Promise<SeriesBuckets[]>
  /**
   * All points of the selection, series by series in the selector's order of devices, in chunks of
   * bounded size (about 65 000 points): a series may go on in the next chunks, with later times. The
   * next chunk is fetched while the caller has this one and no further, so a slow caller costs no
   * memory, and other reads are served in between. Each chunk sees one state; what is written meanwhile
   * may or may not be seen. Ending the iteration releases everything.
   */
  scan(request: ScanRead): AsyncIterable<readonly SeriesPoints[]>
  /** Text points are left out. */
  downsample(request: DownsampleRead): Promise<SeriesPoints[]>
  /** The newest point of every series that is durably in the store, in chunks; for start-up. */
  latest(): AsyncIterable<LatestColumns>
  /**
   * The series with the newest points, newest first; of one time by device and metric. Absent where
   * the store would have to look at every series for it.
   */
  newest?(request: NewestRead): Promise<readonly SeriesTime[]>
  stats(): Promise<StoreStats>
  /** For the metrics; absent where there is no database. */
  figures?(): Promise<DatabaseFigures>
  /** Flushes, then releases everything. Idempotent. */
  close(): Promise<void>
}
