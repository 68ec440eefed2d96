import { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'

/**
 * Keeps the log's order over failures. An entry that failed comes again; what follows it in its partition must not be
 * written before, or the position would say that it is there.
 */
export class WriteOrder {
  /** Of a partition, the first offset that failed. */
  readonly #failed = new Map<number, number>()

  /** @throws WeirError `retryable` when an earlier entry of the partition has to come first */
  admit(entries: readonly StoreEntry[]): void {
    for (const { position } of entries) {
      if (position === undefined) continue
      const { partition, offset } = position
      const failed = this.#failed.get(partition)
      if (failed === undefined) continue
      if (offset > failed) {
        throw new WeirError('retryable', `entry ${failed} of partition ${partition} comes first`)
      }
      this.#failed.delete(partition)
    }
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
