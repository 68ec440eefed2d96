import type { RequestPlace } from './compiled-workload.ts'

/** Where the requests of a run come from: an executor at work. Times are since its start. */
export interface Source {
  /** When the next request that was not taken is due; Infinity: none, as things stand. */
  readonly nextMs: number
  /** Who sends it: a user or device; 0 in the open loop. */
  readonly nextOwner: number
  /** When it ends at the latest. */
  readonly endMs: number
  /** Whether it lasts until then, even where nothing is left to do. */
  readonly lastsUntilEnd: boolean
  /** Whether each owner has a connection of its own, opened with its first request. */
  readonly ownConnections: boolean
  /** Takes the next request. What it returns is good until the next call. */
  take(): RequestPlace
  /** The request of this owner has come to its end. False: it was the owner's last. */
  settled(owner: number, nowMs: number): boolean
  /** How many were due by then, since the start, taken or not. Never asked for an earlier time. */
  dueBy(nowMs: number): number
}
