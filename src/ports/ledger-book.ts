import type { RejectReason } from '../model/rejection.ts'

/** What the doors and the writer of a process have counted for one tenant, in points. */
export interface LedgerCounts {
  /** Everything that came in, refused or not. */
  readonly received: number
  /** Of these: admitted, and neither acknowledged nor refused yet. */
  readonly pending: number
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>
  /** Can never be stored; 0 where the store counts them. */
  readonly deadLettered: number
}

/** The counts of one run of one process, or of many that have ended. */
export interface LedgerPage {
  /** Chosen by the process at its start, never used again. */
  readonly process: string
  /**
   * `open`: it runs, or was killed. `closed`: nothing is missing. `torn`: with counts of processes
   * that were killed, of which the last may be missing.
   */
  readonly state: 'open' | 'closed' | 'torn'
  readonly tenants: ReadonlyMap<string, LedgerCounts>
}

export interface AgedPage extends LedgerPage {
  /** Since it was written, by the book's clock. */
  readonly ageMs: number
}

/**
 * Where the processes of one installation write what their doors have counted, so that each can
 * answer for all of them. A page is written behind by its own process, about once a second.
 *
 * Errors are `WeirError`s: `retryable` (the caller tries again with newer counts), `closed`.
 */
export interface LedgerBook {
  /** Puts a page in the place of others, or does nothing and says false when one of these is gone. */
  replace(gone: readonly string[], page: LedgerPage): Promise<boolean>
  pages(): Promise<AgedPage[]>
  close(): Promise<void>
}
