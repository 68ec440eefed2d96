import type { Anomaly, AnomalyKey, Severity } from '../model/anomaly.ts'
import type { TimeRange } from './store.ts'

/** All that are given must hold; an empty list selects nothing. */
export interface AnomalyQuery {
  readonly tenant: string
  readonly devices?: readonly string[] | undefined
  readonly metrics?: readonly string[] | undefined
  readonly severities?: readonly Severity[] | undefined
  readonly range: TimeRange
  /** 1 or more. */
  readonly limit: number
  /** The last anomaly of the page before; the next page begins behind it. */
  readonly after?: AnomalyKey | undefined
}

export interface AnomalyRetention {
  /** Older ones are removed, by the point's time. */
  readonly beforeUs: number
  /** Of each tenant so many of the newest are kept, so that none can push out another's. */
  readonly maxPerTenant: number
}

/**
 * What the detectors found. Keyed by (tenant, device, metric, time, detector), and saving is an
 * upsert: what a replay of the log finds again changes nothing.
 *
 * Called from the doors' thread: `save` by the analytics, in batches off the hot path, the rest by
 * requests. Errors are `WeirError`s: `retryable` (the caller retries), `closed`.
 */
export interface Anomalies {
  /** In transactions of bounded size; on failure some may be saved. Survives the process at once. */
  save(anomalies: readonly Anomaly[]): Promise<void>
  /** Resolves when all that was saved survives a power cut too. */
  sync(): Promise<void>
  /** Newest first; of one time by device, metric and detector, falling. */
  find(query: AnomalyQuery): Promise<Anomaly[]>
  /** How many are kept, by device; devices without any are left out. Absent `devices` means all. */
  countByDevice(tenant: string, devices?: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Resolves with how many were removed: a bounded number a call, so call again while it is not 0. */
  trim(retention: AnomalyRetention): Promise<number>
  close(): Promise<void>
}
