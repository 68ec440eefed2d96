import type { Address } from '../config/address.ts'

/** A running Weir. */
export interface WeirNode {
  /** Absent where it listens nowhere. */
  readonly http?: Address
  readonly mqtt?: Address
  /** With TLS. */
  readonly mqtts?: Address
  /** Resolves with the reason when the node cannot go on; the caller then stops it. */
  readonly failed: Promise<Error>
  /** Why it takes no more points until a restart, although it answers; undefined while it does. */
  failure(): string | undefined
  /** Lets go of what only one process may have (bridges), before another one takes its place. */
  release(): Promise<void>
  /** Has again what it let go of: no other process has taken its place. */
  regain(): Promise<void>
  /**
   * Takes no new connections, and lets clients end those that they have, for at most `timeoutMs`;
   * `stop` follows.
   */
  drain(timeoutMs: number): Promise<void>
  /** Takes nothing new, makes durable and stores what it has, releases everything. */
  stop(): Promise<void>
}
