import type { Rejection, RejectReason } from '../model/rejection.ts'

export type Door = 'http' | 'mqtt' | 'bridge'

/** What the doors have seen since the log was created, in points. */
export interface DoorCounts {
  readonly received: number
  readonly rejected: ReadonlyMap<RejectReason, number>
  /** Admitted, and neither handed on by the log nor refused by it. */
  readonly pending: number
}

/** Of one tenant, or of all. */
class Counts {
  received: number
  pending = 0
  readonly rejected = new Map<RejectReason, number>()

  constructor(received: number) {
    this.received = received
  }

  admit(points: number): void {
    this.received += points
    this.pending += points
  }

  reject(reason: RejectReason, points: number): void {
    this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + points)
  }
}

/**
 * The doors' half of the ledger: received = stored + duplicate + rejected + in flight. Here are
 * `received`, `rejected` and what waits for the log, counted where points come in; the store counts
 * the other half by itself, so that a point lost between them shows as an imbalance.
 *
 * `received` starts at what the log says was ever appended, so that the equation spans restarts.
 * The log does not know tenants, so `received` of each of them starts at what the store has of it.
 */
export class Ledger {
  readonly #all: Counts
  readonly #tenants = new Map<string, Counts>()
  readonly #byDoor = new Map<Door, { accepted: number; rejected: number }>()

  readonly #endsAtAck: boolean

  /**
   * @param endsAtAck What is acknowledged is with the log, and nobody calls `handOver`: the consumers
   *   are other processes, or are given it later.
   */
  constructor(appendedBefore: number, { endsAtAck = false } = {}) {
    this.#all = new Counts(appendedBefore)
    this.#endsAtAck = endsAtAck
  }

  /** Called once a tenant, before the doors open. */
  startTenant(tenant: string, receivedBefore: number): void {
    this.#tenants.set(tenant, new Counts(receivedBefore))
  }

  admit(tenant: string, points: number): void {
    this.#all.admit(points)
    this.#of(tenant).admit(points)
  }

  /** The log has them and has handed them on: from here on the writer counts them. */
  handOver(tenant: string, points: number): void {
    this.#all.pending -= points
    this.#of(tenant).pending -= points
  }

  /** They are durable, and are acknowledged now. */
  accept(tenant: string, door: Door, points: number): void {
    this.#door(door).accepted += points
    if (this.#endsAtAck) this.handOver(tenant, points)
  }

  /** The log did not take them: refused after all. */
  fail(tenant: string, door: Door, points: number): void {
    for (const counts of [this.#all, this.#of(tenant)]) {
      counts.pending -= points
      counts.reject('unavailable', points)
    }
    this.#door(door).rejected += points
  }

  reject(tenant: string, door: Door, rejections: readonly Rejection[]): void {
    const own = this.#of(tenant)
    for (const { reason, points } of rejections) {
      for (const counts of [this.#all, own]) {
        counts.received += points
        counts.reject(reason, points)
      }
      this.#door(door).rejected += points
    }
  }

  /** Of all tenants, or of one. */
  counts(tenant?: string): DoorCounts {
    const { received, rejected, pending } = tenant === undefined ? this.#all : this.#of(tenant)
    return { received, rejected, pending }
  }

  /** Who has counts of their own. */
  tenants(): readonly string[] {
    return [...this.#tenants.keys()]
  }

  byDoor(): ReadonlyMap<Door, { readonly accepted: number; readonly rejected: number }> {
    return this.#byDoor
  }

  #of(tenant: string): Counts {
    let counts = this.#tenants.get(tenant)
    if (counts === undefined) this.#tenants.set(tenant, (counts = new Counts(0)))
    return counts
  }

  #door(door: Door): { accepted: number; rejected: number } {
    let counts = this.#byDoor.get(door)
    if (counts === undefined) this.#byDoor.set(door, (counts = { accepted: 0, rejected: 0 }))
    return counts
  }
}
