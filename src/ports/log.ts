import type { Batch, EncodedBatch } from '../model/batch.ts'
import type { DeadLetters } from './dead-letters.ts'

/**
 * A place in the log. Offsets rise with each entry of a partition, from 0: by one, but where a shared
 * log has something that is no entry.
 */
export interface LogPosition {
  readonly partition: number
  readonly offset: number
}

export interface LogEntry extends EncodedBatch {
  readonly batch: Batch
  readonly position: LogPosition
  /**
   * When it was appended, milliseconds since 1970, by the clock of who appended it; for measuring
   * how fresh consumers are. Absent where subscribers are given it before that has resolved.
   */
  readonly appendedMs?: number
}

export interface LogStatus {
  /** What is kept, per partition of the log; of a shared log what was last heard of it. */
  readonly partitions: readonly {
    readonly partition: number
    /** The oldest offset still kept. */
    readonly first: number
    /** The offset that the next entry gets. */
    readonly next: number
  }[]
  /**
   * Points ever appended, trimmed entries included; counted by the log itself. Of a shared log: those
   * that this process has appended since it opened it.
   */
  readonly pointsAppended: number
  /** Bytes of the entries that are kept; 0 where only the log's servers know. */
  readonly bytes: number
  /** Entries that each group here has not committed, of the partitions that it has here; shared logs. */
  readonly lag?: ReadonlyMap<string, number>
  /** Entries that retention has removed before a group here had them; shared logs. */
  readonly expired?: number
  /** Why the log takes no writes any more, for `/ready`; absent while it does. */
  readonly failure?: string
  /** What keeps its servers from taking writes now; it goes on by itself when that has passed. */
  readonly trouble?: string
}

export interface Subscription {
  /** Resolves when every entry that existed at the call to `subscribe` has been delivered. */
  readonly caughtUp: Promise<void>
  /** Stops delivering; resolves when the last delivery has returned. */
  close(): Promise<void>
}

export interface SubscribeOptions {
  /** Consumer group; each group sees every entry once. */
  readonly group: string
  /** The first position wanted, per partition; a partition not named starts at its oldest entry. */
  readonly from: readonly LogPosition[]
  /**
   * `divided` (the default): each entry goes to one of the processes that subscribe as this group.
   * `everyone`: each process gets every entry; for what it keeps in memory.
   */
  readonly members?: 'divided' | 'everyone'
  /**
   * Asked by a shared log whenever this process is given partitions, before anything of them is
   * delivered: the first position wanted of each, because another process may have gone on since
   * `from` was read. Absent: where the group has committed, or at `from` where that is later.
   */
  readonly onAssigned?: (partitions: readonly number[]) => Promise<readonly LogPosition[]>
  /**
   * Only for a log that keeps no entries: this group makes them durable. It is given each append
   * before the others, which get what it has taken; its rejection fails that append and no other.
   */
  readonly isKeeper?: boolean
  /**
   * Called with the entries of one append (or of one fetch; a shared log has divided them by
   * device) in order, never concurrently for a
   * group. While the returned promise is pending nothing more is delivered: that is the
   * back-pressure. A rejection stops the subscription and fails the log for its group.
   *
   * A log that keeps no entries delivers each append by itself, several at once if they come so;
   * then an append is what waits, and what is refused.
   */
  readonly deliver: (entries: readonly LogEntry[]) => void | Promise<void>
}

/** What a log can do, as data: compositions that cannot work are refused by it. */
export interface LogCapabilities {
  /**
   * Subscribers in this process are given the new entries before `append` resolves, so what is
   * acknowledged is already with every consumer.
   */
  readonly deliversBeforeAck: boolean
  /**
   * Entries are durable when `append` resolves, and are delivered again after a restart until they
   * are committed. Without it there is no log: `append` resolves when the store has committed, and
   * positions mean nothing to the store.
   */
  readonly keepsEntries: boolean
  /** Several processes append to it and subscribe to it. */
  readonly isShared: boolean
}

/**
 * The durable, ordered log between the doors and the consumers.
 *
 * `append` is called by the ingest gate only, from the doors' thread, one call at a time unless it
 * is told otherwise (`ingest.commit: single`); entries of one call become durable together or, with
 * a log in this process, not at all. It resolves only when they are durable (fsynced, or
 * acknowledged by all in-sync replicas).
 *
 * Errors of `append` (always a `WeirError`):
 * - `retryable`: it may work later; code `disk_full` when the disk is full. The caller answers its
 *   client, who retries. With a log in this process nothing was appended, and the log retries nothing.
 *   A shared log has tried for a bounded time, and may have appended a part: points are stored by
 *   their key, so that the client's retry changes nothing of it, and nothing of it arrives behind what
 *   is acknowledged later.
 * - `closed`: the log has failed (a failed fsync is never retried) or was closed; no later call works.
 *
 * A log that keeps no entries passes on the errors of its keeper, the store's.
 */
export interface Log {
  readonly capabilities: LogCapabilities
  /** Where what consumers cannot take is kept, if the log has such a place. */
  readonly deadLetters?: DeadLetters
  append(entries: readonly EncodedBatch[]): Promise<void>
  subscribe(options: SubscribeOptions): Promise<Subscription>
  /**
   * The group needs nothing before these positions any more (its store has them). What no group
   * needs may be deleted. Safe to call again, and with older positions.
   */
  commit(group: string, positions: readonly LogPosition[]): Promise<void>
  status(): LogStatus
  /** Waits for appends in flight, then releases everything. Idempotent. */
  close(): Promise<void>
}
