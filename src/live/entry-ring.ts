import type { LogEntry, LogPosition } from '../ports/log.ts'

/** The newest entries of the log, bounded by the bytes of their frames. */
export class EntryRing {
  readonly #maxBytes: number
  /** Those that are not kept any more are undefined until there are many of them. */
  #entries: (LogEntry | undefined)[] = []
  #first = 0
  #bytes = 0
  /** By partition, the offset from which on every entry came. */
  readonly #begun = new Map<number, number>()
  /** By tenant and partition, the newest offset that is not kept any more. */
  readonly #dropped = new Map<string, Map<number, number>>()

  /** @param begins the first entry that will come, per partition; without it, what comes first. */
  constructor(maxBytes: number, begins: readonly LogPosition[] = []) {
    this.#maxBytes = maxBytes
    for (const { partition, offset } of begins) this.#begun.set(partition, offset)
  }

  push(entry: LogEntry): void {
    const { partition, offset } = entry.position
    if (!this.#begun.has(partition)) this.#begun.set(partition, offset)
    this.#entries.push(entry)
    this.#bytes += entry.frame.byteLength
    while (this.#bytes > this.#maxBytes) this.#bytes -= this.#shift().frame.byteLength
  }

  /**
   * Entries of the position's partition and of one tenant that follow it, and whether none of that
   * tenant is missing between: whether others are is not its business.
   */
  after(
    { partition, offset }: LogPosition,
    tenant: string,
  ): { entries: LogEntry[]; complete: boolean } {
    const entries: LogEntry[] = []
    for (let i = this.#first; i < this.#entries.length; i++) {
      const entry = this.#entries[i]
      if (entry?.position.partition !== partition || entry.batch.tenant !== tenant) continue
      if (entry.position.offset > offset) entries.push(entry)
    }
    const begun = this.#begun.get(partition) ?? Infinity
    const dropped = this.#dropped.get(tenant)?.get(partition) ?? -1
    return { entries, complete: begun <= offset + 1 && dropped <= offset }
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
