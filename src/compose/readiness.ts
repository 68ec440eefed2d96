import { errorText } from '../kit/error-text.ts'
import type { Logger } from '../observe/logger.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'

export interface ReadinessParts {
  readonly log: Log
  readonly store: Store
  readonly clock: Clock
  /** Told when the store goes away and comes back, with what clients are not told: where it is. */
  readonly logger: Pick<Logger, 'warn' | 'info'>
  /** So many blocks of the store are damaged; called when that is first seen, and for each more. */
  readonly onDamage: (blocks: number) => void
}

export interface ReadinessWatch {
  /** Cheap; the reasons why Weir does not take points now, each a sentence, and the notes. */
  now(): { readonly ready: boolean; readonly reasons: readonly string[] }
  /** Adds what is wrong outside of Weir: people are told, but Weir goes on taking points. */
  note(read: () => readonly string[]): void
  stop(): void
}

const STORE_CHECK_INTERVAL_MS = 1000
const STORE_SILENCE_MS = 5000

/** Knows whether the node can take points; the store, which answers later, is asked every second. */
export function watchReadiness(parts: ReadinessParts): ReadinessWatch {
  const { log, store, clock, logger, onDamage } = parts
  let storeFailure: string | undefined
  let damagedBlocks = 0
  // When the question was asked to which there is no answer yet.
  let askedMs: number | undefined
  // A log that keeps entries takes points for a store that is away; another one has none to keep.
  const goesOn = log.capabilities.keepsEntries && store.capabilities.isShared
  const turn = (failure: string | undefined, error?: unknown): void => {
    if (failure !== undefined && storeFailure === undefined) {
      logger.warn(`the store is away: ${error === undefined ? failure : errorText(error)}`)
    } else if (failure === undefined && storeFailure !== undefined) {
      logger.info('the store is back')
    }
    storeFailure = failure
  }
  const ask = async (): Promise<void> => {
    try {
      const { failure, damagedBlocks: blocks = 0 } = await store.stats()
      turn(failure)
      if (blocks > damagedBlocks) onDamage(blocks)
      damagedBlocks = blocks
    } catch (error) {
      turn(error instanceof Error ? error.message : String(error), error)
    }
    askedMs = undefined
  }
  const stop = clock.every(STORE_CHECK_INTERVAL_MS, () => {
    if (askedMs === undefined) {
      askedMs = clock.nowMs()
      void ask()
    } else if (clock.nowMs() - askedMs > STORE_SILENCE_MS) {
      turn('it does not answer')
    }
  })
  const notes: (() => readonly string[])[] = []
  return {
    stop,
    note: read => void notes.push(read),
    now() {
      const reasons: string[] = []
      const { failure, trouble } = log.status()
      if (failure !== undefined) reasons.push(`the log takes no writes: ${failure}`)
      if (storeFailure !== undefined && !goesOn) {
        reasons.push(`the store cannot write: ${storeFailure}`)
      }
      const ready = reasons.length === 0
      if (storeFailure !== undefined && goesOn) {
        reasons.push(`points wait in the log for the store: ${storeFailure}`)
      }
      // Other nodes have the same trouble; taking all of them out of service helps nobody.
      if (trouble !== undefined) reasons.push(`the log cannot be written now: ${trouble}`)
      reasons.push(...notes.flatMap(read => read()))
      // No reason to take the node out of service: one block of millions.
      if (damagedBlocks > 0) reasons.push(`damaged blocks that reads go without: ${damagedBlocks}`)
      return { ready, reasons }
    },
  }
}
