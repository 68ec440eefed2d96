import { Backoff } from '../kit/backoff.ts'
import { WeirError } from '../ports/errors.ts'
import type { LogEntry } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'

export interface OrderedWritesOptions {
  readonly store: Pick<Store, 'write'>
  /** Frames of deliveries that wait are written together up to so many bytes. */
  readonly maxWriteBytes?: number
  /** The store can never take this entry; those around it are stored. */
  readonly onRejected: (entry: LogEntry, error: WeirError) => void
  /** Tests hand in their own. */
  readonly backoff?: Backoff
}

interface Delivery {
  readonly entries: readonly LogEntry[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const MAX_WRITE_BYTES = 4 << 20

/**
 * Writes to a store that can be away, such as a database on another machine: one write at a time,
 * so that none overtakes another, and each again until it is taken. Deliveries that come meanwhile
 * wait here, and are written together. How many may wait is the caller's to bound.
 */
export class OrderedWrites {
  readonly #options: OrderedWritesOptions
  readonly #backoff: Backoff
  #queue: Delivery[] = []
  #isWriting = false
  #trouble: string | undefined
  #failed: unknown
  #isClosed = false
  #wake = (): void => {}

  constructor(options: OrderedWritesOptions) {
    this.#options = options
    this.#backoff = options.backoff ?? new Backoff({ firstMs: 100, lastMs: 5000 })
  }

  /** Why nothing is being stored now, while the same write is tried again. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /**
   * Resolves when the store has the entries, or has refused them for good one by one (`onRejected`).
   * Rejects when the store has failed for good, or with `closed` when nothing is tried any more: the
   * log still has the entries then.
   */
  write(entries: readonly LogEntry[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ entries, resolve, reject })
      if (!this.#isWriting) void this.#run()
    })
  }

  /** What is tried again is tried once more, then given up. */
  close(): void {
    this.#isClosed = true
    this.#wake()
  }

  async #run(): Promise<void> {
    this.#isWriting = true
    while (this.#queue.length > 0) {
      const deliveries = this.#takeSome()
      try {
        if (this.#failed !== undefined) throw this.#failed
        await this.#writeAll(deliveries.flatMap(({ entries }) => entries))
        for (const { resolve } of deliveries) resolve()
      } catch (error) {
        this.#failed ??= error
        for (const { reject } of deliveries) reject(error)
      }
    }
    this.#isWriting = false
  }

  #takeSome(): Delivery[] {
    const { maxWriteBytes = MAX_WRITE_BYTES } = this.#options
    let bytes = 0
    let count = 0
    while (count < this.#queue.length && (count === 0 || bytes < maxWriteBytes)) {
      for (const { frame } of this.#queue[count].entries) bytes += frame.byteLength
      count++
    }
    const taken = this.#queue.slice(0, count)
    this.#queue = this.#queue.slice(count)
    return taken
  }

  async #writeAll(entries: readonly LogEntry[]): Promise<void> {
    const refusal = await this.#writeOnce(entries)
    if (refusal === undefined) return
    if (entries.length === 1) return this.#options.onRejected(entries[0], refusal)
    // One of them cannot be stored. Those that were are at places that are covered, and change nothing.
    for (const entry of entries) {
      const error = await this.#writeOnce([entry])
      if (error !== undefined) this.#options.onRejected(entry, error)
    }
  }

  /** Tries until the store has taken or refused them. */
  async #writeOnce(entries: readonly LogEntry[]): Promise<WeirError | undefined> {
    for (;;) {
      try {
        await this.#options.store.write(entries)
        this.#backoff.reset()
        this.#trouble = undefined
        return undefined
      } catch (error) {
        if (!(error instanceof WeirError)) throw error
        if (error.kind === 'rejected') return error
        if (error.kind !== 'retryable' && error.kind !== 'overloaded') throw error
        this.#trouble = error.message
        if (this.#isClosed) {
          throw new WeirError('closed', `not stored before the stop: ${error.message}`, {
            cause: error,
          })
        }
        await this.#pause()
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, this.#backoff.next())
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
