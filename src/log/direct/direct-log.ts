import { pointCount, type EncodedBatch } from '../../model/batch.ts'
import type { Clock } from '../../ports/clock.ts'
import { WeirError } from '../../ports/errors.ts'
import type {
  Log,
  LogCapabilities,
  LogEntry,
  LogStatus,
  SubscribeOptions,
  Subscription,
} from '../../ports/log.ts'

type Deliver = SubscribeOptions['deliver']

/**
 * No log: an append hands its entries to the keeper, which stores them, then to everybody else, and
 * resolves when all have returned. Nothing is kept: a rejected append has not happened, and its
 * client is told.
 *
 * Appends do not wait for each other, as far as the keeper takes several at once. Offsets rise in
 * the order in which the keeper took the entries, and, as they begin at the clock's microseconds,
 * over restarts too, so that an id of a live event is never that of another one.
 */
export class DirectLog implements Log {
  readonly capabilities: LogCapabilities = {
    deliversBeforeAck: true,
    keepsEntries: false,
    isShared: false,
  }
  readonly #groups = new Map<string, Deliver>()
  #keeper: { readonly group: string; readonly deliver: Deliver } | undefined
  #next: number
  #pointsAppended = 0
  #bytes = 0
  readonly #running = new Set<Promise<void>>()
  #failure: string | undefined
  #isClosed = false

  constructor({ clock }: { readonly clock: Clock }) {
    this.#next = Math.floor(clock.nowMs()) * 1000
  }

  /**
   * @throws WeirError what the keeper rejects with; `retryable` while there is no keeper, which is
   *   only so before the start has ended; `closed`.
   */
  append(entries: readonly EncodedBatch[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed())
    if (this.#failure !== undefined) return Promise.reject(this.#failed())
    if (entries.length === 0) return Promise.resolve()
    if (this.#keeper === undefined) {
      const message = 'nobody stores what is appended yet'
      return Promise.reject(new WeirError('retryable', message, { retryAfterMs: 1000 }))
    }
    const appended = this.#hand(entries, this.#keeper.deliver)
    this.#running.add(appended)
    const done = (): void => void this.#running.delete(appended)
    appended.then(done, done)
    return appended
  }

  /** @throws WeirError `conflict` when the group, or another keeper, has a subscription; `closed`. */
  async subscribe({ group, isKeeper, deliver }: SubscribeOptions): Promise<Subscription> {
    if (this.#isClosed) throw closed()
    const isThere = this.#keeper?.group === group || this.#groups.has(group)
    if (isThere || (isKeeper === true && this.#keeper !== undefined)) {
      throw new WeirError(
        'conflict',
        `group ${group} has a subscription, or is not the only keeper`,
      )
    }
    if (isKeeper === true) this.#keeper = { group, deliver }
    else this.#groups.set(group, deliver)
    return {
      caughtUp: Promise.resolve(),
      close: async () => {
        if (this.#keeper?.deliver === deliver) this.#keeper = undefined
        if (this.#groups.get(group) === deliver) this.#groups.delete(group)
        await this.#idle()
      },
    }
  }

  /** Nothing is kept for anybody. */
  async commit(): Promise<void> {}

  /** `pointsAppended` is of this process; `bytes` are those of appends that have not resolved. */
  status(): LogStatus {
    const next = this.#next
    return {
      partitions: [{ partition: 0, first: next, next }],
      pointsAppended: this.#pointsAppended,
      bytes: this.#bytes,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#idle()
  }

  async #hand(entries: readonly EncodedBatch[], keep: Deliver): Promise<void> {
    let bytes = 0
    for (const { frame } of entries) bytes += frame.byteLength
    this.#bytes += bytes
    try {
      await keep(this.#placed(entries))
      for (const { batch } of entries) this.#pointsAppended += pointCount(batch)
      const placed = this.#placed(entries)
      this.#next += entries.length
      await this.#tell(placed)
    } finally {
      this.#bytes -= bytes
    }
  }

  /** All at once, before another append is told of: everybody sees the same order. */
  async #tell(entries: readonly LogEntry[]): Promise<void> {
    try {
      const waits: Promise<void>[] = []
      for (const deliver of this.#groups.values()) {
        const wait = deliver(entries)
        if (wait !== undefined) waits.push(wait)
      }
      await Promise.all(waits)
    } catch (error) {
      this.#failure ??= error instanceof Error ? error.message : String(error)
      throw this.#failed(error)
    }
  }

  #failed(cause?: unknown): WeirError {
    return new WeirError('closed', `a consumer has failed: ${this.#failure}`, { cause })
  }

  #placed(entries: readonly EncodedBatch[]): LogEntry[] {
    return entries.map(({ batch, frame }, i) => {
      return { batch, frame, position: { partition: 0, offset: this.#next + i } }
    })
  }

  async #idle(): Promise<void> {
    await Promise.allSettled(this.#running)
  }
}

function closed(): WeirError {
  return new WeirError('closed', 'Weir is stopping', { retryAfterMs: 1000 })
}
