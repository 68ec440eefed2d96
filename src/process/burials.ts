import { setTimeout as sleep } from 'node:timers/promises'
import { Backoff } from '../kit/backoff.ts'
import type { DeadLetters, NewDeadLetter } from '../ports/dead-letters.ts'
import type { LogEntry } from '../ports/log.ts'

export interface BurialsOptions {
  readonly deadLetters: DeadLetters
  readonly group: string
  /** They could not be kept, and are tried again; after the last time they are only in the log. */
  readonly onError: (error: unknown, isLast: boolean) => void
  readonly tries?: number
  /** How long `close` tries what is not kept by then. */
  readonly closeTimeoutMs: number
}

const AGAIN = { firstMs: 200, lastMs: 30_000 }

/**
 * Puts entries that a group cannot take among the dead letters. Their positions are the store's
 * business; here it is tried for some minutes, while the log has them anyway, but nobody looks at
 * them there any more.
 */
export class Burials {
  readonly #options: BurialsOptions
  readonly #underWay = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  /** By `performance.now()`. */
  #endsAt = Infinity

  constructor(options: BurialsOptions) {
    this.#options = options
  }

  bury(entries: readonly LogEntry[], reason: string): void {
    const { group } = this.#options
    const letters = entries.map(({ frame, position }) => {
      return { bytes: frame, reason, source: position, group }
    })
    const buried = this.#put(letters).finally(() => this.#underWay.delete(buried))
    this.#underWay.add(buried)
  }

  /** Resolves when all are kept, or the time is over. The log has to be open until then. */
  async close(): Promise<void> {
    const { closeTimeoutMs } = this.#options
    this.#endsAt = performance.now() + closeTimeoutMs
    this.#closing.abort()
    const done = new AbortController()
    const { signal } = done
    const late = sleep(closeTimeoutMs, undefined, { signal }).catch(() => {})
    await Promise.race([Promise.all(this.#underWay), late])
    done.abort()
  }

  async #put(letters: readonly NewDeadLetter[]): Promise<void> {
    const { deadLetters, onError, tries = 12 } = this.#options
    const backoff = new Backoff(AGAIN)
    for (let left = tries - 1; ; left--) {
      try {
        return await deadLetters.put(letters)
      } catch (error) {
        const leftMs = this.#endsAt - performance.now()
        const isLast = left === 0 || leftMs <= 0
        onError(error, isLast)
        if (isLast) return
        if (await this.#isWoken(Math.min(backoff.next(), leftMs))) {
          backoff.reset()
          left = tries
        }
      }
    }
  }

  /** Waits so long; true, and at once, when the end begins meanwhile. */
  async #isWoken(ms: number): Promise<boolean> {
    const { signal } = this.#closing
    // Once it has begun, the time that is left is waited for.
    if (signal.aborted) return sleep(ms, false)
    return sleep(ms, false, { signal, ref: false }).catch(() => true)
  }
}
