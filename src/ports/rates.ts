import type { ServerHealth } from './server-health.ts'

/**
 * So many tokens a second, and a burst of what some seconds bring (kit/token-bucket.ts). What is
 * taken may exceed what is there, once: it is owed then. Synchronous, because it is asked with each
 * request and each read of an MQTT socket. `nowMs` is milliseconds since 1970.
 */
export interface Bucket {
  readonly perSecond: number
  readonly burst: number
  /** Tokens that are there; below 0: what is owed. */
  left(nowMs: number): number
  take(tokens: number, nowMs: number): void
  /** Milliseconds until `tokens` are there; 0: now. */
  waitMs(tokens: number, nowMs: number): number
}

export interface RateOptions {
  readonly perSecond: number
  /** What may come at once: as much as the rate brings in this time. */
  readonly burstMs: number
  readonly nowMs: number
}

/**
 * Where limits are counted: in each process for itself, or of all processes together. Errors never
 * reach the caller: what cannot be shared for a while is counted by each process for itself, so that
 * nothing is refused that one process alone would allow.
 */
export interface Rates {
  readonly capabilities: { readonly isShared: boolean }
  /** The bucket of that id, which holds the tenant; the caller keeps it. */
  bucket(id: string, options: RateOptions): Bucket
  /** How its server does; absent where there is none. */
  health?(): ServerHealth
  close(): Promise<void>
}
