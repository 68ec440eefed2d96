import type { Catalog, Removal } from '../ports/catalog.ts'

/** How far behind the catalog's newest contact a device that it lost may be, by its own clock. */
const ADOPT_SLACK_MS = 10 * 60_000
/**
 * How long before that contact a removal is kept: much longer than the slack, which then keeps the
 * device away, and longer than clocks may be ahead (`ingest.maxFutureMs`).
 */
const KEEP_MS = 7 * 86_400_000
const MAX_REMOVALS = 100_000

/**
 * Devices that people removed, so that neither what the store knows nor what the log repeats
 * brings them back at a start. Kept in the catalog, bounded by age and in number.
 */
export class Removals {
  readonly #catalog: Catalog
  /** The time up to which points do not bring a device back. */
  readonly #times = new Map<string, number>()
  /** The newest contact or removal that the catalog knew at start; absent: it knew no device. */
  #knownUntilMs: number | undefined

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** At start; `seenMs`: the newest contact that the catalog knows, absent when it knows no device. */
  async load(seenMs: number | undefined, nowMs: number): Promise<void> {
    let knownMs = seenMs
    for (const { tenant, id, removedAtMs } of await this.#catalog.removals()) {
      this.#times.set(key(tenant, id), removedAtMs)
      knownMs = Math.max(knownMs ?? -Infinity, removedAtMs)
    }
    this.#knownUntilMs = knownMs === undefined ? undefined : Math.min(knownMs, nowMs)
    const beforeMs = (this.#knownUntilMs ?? -Infinity) - KEEP_MS
    if (this.#drop(beforeMs)) await this.#catalog.forgetRemovals(beforeMs)
  }

  /** In the catalog with the device's own removal. */
  async note(tenant: string, id: string, removedAtMs: number): Promise<void> {
    this.#times.set(key(tenant, id), removedAtMs)
    if (this.#times.size > MAX_REMOVALS) await this.#catalog.forgetRemovals(this.#dropOldest())
  }

  /** Another process has removed it, and bounds what the catalog keeps. */
  learn({ tenant, id, removedAtMs }: Removal): void {
    this.#times.set(key(tenant, id), removedAtMs)
    if (this.#times.size > 2 * MAX_REMOVALS) this.#dropOldest()
  }

  get isEmpty(): boolean {
    return this.#times.size === 0
  }

  /** Whether a point of that time is from before the device was removed. */
  covers(tenant: string, id: string, timeMs: number): boolean {
    const removedAtMs = this.#times.get(key(tenant, id))
    return removedAtMs !== undefined && timeMs <= removedAtMs
  }

  /**
   * Whether a device that the store knows and the catalog does not is to stay away: it was
   * removed after that point of it, its newest, or it fell silent long before the catalog did,
   * which is how removals look that are not kept any more.
   */
  keepsAway(tenant: string, id: string, newestPointMs: number): boolean {
    const knownUntilMs = this.#knownUntilMs ?? -Infinity
    return newestPointMs < knownUntilMs - ADOPT_SLACK_MS || this.covers(tenant, id, newestPointMs)
  }

  /** Half of them; returns the time before which there is none any more. */
  #dropOldest(): number {
    const sorted = Float64Array.from(this.#times.values()).sort()
    const beforeMs = sorted[sorted.length >>> 1]
    this.#drop(beforeMs)
    return beforeMs
  }

  /** Whether there were any. */
  #drop(beforeMs: number): boolean {
    const before = this.#times.size
    for (const [name, removedAtMs] of this.#times) {
      if (removedAtMs < beforeMs) this.#times.delete(name)
    }
    return this.#times.size < before
  }
}

function key(tenant: string, id: string): string {
  return `${tenant}\0${id}`
}
