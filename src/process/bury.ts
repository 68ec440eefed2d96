import { setTimeout as sleep } from 'node:timers/promises'
import { Backoff } from '../kit/backoff.ts'
import type { DeadLetters } from '../ports/dead-letters.ts'
import type { LogEntry } from '../ports/log.ts'

export interface BuryOptions {
  readonly group: string
  /** It could not be kept, and is tried again; after the last time it is only in the log. */
  readonly onError: (error: unknown, isLast: boolean) => void
  readonly tries?: number
}

/**
 * Puts entries that a group cannot take among the dead letters. Their positions are the store's
 * business; here it is tried for some minutes, while the log has them anyway.
 */
export async function bury(
  deadLetters: DeadLetters,
  { entries, reason }: { readonly entries: readonly LogEntry[]; readonly reason: string },
  { group, onError, tries = 12 }: BuryOptions,
): Promise<void> {
  const backoff = new Backoff({ firstMs: 200, lastMs: 30_000 })
  const letters = entries.map(({ frame, position }) => {
    return { bytes: frame, reason, source: position, group }
  })
  for (let left = tries; left > 0; left--) {
    try {
      await deadLetters.put(letters)
      return
    } catch (error) {
      onError(error, left === 1)
      if (left > 1) await sleep(backoff.next(), undefined, { ref: false })
    }
  }
}
