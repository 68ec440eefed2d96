import { WeirError } from '../../ports/errors.ts'

/** Result codes of SQLite (sqlite.org/rescode.html); the low byte of an extended code is its kind. */
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const CONSTRAINT = 19
const NOTADB = 26
const IOERR_FSYNC = 1034
const IOERR_DIR_FSYNC = 1290

/** What the catalog throws in place of an error of SQLite. */
export function sqliteError(error: unknown, doing: string): WeirError {
  const detail = error instanceof Error ? error.message : String(error)
  const message = `the catalog cannot ${doing}: ${detail}`
  const code = resultCode(error)
  if (code === IOERR_FSYNC || code === IOERR_DIR_FSYNC) {
    return new WeirError('closed', message, { cause: error })
  }
  switch (code === undefined ? undefined : code & 0xff) {
    case FULL:
      return new WeirError('retryable', message, { cause: error, code: 'disk_full' })
    case BUSY:
    case LOCKED:
    case READONLY:
    case IOERR:
    case CANTOPEN:
      return new WeirError('retryable', message, { cause: error })
    case CONSTRAINT:
      return new WeirError('conflict', message, { cause: error })
    default:
      return new WeirError('closed', message, { cause: error })
  }
}

/** What `open` throws: by then a file that cannot be read is a matter of configuration. */
export function sqliteOpenError(error: unknown, path: string): WeirError {
  if (error instanceof WeirError) return error
  const code = resultCode(error)
  const kind = code === undefined ? undefined : code & 0xff
  if (kind === CANTOPEN || kind === READONLY || kind === NOTADB || kind === CORRUPT) {
    const detail = error instanceof Error ? error.message : String(error)
    return new WeirError('config', `the catalog ${path} cannot be opened: ${detail}`, {
      cause: error,
    })
  }
  return sqliteError(error, `open ${path}`)
}

/** Anything else is a programmer's mistake and passes as it is. */
export function isSqliteError(error: unknown): boolean {
  return resultCode(error) !== undefined
}

export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code !== undefined && ((code & 0xff) === BUSY || (code & 0xff) === LOCKED)
}

function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null | undefined)?.errcode
  return typeof code === 'number' ? code : undefined
}
