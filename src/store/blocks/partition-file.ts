import { commitBatch, openTable } from './lmdb-table.ts'
import type { KeyEncoder, Table } from './lmdb-table.ts'

/** The place of a block: its series and the time of its first point. */
export interface BlockKey {
  readonly series: number
  readonly time: number
}

/** A block to be written, or to be removed where `block` is undefined. */
export interface BlockChange extends BlockKey {
  readonly block: Buffer | undefined
}

/** The key of the record about the partition itself; no series has this id. */
const ABOUT: BlockKey = { series: 0xffffffff, time: 0 }
/** u32 series, u64 time, both big-endian, so that bytes sort as (series, time). */
const keyEncoder: KeyEncoder<BlockKey> = {
  writeKey({ series, time }: BlockKey, target: Buffer, at: number): number {
    const high = Math.floor(time / 0x100000000)
    target.writeUInt32BE(series, at)
    target.writeUInt32BE(high, at + 4)
    target.writeUInt32BE(time >>> 0, at + 8)
    return at + 12
  },
  readKey(source: Buffer, at: number): BlockKey {
    const high = source.readUInt32BE(at + 4)
    return {
      series: source.readUInt32BE(at),
      time: high * 0x100000000 + source.readUInt32BE(at + 8),
    }
  },
}

/** The blocks of one span of time. */
export class PartitionFile {
  readonly path: string
  readonly #db: Table<BlockKey>

  constructor(path: string) {
    this.path = path
    this.#db = openTable(path, keyEncoder)
  }

  /** The record about the partition; undefined in a new file. */
  about(): Buffer | undefined {
    return this.#db.get(ABOUT)
  }

  /** Blocks of a series whose first time is within [from, to), rising. */
  *forward(series: number, from: number, to: number): Generator<Buffer> {
    const range = this.#db.getRange({ start: { series, time: from }, end: { series, time: to } })
    for (const { value } of range) yield value
  }

  /** Blocks of a series whose first time is below `before`, falling. */
  *backward(series: number, before: number): Generator<Buffer> {
    if (before <= 0) return
    const start = { series, time: before - 1 }
    // The end of a range that falls is exclusive too, and time 0 is possible.
    const end = series === 0 ? undefined : { series: series - 1, time: Number.MAX_SAFE_INTEGER }
    const range = this.#db.getRange({ start, end, reverse: true })
    for (const { value } of range) yield value
  }

  /** Writes all changes and the record in one transaction; durable when it resolves. */
  commit(changes: readonly BlockChange[], about: Buffer): Promise<void> {
    return commitBatch(this.path, this.#db, {
      values: [...changes.map(({ block }) => block), about],
      action: () => {
        for (const change of changes) {
          if (change.block === undefined) this.#db.remove(change)
        }
        for (const change of changes) {
          if (change.block !== undefined) this.#db.put(change, change.block)
        }
        this.#db.put(ABOUT, about)
      },
    })
  }

  close(): Promise<void> {
    return this.#db.close()
  }
}
