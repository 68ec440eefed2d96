import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'

export interface ReadinessParts {
  readonly log: Log
  readonly store: Store
  readonly clock: Clock
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

/** Knows whether the node can take points; the store, which answers later, is asked every second. */
export function watchReadiness({ log, store, clock, onDamage }: ReadinessParts): ReadinessWatch {
  let storeFailure: string | undefined
  let damagedBlocks = 0
  const stop = clock.every(STORE_CHECK_INTERVAL_MS, () => {
    store.stats().then(
      ({ failure, damagedBlocks: blocks = 0 }) => {
        storeFailure = failure
        if (blocks > damagedBlocks) onDamage(blocks)
        damagedBlocks = blocks
      },
      (error: unknown) => (storeFailure = error instanceof Error ? error.message : String(error)),
    )
  })
  const notes: (() => readonly string[])[] = []
  return {
    stop,
    note: read => void notes.push(read),
    now() {
      const reasons: string[] = []
      const { failure } = log.status()
      if (failure !== undefined) reasons.push(`the log takes no writes: ${failure}`)
      if (storeFailure !== undefined) reasons.push(`the store cannot write: ${storeFailure}`)
      const ready = reasons.length === 0
      reasons.push(...notes.flatMap(read => read()))
      // No reason to take the node out of service: one block of millions.
      if (damagedBlocks > 0) reasons.push(`damaged blocks that reads go without: ${damagedBlocks}`)
      return { ready, reasons }
    },
  }
}
