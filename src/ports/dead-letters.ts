import type { LogPosition } from './log.ts'

/** What a consumer could not take, to be put aside. */
export interface NewDeadLetter {
  /** What the log has there, unchanged: a frame, or whatever else somebody has put there. */
  readonly bytes: Uint8Array
  /** Why, for people. */
  readonly reason: string
  /** Where the log has it. */
  readonly source: LogPosition
  /** The consumer group that could not take it. */
  readonly group: string
}

export interface DeadLetter extends NewDeadLetter {
  /** Names it for as long as it is kept; of `source` and `bytes`, so that it is kept once. */
  readonly id: string
  readonly atMs: number
}

/**
 * What consumers of a shared log could not take, kept with its reason until somebody has looked at
 * it, so that it holds nobody up. Few: reading may cost as much as all of it.
 *
 * Errors: `retryable` (the server is away), `closed`.
 */
export interface DeadLetters {
  /** Resolves when they are durable. Putting one again changes nothing. */
  put(letters: readonly NewDeadLetter[]): Promise<void>
  /** Those that are kept at the call, oldest first; the next ones are fetched as they are wanted. */
  list(): AsyncIterable<DeadLetter>
  /** Resolves when they are not listed any more; unknown ids are left out. */
  remove(ids: readonly string[]): Promise<void>
}

/** The same in every process, and for the same bytes at the same place. */
export function deadLetterId(source: LogPosition, checksum: number): string {
  return `${source.partition}-${source.offset}-${checksum.toString(16).padStart(8, '0')}`
}
