import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { migrate } from './migrations.ts'
import { isBusy, sqliteOpenError } from './sqlite-error.ts'

/** How long `openDatabase` waits for a process that holds the file, 20 ms a try. */
const OPEN_TRIES = 500
/** SQLite waits on the calling thread, which is the doors': after this the caller retries. */
const BUSY_TIMEOUT_MS = 50

/**
 * Opens or creates the file, migrated. Write-ahead log, so that tools can read while Weir writes;
 * `synchronous = FULL`, so that what has committed survives a power cut.
 *
 * @throws WeirError `config` when the file is not a catalog, or from a newer Weir; `retryable`
 *   when another process keeps it locked.
 */
export async function openDatabase(path: string): Promise<DatabaseSync> {
  for (let tries = 1; ; tries++) {
    let db: DatabaseSync | undefined
    try {
      db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
      // Two processes that create the file at once meet here; SQLite does not wait for this one.
      db.exec('PRAGMA journal_mode = WAL')
      db.exec('PRAGMA synchronous = FULL')
      // Pages of the log that one commit may have to copy back: a quarter of the default.
      db.exec('PRAGMA wal_autocheckpoint = 250')
      migrate(db, path)
      return db
    } catch (error) {
      db?.close()
      if (!isBusy(error) || tries === OPEN_TRIES) throw sqliteOpenError(error, path)
    }
    await delay(20)
  }
}

/**
 * Runs `work` in one transaction. Without `durable` its commit waits for no disk: after a power
 * cut it may be missing, whole; after a crash of the process it is there.
 */
export function transaction<T>(db: DatabaseSync, durable: boolean, work: () => T): T {
  if (!durable) db.exec('PRAGMA synchronous = NORMAL')
  try {
    db.exec('BEGIN IMMEDIATE')
    const result = work()
    db.exec('COMMIT')
    return result
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK')
    if (!durable) db.exec('PRAGMA synchronous = FULL')
  }
}
