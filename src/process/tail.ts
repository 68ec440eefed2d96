import type { Clock } from '../ports/clock.ts'
import type { Log, LogPosition, Subscription } from '../ports/log.ts'
import type { BatchConsumer } from './writer.ts'

const TAIL_GROUP = 'tail'

export interface TailOptions {
  readonly log: Log
  readonly clock: Clock
  /** Where the store was before what is kept in memory was read from it. */
  readonly from: readonly LogPosition[]
  readonly consumers: readonly BatchConsumer[]
  /** Seconds from the append until it was in memory, where the log says when that was. */
  readonly onFresh?: (seconds: number) => void
}

/**
 * Follows a log that several processes share, for what this process keeps in memory: every process
 * sees every entry. It begins where the store was, so what it shows first may be older than what
 * the store has told already; consumers keep the newest by device time. Commits nothing.
 */
export class Tail {
  readonly #options: TailOptions
  readonly #ends = new Map<number, number>()
  #subscription: Subscription | undefined
  #replaying = true

  constructor(options: TailOptions) {
    this.#options = options
  }

  /** Entries come that were in the log before this process started. */
  get isReplaying(): boolean {
    return this.#replaying
  }

  /** Behind the last entry that was seen of each partition. */
  get ends(): ReadonlyMap<number, number> {
    return this.#ends
  }

  /** Resolves when it has caught up with what the log had at the call. */
  async start(): Promise<void> {
    const { log, from, clock, consumers, onFresh } = this.#options
    this.#subscription = await log.subscribe({
      group: TAIL_GROUP,
      members: 'everyone',
      from,
      deliver: entries => {
        const nowMs = clock.nowMs()
        for (const entry of entries) {
          this.#ends.set(entry.position.partition, entry.position.offset + 1)
          const arrivalMs = this.#replaying ? Math.min(nowMs, entry.appendedMs ?? nowMs) : nowMs
          for (const consume of consumers) consume(entry, arrivalMs)
        }
        const { appendedMs } = entries[0]
        if (!this.#replaying && appendedMs !== undefined) {
          onFresh?.(Math.max(0, nowMs - appendedMs) / 1000)
        }
      },
    })
    await this.#subscription.caughtUp
    this.#replaying = false
  }

  async close(): Promise<void> {
    await this.#subscription?.close()
  }
}
