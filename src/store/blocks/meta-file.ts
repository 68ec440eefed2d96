import { statSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { SeriesTable } from '../../model/series-table.ts'
import { WeirError } from '../../ports/errors.ts'
import { coversOf } from './covers.ts'
import type { CoverRow, Covers } from './covers.ts'
import { emptyFile, openTable, openToRead, TableWriter } from './lmdb-table.ts'
import type { KeyEncoder, Table } from './lmdb-table.ts'
import type { TenantRows } from './tenant-counts.ts'
import { NEWEST_PAGE_SERIES } from './series-columns.ts'
import type { SeriesColumns } from './series-columns.ts'

/** Series whose names are stored together. */
const NAMES_PAGE_SERIES = 1024

/** Of one partition, as of the last complete flush; what is missing at the end was not counted yet. */
export type PartitionRow = readonly [
  start: number,
  stored: number,
  duplicate: number,
  damagedBlocks?: number,
  tenants?: TenantRows,
]

/** What the store knows of itself, as JSON. */
export interface MetaState {
  readonly version: 1
  /** The span of a partition; decided when the store is made. */
  readonly partitionUs: number
  readonly covered: readonly CoverRow[]
  /** Points of covered entries that could not be stored; absent when there are none. */
  readonly deadLettered?: number
  /** Starts of partitions that a flush is writing: their own records say how far it came. */
  readonly pending: readonly number[]
  readonly partitions: readonly PartitionRow[]
}

type MetaKey = readonly ['state' | 'names' | 'newest', number]

/** The first byte of a key; the page follows as u32, big-endian. */
const KIND_BYTES = { state: 0x73, names: 0x6e, newest: 0x6c }

const keyEncoder: KeyEncoder<MetaKey> = {
  writeKey([kind, page]: MetaKey, target: Buffer, at: number): number {
    target.writeUInt8(KIND_BYTES[kind], at)
    target.writeUInt32BE(page, at + 1)
    return at + 5
  },
  readKey(source: Buffer, at: number): MetaKey {
    const kind = source.readUInt8(at) === KIND_BYTES.names ? 'names' : 'newest'
    return [kind, source.readUInt32BE(at + 1)]
  },
}

/** The names of a series. */
export interface SeriesNames {
  readonly tenant: string
  readonly device: string
  readonly metric: string
}

/** Names of series by their ids, read from a store's folder while it may be in use. */
export async function readSeriesNames(
  directory: string,
  ids: ReadonlySet<number>,
): Promise<ReadonlyMap<number, SeriesNames>> {
  const found = new Map<number, SeriesNames>()
  const table = openToRead(join(directory, 'meta'), keyEncoder)
  try {
    for (const id of ids) {
      const bytes = table.get(['names', Math.floor(id / NAMES_PAGE_SERIES)])
      if (bytes === undefined) continue
      const names = zstdDecompressSync(bytes).toString().split('\0')
      const [tenant, device, metric] = names.slice((id % NAMES_PAGE_SERIES) * 3)
      if (metric !== undefined) found.set(id, { tenant, device, metric })
    }
  } finally {
    await table.close()
  }
  return found
}

/** The environment beside the partitions: names of series, their newest points, covered positions. */
export class MetaFile {
  readonly path: string
  readonly #db: Table<MetaKey>
  readonly #writer: TableWriter
  /** How far the log is durably covered. */
  covers: Covers = new Map()
  /** Of the entries before there, the points that could not be stored. */
  deadLettered = 0
  /** Series whose names are durable. */
  #named = 0

  constructor(directory: string) {
    this.path = join(directory, 'meta')
    const empty = emptyFile(join(directory, 'empty'))
    this.#db = openTable(this.path, keyEncoder, empty)
    this.#writer = new TableWriter(this.path, this.#db)
  }

  state(): MetaState | undefined {
    const bytes = this.#db.get(['state', 0])
    if (bytes === undefined) return undefined
    const state = this.#read('state', () => JSON.parse(bytes.toString()) as MetaState)
    if ((state.version as number) !== 1) {
      throw new WeirError('config', `${this.path} is of version ${state.version}, not 1`)
    }
    this.covers = coversOf(state.covered)
    this.deadLettered = state.deadLettered ?? 0
    return state
  }

  /** Fills in names and newest points, in order of id. */
  load(table: SeriesTable, columns: SeriesColumns): void {
    for (let page = 0; ; page++) {
      const bytes = this.#db.get(['names', page])
      if (bytes === undefined) break
      const names = this.#read('names', () => zstdDecompressSync(bytes).toString().split('\0'))
      for (let i = 0; i + 2 < names.length; i += 3) {
        const id = table.series(table.device(names[i], names[i + 1]), names[i + 2])
        if (id !== this.#named++) throw new WeirError('config', `${this.path} repeats a series`)
      }
    }
    columns.ensure(this.#named)
    for (let page = 0; page * NEWEST_PAGE_SERIES < this.#named; page++) {
      const bytes = this.#db.get(['newest', page])
      if (bytes !== undefined) this.#read('newest points', () => columns.decodePage(page, bytes))
    }
  }

  /** Before partitions are written: the names that they use, and which partitions they are. */
  async begin(table: SeriesTable, state: MetaState): Promise<void> {
    const count = table.seriesCount
    const pages: [number, Buffer][] = []
    const first = Math.floor(this.#named / NAMES_PAGE_SERIES)
    for (let page = first; page * NAMES_PAGE_SERIES < count && this.#named < count; page++) {
      const to = Math.min(count, (page + 1) * NAMES_PAGE_SERIES)
      pages.push([page, encodeNames(table, page * NAMES_PAGE_SERIES, to)])
    }
    const about = encodeState(state)
    await this.#writer.commit({
      values: [...pages.map(([, bytes]) => bytes), about],
      action: () => {
        for (const [page, bytes] of pages) this.#db.put(['names', page], bytes)
        this.#db.put(['state', 0], about)
      },
    })
    this.#named = count
  }

  /** After them: the newest points and how far the log is covered. */
  async finish(columns: SeriesColumns, state: MetaState): Promise<void> {
    const pages = columns.takeDirtyPages()
    try {
      const encoded = pages.map(page => columns.encodePage(page))
      const about = encodeState(state)
      await this.#writer.commit({
        values: [...encoded, about],
        action: () => {
          pages.forEach((page, i) => this.#db.put(['newest', page], encoded[i]))
          this.#db.put(['state', 0], about)
        },
      })
      this.covers = coversOf(state.covered)
      this.deadLettered = state.deadLettered ?? 0
      await this.#writer.release({ keepsSome: true })
    } catch (error) {
      columns.markDirty(pages)
      throw error
    }
  }

  #read<T>(what: string, read: () => T): T {
    try {
      return read()
    } catch (cause) {
      const message = `the ${what} in ${this.path} are damaged: ${String(cause)}`
      throw new WeirError('corrupt', message, { cause })
    }
  }

  get bytes(): number {
    return statSync(this.path).size
  }

  close(): Promise<void> {
    return this.#db.close()
  }
}

function encodeState(state: MetaState): Buffer {
  return Buffer.from(JSON.stringify(state))
}

/** Tenant, device and metric of each series, all ended by NUL, compressed. */
function encodeNames(table: SeriesTable, from: number, to: number): Buffer {
  const names: string[] = []
  for (let id = from; id < to; id++) {
    const device = table.deviceOf(id)
    names.push(device.tenant, device.name, table.metricOf(id))
  }
  return zstdCompressSync(Buffer.from(names.join('\0') + '\0'))
}
