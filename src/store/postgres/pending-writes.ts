import { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'
import { WriteOrder } from './write-order.ts'

const RETRY_AFTER_MS = 1000

/** What is under way to the database: how much of it, and in which order it may come. */
export class PendingWrites {
  readonly order = new WriteOrder()
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Their bytes, which the caller gives back to `done` when they have been answered.
   * @throws WeirError `overloaded` when there is too much already, `retryable` when others come first
   */
  take(entries: readonly StoreEntry[]): number {
    if (this.#bytes > this.#maxBytes) {
      // What follows them may find room, and must not overtake them.
      this.order.failed(entries)
      throw new WeirError('overloaded', 'the database takes less than is sent', {
        ...{ limit: 'store.maxPendingBytes', retryAfterMs: RETRY_AFTER_MS },
      })
    }
    this.order.admit(entries)
    const bytes = entries.reduce((sum, { frame }) => sum + frame.byteLength, 0)
    this.#bytes += bytes
    return bytes
  }

  done(bytes: number): void {
    this.#bytes -= bytes
  }
}
