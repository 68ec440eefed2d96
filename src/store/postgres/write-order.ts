import { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'

/**
 * Keeps the log's order over failures. An entry that failed comes again; what follows it in its partition must not be
 * written before, or the position would say that it is there.
 */
export class WriteOrder {
  /** Of a partition, the first offset that failed. */
  readonly #failed = new Map<number, number>()

  /**
   * All of them or none, which have failed then too.
   * @throws WeirError `retryable` when an earlier entry of a partition has to come first
   */
  admit(entries: readonly StoreEntry[]): void {
    if (this.#failed.size === 0) return
    /** The partitions whose failed entry is among them. */
    const again = new Set<number>()
    for (const { position } of entries) {
      if (position === undefined) continue
      const { partition, offset } = position
      const failed = this.#failed.get(partition) ?? Infinity
      if (offset === failed) again.add(partition)
      if (offset <= failed || again.has(partition)) continue
      this.failed(entries)
      throw new WeirError('retryable', `entry ${failed} of partition ${partition} comes first`)
    }
    for (const partition of again) this.#failed.delete(partition)
  }

  failed(entries: readonly StoreEntry[]): void {
    for (const { position } of entries) {
      if (position === undefined) continue
      const { partition, offset } = position
      const before = this.#failed.get(partition) ?? Infinity
      this.#failed.set(partition, Math.min(before, offset))
    }
  }

  /** The table says where the log is to be read on: what failed before has been written by somebody. */
  reached(partition: number, next: number): void {
    if ((this.#failed.get(partition) ?? Infinity) < next) this.#failed.delete(partition)
  }
}
