import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { WeirError } from '../ports/errors.ts'

const SQLITE_BUSY = 5

export interface DataLock {
  /** Idempotent. */
  release(): void
}

/**
 * Takes the data folder (created when missing) for this process. The lock is SQLite's, which is a
 * lock of the operating system: the kernel releases it when the process ends, however it ends, and
 * no stale file can keep a folder locked. The pid beside it is only for the message.
 *
 * @throws WeirError `conflict` when another process, or this one, holds it; the message names it.
 */
export function lockDataFolder(folder: string): DataLock {
  mkdirSync(folder, { recursive: true })
  const pidFile = join(folder, 'weir.pid')
  const database = new DatabaseSync(join(folder, 'weir.lock'))
  try {
    // Never committed: the open transaction is the lock, and nothing is ever written.
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error
    const message = `the data folder ${folder} is in use by ${holder(pidFile)}`
    throw new WeirError('conflict', message, { cause: error })
  }
  writeFileSync(pidFile, `${process.pid}\n`)
  let isHeld = true
  return {
    release() {
      if (!isHeld) return
      isHeld = false
      rmSync(pidFile, { force: true })
      database.close()
    },
  }
}

function holder(pidFile: string): string {
  let text = ''
  try {
    text = readFileSync(pidFile, 'utf8').trim()
  } catch {
    // Between taking the lock and writing the pid there is no file.
  }
  return /^\d+$/.test(text) ? `process ${text}` : 'another process'
}
