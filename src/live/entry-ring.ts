import type { LogEntry, LogPosition } from '../ports/log.ts'

/** The newest entries of the log, bounded by the bytes of their frames. */
export class EntryRing {
  readonly #maxBytes: number
  #entries: LogEntry[] = []
  #first = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  push(entry: LogEntry): void {
    this.#entries.push(entry)
    this.#bytes += entry.frame.byteLength
    while (this.#bytes > this.#maxBytes) this.#bytes -= this.#shift().frame.byteLength
  }

  /** Entries of the position's partition that follow it, and whether none is missing between. */
  after({ partition, offset }: LogPosition): { entries: LogEntry[]; complete: boolean } {
    const entries: LogEntry[] = []
    let oldest = Infinity
    for (let i = this.#first; i < this.#entries.length; i++) {
      const { position } = this.#entries[i]
      if (position.partition !== partition) continue
      oldest = Math.min(oldest, position.offset)
      if (position.offset > offset) entries.push(this.#entries[i])
    }
    return { entries, complete: oldest <= offset + 1 }
  }

  #shift(): LogEntry {
    const entry = this.#entries[this.#first++]
    if (this.#first > 1024 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
    return entry
  }
}
