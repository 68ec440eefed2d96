import { mkdirSync, rmSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { WeirError } from '../ports/errors.ts'

export const SPOOL_LIMIT = 'transfer.maxSpoolBytes'

/** Files that wait to be read as a whole, in a folder of their own; names are Weir's, never a client's. */
export class Spool {
  readonly #folder: string
  readonly #maxBytes: number
  #files = 0

  /** Makes the folder, and removes what an earlier process left in it. */
  constructor(folder: string, maxBytes: number) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    this.#folder = folder
    this.#maxBytes = maxBytes
  }

  /**
   * Calls `use` with the path of a file that holds all of `source`; the file is gone afterwards.
   *
   * @throws WeirError `rejected` when it is larger than the bound; `retryable` when the disk is full.
   */
  async with<T>(source: AsyncIterable<Uint8Array>, use: (path: string) => Promise<T>): Promise<T> {
    const path = join(this.#folder, `${process.pid}-${++this.#files}`)
    try {
      await this.#write(path, source)
      return await use(path)
    } finally {
      await rm(path, { force: true })
    }
  }

  async #write(path: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const file = await open(path, 'wx')
    let bytes = 0
    try {
      for await (const chunk of source) {
        bytes += chunk.length
        if (bytes > this.#maxBytes) {
          const message = `the file is larger than ${this.#maxBytes} bytes`
          throw new WeirError('rejected', message, { limit: SPOOL_LIMIT })
        }
        await file.writeFile(chunk)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      throw new WeirError('retryable', 'there is no room on the disk for the file', {
        ...{ cause: error, code: 'disk_full' },
      })
    } finally {
      await file.close()
    }
  }
}
