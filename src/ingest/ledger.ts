import type { Rejection, RejectReason } from '../model/rejection.ts'

export type Door = 'http' | 'mqtt' | 'bridge'

/** What the doors have seen since the log was created, in points. */
export interface DoorCounts {
  readonly received: number
  readonly rejected: ReadonlyMap<RejectReason, number>
  /** Admitted, and neither handed on by the log nor refused by it. */
  readonly pending: number
}

/**
 * The doors' half of the ledger: received = stored + duplicate + rejected + in flight. Here are
 * `received`, `rejected` and what waits for the log, counted where points come in; the store counts
 * the other half by itself, so that a point lost between them shows as an imbalance.
 *
 * `received` starts at what the log says was ever appended, so that the equation spans restarts.
 */
export class Ledger {
  #received: number
  #pending = 0
  readonly #rejected = new Map<RejectReason, number>()
  readonly #byDoor = new Map<Door, { accepted: number; rejected: number }>()

  constructor(appendedBefore: number) {
    this.#received = appendedBefore
  }

  admit(points: number): void {
    this.#received += points
    this.#pending += points
  }

  /** The log has them and has handed them on: from here on the writer counts them. */
  handOver(points: number): void {
    this.#pending -= points
  }

  /** They are durable, and are acknowledged now. */
  accept(door: Door, points: number): void {
    this.#door(door).accepted += points
  }

  /** The log did not take them: refused after all. */
  fail(door: Door, points: number): void {
    this.#pending -= points
    this.#count(door, 'unavailable', points)
  }

  reject(door: Door, rejections: readonly Rejection[]): void {
    for (const { reason, points } of rejections) {
      this.#received += points
      this.#count(door, reason, points)
    }
  }

  counts(): DoorCounts {
    return { received: this.#received, rejected: this.#rejected, pending: this.#pending }
  }

  byDoor(): ReadonlyMap<Door, { readonly accepted: number; readonly rejected: number }> {
    return this.#byDoor
  }

  #count(door: Door, reason: RejectReason, points: number): void {
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + points)
    this.#door(door).rejected += points
  }

  #door(door: Door): { accepted: number; rejected: number } {
    let counts = this.#byDoor.get(door)
    if (counts === undefined) this.#byDoor.set(door, (counts = { accepted: 0, rejected: 0 }))
    return counts
  }
}
