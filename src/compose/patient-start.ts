import { setTimeout as delay } from 'node:timers/promises'
import { Backoff } from '../kit/backoff.ts'
import type { Logger } from '../observe/logger.ts'
import { WeirError } from '../ports/errors.ts'

export interface Patience {
  readonly logger: Pick<Logger, 'warn'>
  /** How long to try, from the first time on. */
  readonly timeoutMs: number
  /** Tests hand in their own. */
  readonly backoff?: Backoff
}

/**
 * Opens what may need servers that are not there yet: machines of one installation start in any
 * order. What is `retryable` is tried anew, told each time, until the time is over; everything else
 * is final.
 *
 * @throws what the last try threw.
 */
export async function patientStart<T>(open: () => Promise<T>, patience: Patience): Promise<T> {
  const { logger, timeoutMs } = patience
  const backoff = patience.backoff ?? new Backoff({ firstMs: 200, lastMs: 3000 })
  const begun = performance.now()
  for (;;) {
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof WeirError) || error.kind !== 'retryable') throw error
      const waitMs = backoff.next()
      const leftMs = timeoutMs - (performance.now() - begun)
      if (leftMs < waitMs) throw error
      logger.warn(
        `the start waits: ${error.message}; trying for ${Math.round(leftMs / 1000)} s more`,
      )
      await delay(waitMs)
    }
  }
}
