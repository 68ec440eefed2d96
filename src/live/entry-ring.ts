import type { LogEntry, LogPosition } from '../ports/log.ts'

/** The newest entries of the log, bounded by the bytes of their frames. */
export class EntryRing {
  readonly #maxBytes: number
  #entries: LogEntry[] = []
  #first = 0
  #bytes = 0
  /** Per partition of the log: every entry from this offset on is kept, or has yet to come. */
  readonly #keptFrom = new Map<number, number>()

  /** @param begins the first entry that will come, per partition; without it, what comes first. */
  constructor(maxBytes: number, begins: readonly LogPosition[] = []) {
    this.#maxBytes = maxBytes
    for (const { partition, offset } of begins) this.#keptFrom.set(partition, offset)
  }

  push(entry: LogEntry): void {
    const { partition, offset } = entry.position
    if (!this.#keptFrom.has(partition)) this.#keptFrom.set(partition, offset)
    this.#entries.push(entry)
    this.#bytes += entry.frame.byteLength
    while (this.#bytes > this.#maxBytes) this.#bytes -= this.#shift().frame.byteLength
  }

  /** Entries of the position's partition that follow it, and whether none is missing between. */
  after({ partition, offset }: LogPosition): { entries: LogEntry[]; complete: boolean } {
    const entries: LogEntry[] = []
    for (let i = this.#first; i < this.#entries.length; i++) {
      const { position } = this.#entries[i]
      if (position.partition !== partition || position.offset <= offset) continue
      entries.push(this.#entries[i])
    }
    return { entries, complete: (this.#keptFrom.get(partition) ?? Infinity) <= offset + 1 }
  }

  #shift(): LogEntry {
    const entry = this.#entries[this.#first++]
    this.#keptFrom.set(entry.position.partition, entry.position.offset + 1)
    if (this.#first > 1024 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
    return entry
  }
}
