import { closeSync, fsyncSync, openSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { open } from 'lmdb'
import { WeirError } from '../../ports/errors.ts'

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
  }): Iterable<{ value: Buffer }>
  batch(action: () => void): Promise<boolean>
  close(): Promise<void>
}

/** Address space only: the file is as large as its pages. LMDB enlarges it when it is not enough. */
const MAP_BYTES = process.platform === 'win32' ? undefined : 2 ** 36

/**
 * One LMDB file. A transaction is written by a thread of LMDB's own and is durable when its promise
 * resolves: without `overlappingSync` a commit is the classic one of LMDB, which syncs the data,
 * then writes and syncs the meta page.
 */
export function openTable<Key>(path: string, keyEncoder: KeyEncoder<Key>): Table<Key> {
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
  try {
    return open(options as never) as unknown as Table<Key>
  } catch (error) {
    if (isNoSpace(error)) throw diskFull(error)
    throw new WeirError('retryable', `opening ${path} failed: ${String(error)}`, { cause: error })
  }
}

/** Makes the names of new files in a folder durable. Windows cannot, and need not. */
export function syncFolder(path: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/**
 * A disk with less room than this after a transaction counts as full. LMDB must not find out by
 * itself: lmdb-js 3.5.6 writes the message of a failed write past the end of its memory
 * (mdb_page_flush: 100 bytes for up to 120), which ends the process.
 */
const SPARE_BYTES = 1 << 20
const PAGE_BYTES = 4096
/** Besides its own pages, a value may cost the leaf that names it and the branches above. */
const PAGES_OF_A_CHANGE = 3

export interface TableTransaction {
  /** The values that will be put or, where undefined, removed: what room they need. */
  readonly values: readonly (Uint8Array | undefined)[]
  readonly action: () => void
}

/**
 * Runs `action` as one transaction.
 *
 * @throws WeirError `retryable`, with the code `disk_full` where that is why; nothing was written.
 */
export async function commitBatch(
  path: string,
  table: { batch(action: () => void): Promise<boolean> },
  { values, action }: TableTransaction,
): Promise<void> {
  const folder = dirname(path)
  let bytes = SPARE_BYTES
  for (const value of values) {
    const pages = PAGES_OF_A_CHANGE + Math.ceil((value?.length ?? 0) / PAGE_BYTES)
    bytes += pages * PAGE_BYTES
  }
  if (!(await hasRoom(folder, bytes))) throw diskFull()
  try {
    await table.batch(action)
  } catch (error) {
    const cause = await commitError(error)
    if (isNoSpace(cause) || !(await hasRoom(folder, SPARE_BYTES))) throw diskFull(cause)
    throw new WeirError('retryable', `writing ${path} failed: ${String(cause)}`, { cause })
  }
}

function diskFull(cause?: unknown): WeirError {
  return new WeirError('retryable', 'the disk is full', { cause, code: 'disk_full' })
}

function isNoSpace(error: unknown): boolean {
  return /ENOSPC|no space/i.test(String(error))
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

async function hasRoom(folder: string, bytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize >= bytes
}
