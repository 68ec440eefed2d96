import { WeirError, type ErrorKind, type WeirErrorOptions } from '../ports/errors.ts'

/** What the server or the client library says of a failure. */
interface DriverError {
  readonly code?: unknown
  readonly message?: unknown
}

const RETRY_AFTER_MS = 1000

/** SQLSTATEs (PostgreSQL manual, appendix A) by their five characters, then by their class. */
const KINDS: Readonly<Record<string, ErrorKind>> = {
  '08': 'retryable', // connection exception
  '22': 'rejected', // data exception
  '23': 'rejected', // integrity constraint violation
  '23505': 'conflict', // unique violation
  '23P01': 'conflict', // exclusion violation
  '25006': 'retryable', // read only: a standby that is about to be promoted
  '28': 'config', // user or password
  '3D000': 'config', // no such database
  '40': 'retryable', // deadlock, serialization failure
  '42501': 'config', // insufficient privilege
  '53': 'retryable', // insufficient resources
  '53300': 'overloaded', // too many connections
  '54': 'rejected', // program limit exceeded: a row that is too large for its index
  '55P03': 'retryable', // lock not available
  '57': 'retryable', // cancelled, shutting down, starting up
  '58': 'retryable', // system error outside of PostgreSQL
  XX001: 'corrupt',
  XX002: 'corrupt',
}

/** Failures after which the same statements may simply be run again at once. */
const REPEATABLE = new Set(['40001', '40P01'])
const SQLSTATE = /^[0-9A-Z]{5}$/

/** The SQLSTATE of a failure, where the server told one. */
export function sqlState(error: unknown): string | undefined {
  const { code } = (error ?? {}) as DriverError
  return typeof code === 'string' && SQLSTATE.test(code) && !code.startsWith('E') ? code : undefined
}

export function isRepeatable(error: unknown): boolean {
  const state = sqlState(error instanceof WeirError ? error.cause : error)
  return state !== undefined && REPEATABLE.has(state)
}

/**
 * What a failed statement or connection means to Weir. Without a SQLSTATE it is the connection: lost,
 * refused, timed out. Clients read the message, so it does not say where the server is; the cause,
 * which is for the log, does.
 */
export function postgresError(error: unknown): WeirError {
  if (error instanceof WeirError) return error
  // A mistake of ours, which no second try mends.
  if (error instanceof TypeError || error instanceof RangeError) {
    return new WeirError('closed', `PostgreSQL: ${error.message}`, { cause: error })
  }
  const unreachable = unreachableError(error)
  if (unreachable !== undefined) return unreachable
  const { message } = (error ?? {}) as DriverError
  const told = `PostgreSQL: ${typeof message === 'string' && message !== '' ? message : String(error)}`
  const state = sqlState(error)
  if (state === undefined) {
    // The library's own words for a pool without a free connection.
    if (told.includes('timeout exceeded when trying to connect')) {
      return new WeirError('overloaded', 'PostgreSQL: no connection of the pool became free', {
        ...{ cause: error, limit: 'postgres.poolSize', retryAfterMs: RETRY_AFTER_MS },
      })
    }
    return new WeirError('retryable', told, { cause: error, retryAfterMs: RETRY_AFTER_MS })
  }
  const kind = KINDS[state] ?? KINDS[state.slice(0, 2)] ?? 'retryable'
  return new WeirError(kind, `${told} (${state})`, { cause: error, ...details(kind, state) })
}

/** The system's own errors name host and port: `connect ECONNREFUSED 10.0.0.7:5432`. */
function unreachableError(error: unknown): WeirError | undefined {
  const { code, syscall } = (error ?? {}) as { readonly code?: unknown; readonly syscall?: unknown }
  // Of several addresses there is one error that gathers those of each.
  if (typeof syscall !== 'string' && !(error instanceof AggregateError)) return undefined
  const message = `PostgreSQL: it cannot be reached${typeof code === 'string' ? ` (${code})` : ''}`
  return new WeirError('retryable', message, { cause: error, retryAfterMs: RETRY_AFTER_MS })
}

function details(kind: ErrorKind, state: string): WeirErrorOptions {
  if (state === '53100') return { code: 'disk_full', retryAfterMs: RETRY_AFTER_MS }
  return kind === 'retryable' || kind === 'overloaded' ? { retryAfterMs: RETRY_AFTER_MS } : {}
}
