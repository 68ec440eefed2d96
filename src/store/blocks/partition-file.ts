import { openTable, openToRead, TableWriter } from './lmdb-table.ts'
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

/** A block as it was found. */
export interface KeyedBlock {
  readonly time: number
  readonly block: Buffer
}

/** Added to the series of a damaged block that was set aside; so many series there never are. */
export const ASIDE = 0x80000000

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

/** What a file has set aside; its record tells whether there is anything to look for. */
export interface AsideFile {
  about(): Buffer | undefined
  /** By series, then time; `series` as it was before. */
  blocks(): Iterable<BlockKey & { block: Buffer }>
  close(): Promise<void>
}

/** Opens a partition's file to look at what was set aside, also while a store has it open. */
export function openAside(path: string): AsideFile {
  const table = openToRead(path, keyEncoder)
  return {
    about: () => table.get(ABOUT),
    *blocks() {
      for (const { key, value } of table.getRange({
        start: { series: ASIDE, time: 0 },
        end: ABOUT,
      })) {
        yield { series: key.series - ASIDE, time: key.time, block: Buffer.from(value) }
      }
    },
    close: () => table.close(),
  }
}

/** The blocks of one span of time. */
export class PartitionFile {
  readonly path: string
  readonly #db: Table<BlockKey>
  readonly #writer: TableWriter

  /** @param empty see `emptyFile`; needed where the file may be missing. */
  constructor(path: string, empty?: Uint8Array) {
    this.path = path
    this.#db = openTable(path, keyEncoder, empty)
    this.#writer = new TableWriter(path, this.#db)
  }

  /** The record about the partition; undefined in a new file. */
  about(): Buffer | undefined {
    return this.#db.get(ABOUT)
  }

  get(key: BlockKey): Buffer | undefined {
    return this.#db.get(key)
  }

  /** Blocks of a series whose first time is within [from, to), rising. */
  *forward(series: number, from: number, to: number): Generator<KeyedBlock> {
    const range = this.#db.getRange({ start: { series, time: from }, end: { series, time: to } })
    for (const { key, value } of range) yield { time: key.time, block: value }
  }

  /** Blocks of a series whose first time is below `before`, falling. */
  *backward(series: number, before: number): Generator<KeyedBlock> {
    if (before <= 0) return
    const start = { series, time: before - 1 }
    // The end of a range that falls is exclusive too, and time 0 is possible.
    const end = series === 0 ? undefined : { series: series - 1, time: Number.MAX_SAFE_INTEGER }
    const range = this.#db.getRange({ start, end, reverse: true })
    for (const { key, value } of range) yield { time: key.time, block: value }
  }

  /** Writes all changes and the record in one transaction; durable when it resolves. */
  commit(changes: readonly BlockChange[], about: Buffer): Promise<void> {
    return this.#writer.commit({
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

  /** Gives room back that was reserved for further commits. */
  release(options?: { keepsSome: boolean }): Promise<void> {
    return this.#writer.release(options)
  }

  close(): Promise<void> {
    return this.#db.close()
  }
}
