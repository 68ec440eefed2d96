import type { LogEntry, LogPosition } from '../ports/log.ts'
import type { Places } from './event-id.ts'

/** What somebody who has come to some places has missed. */
export interface Missed {
  /** In the order in which they came here, as far as they are kept. */
  readonly entries: readonly LogEntry[]
  /** None of that tenant is missing: whether others' are is not its business. */
  readonly complete: boolean
  /** The places in front of `entries`: behind what is missing. */
  readonly from: Places
}

/** The newest entries of the log, bounded by the bytes of their frames. */
export class EntryRing {
  readonly #maxBytes: number
  /** Those that are not kept any more are undefined until there are many of them. */
  #entries: (LogEntry | undefined)[] = []
  #first = 0
  #bytes = 0
  /** By partition, the offset from which on every entry came. */
  readonly #begun = new Map<number, number>()
  /** By partition, the newest offset that came; -1 where none has. */
  readonly #places = new Map<number, number>()
  /** By tenant and partition, the newest offset that is not kept any more. */
  readonly #dropped = new Map<string, Map<number, number>>()

  /** @param begins the first entry that will come, per partition; without it, what comes first. */
  constructor(maxBytes: number, begins: readonly LogPosition[] = []) {
    this.#maxBytes = maxBytes
    for (const { partition, offset } of begins) this.#begin(partition, offset)
  }

  /** How far it has come. */
  get places(): Places {
    return this.#places
  }

  push(entry: LogEntry): void {
    const { partition, offset } = entry.position
    if (!this.#begun.has(partition)) this.#begin(partition, offset)
    this.#places.set(partition, offset)
    this.#entries.push(entry)
    this.#bytes += entry.frame.byteLength
    while (this.#bytes > this.#maxBytes) this.#bytes -= this.#shift().frame.byteLength
  }

  /** What came to a tenant after these places, of all partitions. */
  after(places: Places, tenant: string): Missed {
    const from = new Map<number, number>()
    let complete = true
    for (const [partition, begun] of this.#begun) {
      const reached = places.get(partition) ?? -1
      const missing = Math.max(begun - 1, this.#dropped.get(tenant)?.get(partition) ?? -1)
      if (missing > reached) complete = false
      from.set(partition, Math.max(reached, missing))
    }
    // Of another log, or of a process whose partitions are its own: nothing of here is known of it.
    const isOther = [...places.keys()].some(partition => !this.#begun.has(partition))
    if (isOther) return { entries: [], complete: false, from: this.#places }
    const entries: LogEntry[] = []
    for (let i = this.#first; i < this.#entries.length; i++) {
      const entry = this.#entries[i]
      if (entry?.batch.tenant !== tenant) continue
      const { partition, offset } = entry.position
      if (offset > (from.get(partition) ?? -1)) entries.push(entry)
    }
    return { entries, complete, from }
  }

  #begin(partition: number, offset: number): void {
    this.#begun.set(partition, offset)
    this.#places.set(partition, offset - 1)
  }

  #shift(): LogEntry {
    const entry = this.#entries[this.#first] as LogEntry
    this.#entries[this.#first++] = undefined
    const { batch, position } = entry
    let dropped = this.#dropped.get(batch.tenant)
    if (dropped === undefined) this.#dropped.set(batch.tenant, (dropped = new Map()))
    dropped.set(position.partition, position.offset)
    if (this.#first > 1024 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
    return entry
  }
}
