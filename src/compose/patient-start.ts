import { Backoff } from '../kit/backoff.ts'
import { errorText } from '../kit/error-text.ts'
import type { Logger } from '../observe/logger.ts'
import { WeirError } from '../ports/errors.ts'

export interface Patience {
  readonly logger: Pick<Logger, 'warn'>
  /** How long to try, from the first time on. */
  readonly timeoutMs: number
  /** Whoever waits is told to give up. */
  readonly signal?: AbortSignal | undefined
  /** Tests hand in their own. */
  readonly backoff?: Backoff
}

/** What is nearly open when it is told to give up may become so, and is then stopped in order. */
const GRACE_MS = 1000

/** The start was given up because it was told to. */
class StartGivenUp extends Error {
  override readonly name = 'StartGivenUp'
}

/**
 * Opens what may need servers that are not there yet: machines of one installation start in any
 * order. What is `retryable` is tried anew, told each time, until the time is over; everything else
 * is final.
 *
 * @throws what the last try threw; `StartGivenUp` soon after the signal, whatever a try is waiting
 *   for: nothing was acknowledged yet, so the process can end as if it were killed.
 */
export async function patientStart<T>(open: () => Promise<T>, patience: Patience): Promise<T> {
  const { logger, timeoutMs, signal } = patience
  const backoff = patience.backoff ?? new Backoff({ firstMs: 200, lastMs: 3000 })
  const begun = performance.now()
  for (;;) {
    try {
      return await unlessGivenUp(open(), signal, GRACE_MS)
    } catch (error) {
      if (!(error instanceof WeirError) || error.kind !== 'retryable') throw error
      const waitMs = backoff.next()
      const leftMs = timeoutMs - (performance.now() - begun)
      if (leftMs < waitMs) throw error
      logger.warn(
        `the start waits: ${errorText(error)}; trying for ${Math.round(leftMs / 1000)} s more`,
      )
      await unlessGivenUp(new Promise(resolve => setTimeout(resolve, waitMs)), signal, 0)
    }
  }
}

// oxlint-disable-next-line max-params -- a race, its end, and how sharp it is
async function unlessGivenUp<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  graceMs: number,
): Promise<T> {
  if (signal === undefined) return work
  const { promise: givenUp, reject } = Promise.withResolvers<never>()
  let timer: NodeJS.Timeout | undefined
  const giveUp = (): void => {
    timer = setTimeout(() => reject(new StartGivenUp('the start was given up')), graceMs)
  }
  if (signal.aborted) giveUp()
  else signal.addEventListener('abort', giveUp)
  try {
    return await Promise.race([work, givenUp])
  } finally {
    signal.removeEventListener('abort', giveUp)
    clearTimeout(timer)
    work.catch(() => {})
  }
}
