import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'lmdb'
import { WeirError } from '../../ports/errors.ts'
import { checkSpare, diskFull, FileRoom, isNoSpace, makeFile } from './file-room.ts'

/** How keys become bytes, and back. */
export interface KeyEncoder<Key> {
  writeKey(key: Key, target: Buffer, at: number): number
  readKey(source: Buffer, at: number): Key
}

/** What we use of an LMDB database with keys of our own and binary values. */
export interface Table<Key> {
  get(key: Key): Buffer | undefined
  /** Inside of a batch, whose promise speaks for it. */
  put(key: Key, value: Buffer): void
  /** Inside of a batch, whose promise speaks for it. */
  remove(key: Key): void
  /** `end` is exclusive, rising or falling. */
  getRange(range: {
    start: Key
    end: Key | undefined
    reverse?: boolean
  }): Iterable<{ key: Key; value: Buffer }>
  batch(action: () => void): Promise<boolean>
  getStats(): TableStats
  close(): Promise<void>
}

interface TreeStats {
  readonly treeDepth: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

/** What LMDB says of the last transaction's state. */
export interface TableStats {
  readonly pageSize: number
  readonly lastPageNumber: number
  readonly root: TreeStats
  /** The tree of free pages. */
  readonly free: TreeStats
}

const isPosix = process.platform !== 'win32'
/** Address space only: the file is as large as its pages. LMDB enlarges it when it is not enough. */
const MAP_BYTES = isPosix ? 2 ** 36 : undefined
/** A page for LMDB itself and 64 bytes for each thread that reads. */
const LOCK_BYTES = 8192
const PAGE_HEADER_BYTES = 16
const KEPT_BYTES = 256 << 10

/**
 * One LMDB file. A transaction is written by a thread of LMDB's own and is durable when its promise
 * resolves: without `overlappingSync` a commit is the classic one of LMDB, which syncs the data,
 * then writes and syncs the meta page.
 *
 * @param empty what a new file holds; without it LMDB makes the file, which takes a disk with room.
 * @throws WeirError `retryable`, with the code `disk_full` where that is why.
 */
export function openTable<Key>(
  path: string,
  keyEncoder: KeyEncoder<Key>,
  empty?: Uint8Array,
): Table<Key> {
  const options = {
    keyEncoder,
    path,
    noSubdir: true,
    encoding: 'binary',
    overlappingSync: false,
    // Else each batch gets a second promise that nobody can handle when the disk is full.
    eventTurnBatching: false,
    maxDbs: 1,
    maxReaders: 64,
    ...(MAP_BYTES === undefined ? {} : { mapSize: MAP_BYTES }),
  }
  if (empty !== undefined && isPosix) makeFile(path, { empty, lockBytes: LOCK_BYTES })
  return opened(path, options)
}

/** For a look at a file beside the process that writes it, or without one. */
export function openToRead<Key>(path: string, keyEncoder: KeyEncoder<Key>): Table<Key> {
  return opened(path, {
    ...{ keyEncoder, path, noSubdir: true, encoding: 'binary', readOnly: true },
    ...{ maxDbs: 1, maxReaders: 64 },
    ...(MAP_BYTES === undefined ? {} : { mapSize: MAP_BYTES }),
  })
}

function opened<Key>(path: string, options: object): Table<Key> {
  try {
    return open(options as never) as unknown as Table<Key>
  } catch (error) {
    if (isNoSpace(error)) throw diskFull(error)
    const kind = /MDB_(INVALID|CORRUPTED|PAGE_NOTFOUND)/.test(String(error))
      ? 'corrupt'
      : 'retryable'
    throw new WeirError(kind, `opening ${path} failed: ${String(error)}`, { cause: error })
  }
}

/**
 * What an LMDB file without content holds, from the file at `path`, which is made when it is missing:
 * once for a store, when that is made.
 */
export function emptyFile(path: string): Uint8Array {
  const kept = existsSync(path) ? readFileSync(path) : undefined
  if (kept !== undefined && kept.length > 0) return kept
  checkSpare(path)
  const made = `${path}.new`
  const table = openTable(made, { writeKey: () => 0, readKey: () => 0 })
  const bytes = readFileSync(made)
  void table.close().then(() => {
    for (const file of [made, `${made}-lock`]) rmSync(file, { force: true })
  })
  // In one step and durably: what is there is whole.
  writeFileSync(`${path}.copy`, bytes, { flush: true })
  renameSync(`${path}.copy`, path)
  return bytes
}

/** Makes the names of new files in a folder durable. Windows cannot, and need not. */
export function syncFolder(path: string): void {
  if (!isPosix) return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** What a transaction changes, for the room that it needs. */
export interface TableTransaction {
  /** The values that will be put or, where undefined, removed. */
  readonly values: readonly (Uint8Array | undefined)[]
  readonly action: () => void
}

/**
 * Writes transactions of one table, one at a time, on blocks that it has made sure of before: a
 * full disk is met here and never by LMDB.
 */
export class TableWriter {
  readonly #path: string
  readonly #table: Pick<Table<never>, 'batch' | 'getStats'>
  readonly #room: FileRoom
  #failure: WeirError | undefined = undefined

  constructor(path: string, table: Pick<Table<never>, 'batch' | 'getStats'>) {
    this.#path = path
    this.#table = table
    this.#room = new FileRoom(path)
  }

  /**
   * Runs `action` as one transaction; durable when it resolves.
   *
   * @throws WeirError `retryable`, with the code `disk_full` where that is why: nothing was written.
   *   `closed`: LMDB has failed for good, and must not be asked again.
   */
  async commit({ values, action }: TableTransaction): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const stats = this.#table.getStats()
    const end = endOf(stats)
    await this.#room.reserve(end, end + mostNewPages(stats, values) * stats.pageSize)
    try {
      await this.#table.batch(action)
    } catch (error) {
      throw await this.#failed(await commitError(error))
    }
  }

  /**
   * Gives the blocks back that no transaction has used. After the last one of a row.
   *
   * @param keepsSome for a file that is written again soon: a small flush then overwrites blocks that
   *   exist, and the file system has nothing else to make durable.
   */
  async release({ keepsSome = false } = {}): Promise<void> {
    if (this.#failure !== undefined) return
    const end = endOf(this.#table.getStats())
    await this.#room.release(end, keepsSome ? KEPT_BYTES : 0)
  }

  async #failed(cause: unknown): Promise<WeirError> {
    const message = `writing ${this.#path} failed: ${String(cause)}`
    try {
      await this.release()
    } catch (panic) {
      // After a failed write of its meta page LMDB refuses everything, and a second transaction
      // would wait for ever.
      this.#failure = new WeirError('closed', `${message}; ${String(panic)}`, { cause })
      return this.#failure
    }
    return isNoSpace(cause) ? diskFull(cause) : new WeirError('retryable', message, { cause })
  }
}

/** Where the pages of the last transaction end. */
function endOf({ lastPageNumber, pageSize }: TableStats): number {
  return (lastPageNumber + 1) * pageSize
}

/** Pages that list free pages, and some more. */
const SLACK_PAGES = 16
/** A branch page has room for more keys than that, even when it is half empty. */
const LEAST_KEYS_OF_A_BRANCH = 50

/**
 * How many pages a transaction may add to the file at most: copies of what it changes (LMDB never
 * overwrites a page that a reader may see), splits, values that get pages of their own, and the
 * list of free pages. As if no free page could be used again.
 */
export function mostNewPages(
  { pageSize, root, free }: TableStats,
  values: readonly (Uint8Array | undefined)[],
): number {
  const count = values.length
  let pages = SLACK_PAGES + 2 * pagesOf(free) + 2 * root.treeDepth
  pages += Math.min(count * (root.treeDepth + 1), pagesOf(root) - root.overflowPages)
  pages += count + Math.ceil(count / LEAST_KEYS_OF_A_BRANCH)
  for (const value of values) {
    const length = value?.length ?? 0
    if (length > pageSize / 4) pages += Math.ceil((length + PAGE_HEADER_BYTES) / pageSize)
  }
  return pages
}

function pagesOf(tree: TreeStats): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages
}

/** LMDB hands the true reason over as a promise that rejects. */
async function commitError(error: unknown): Promise<unknown> {
  const pending = (error as { commitError?: Promise<unknown> }).commitError
  if (pending === undefined) return error
  return pending.then(
    () => error,
    (reason: unknown) => reason,
  )
}
