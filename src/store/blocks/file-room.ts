import { appendFileSync, renameSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { open, statfs, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import { WeirError } from '../../ports/errors.ts'

/** Left to others on the disk. */
const SPARE_BYTES = 64 << 10
const STEP_BYTES = 128 << 10
const ZEROS = Buffer.alloc(1 << 20)

/**
 * The blocks of the disk under one LMDB file. LMDB must never be the one who finds the disk full:
 * when a page cannot be written, lmdb-js 3.5.6 formats up to 126 bytes of message into 100
 * (`mdb_page_flush`), which ends the process. So before a transaction zeros are written to where it
 * may write beyond the end of the file. What LMDB writes then lies on blocks that exist, and that
 * cannot fail for want of room, however full others make the disk meanwhile.
 *
 * For that the file must have no holes, so all of its growth has to come by here.
 */
export class FileRoom {
  readonly #path: string
  /** Up to here the file has blocks; undefined while that is not known. */
  #reserved: number | undefined = undefined

  constructor(path: string) {
    this.#path = path
  }

  /**
   * Makes sure of blocks up to byte `to`. `from` is where LMDB's pages end; no transaction may be
   * under way.
   *
   * @throws WeirError `retryable` with the code `disk_full`; then nothing is held.
   */
  async reserve(from: number, to: number): Promise<void> {
    // What a crash left behind the last page may have holes.
    if (this.#reserved === undefined) await this.release(from)
    const begin = Math.max(from, this.#reserved ?? from)
    if (begin >= to) return
    // In steps, so that small transactions find it done.
    const end = Math.ceil(to / STEP_BYTES) * STEP_BYTES
    const { bavail, bsize } = await statfs(dirname(this.#path))
    if (bavail * bsize < end - begin + SPARE_BYTES) throw diskFull()
    try {
      await writeZeros(this.#path, begin, end)
      this.#reserved = end
    } catch (error) {
      this.#reserved = undefined
      await this.release(from)
      if (isNoSpace(error)) throw diskFull(error)
      const message = `writing ${this.#path} failed: ${String(error)}`
      throw new WeirError('retryable', message, { cause: error })
    }
  }

  /** Gives back what lies behind byte `end`, where LMDB's pages end, unless it is `keepBytes` at most. */
  async release(end: number, keepBytes = 0): Promise<void> {
    if (this.#reserved !== undefined && this.#reserved <= end + keepBytes) return
    this.#reserved = undefined
    // Windows does not shorten a file that is mapped.
    if (process.platform === 'win32') return
    const { size } = statSync(this.#path)
    if (size > end) await truncate(this.#path, end)
    // A transaction may end with pages that it did not need and did not write.
    if (size >= end) this.#reserved = end
  }
}

export interface NewFile {
  /** What an LMDB file without any content holds; a shorter file has never held anything. */
  readonly empty: Uint8Array
  readonly lockBytes: number
}

/**
 * Makes the file at `path` and its lock where they are missing, so that LMDB finds both. By itself it
 * would make a lock with holes and write to it through a mapping, where a full disk is a SIGBUS; and
 * where it cannot write a new file's first pages, lmdb-js 3.5.6 closes what it has not opened, a SIGSEGV.
 *
 * @throws WeirError `retryable` with the code `disk_full`.
 */
export function makeFile(path: string, { empty, lockBytes }: NewFile): void {
  const isMissing = sizeOf(path) < empty.length
  const lock = `${path}-lock`
  const locked = sizeOf(lock)
  if (!isMissing && locked >= lockBytes) return
  const made = `${path}.new`
  try {
    if (locked < lockBytes) appendFileSync(lock, ZEROS.subarray(0, lockBytes - locked))
    if (!isMissing) return
    writeFileSync(made, empty, { flush: true })
    renameSync(made, path)
  } catch (error) {
    rmSync(made, { force: true })
    if (isNoSpace(error)) throw diskFull(error)
    throw new WeirError('retryable', `making ${path} failed: ${String(error)}`, { cause: error })
  }
}

/** @throws WeirError `disk_full` where there is not room for a few pages in the folder of `path`. */
export function checkSpare(path: string): void {
  const { bavail, bsize } = statfsSync(dirname(path))
  if (bavail * bsize < SPARE_BYTES) throw diskFull()
}

export function diskFull(cause?: unknown): WeirError {
  return new WeirError('retryable', 'the disk is full', { cause, code: 'disk_full' })
}

export function isNoSpace(error: unknown): boolean {
  return /ENOSPC|EDQUOT|no space/i.test(String(error))
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

async function writeZeros(path: string, from: number, to: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    for (let at = from; at < to;) {
      const wanted = Math.min(ZEROS.length, to - at)
      // A disk that becomes full writes a part, and says so the next time.
      at += (await file.write(ZEROS, 0, wanted, at)).bytesWritten
    }
  } finally {
    await file.close()
  }
}
