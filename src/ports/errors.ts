/**
 * The closed set of ways in which an operation fails. Engines and stages throw these; one file
 * (`http/problem.ts`) maps kinds to HTTP answers and one (`mqtt/outcome.ts`) to MQTT. Refused
 * input is not an exception: it is data (`Rejection`).
 *
 * - `retryable`: it may work when tried again (a full disk, a lost connection).
 * - `overloaded`: a bound was reached; `limit` names it, `retryAfterMs` says when to come back.
 * - `rejected`: the request can never work as it is.
 * - `not_found`: what it names does not exist.
 * - `conflict`: what it names exists already, or changed meanwhile.
 * - `closed`: the component has stopped or has failed for good; a restart is needed.
 * - `corrupt`: what is on disk is damaged; the message names it.
 * - `config`: the configuration is wrong.
 */
export type ErrorKind =
  | 'retryable'
  | 'overloaded'
  | 'rejected'
  | 'not_found'
  | 'conflict'
  | 'closed'
  | 'corrupt'
  | 'config'

export interface WeirErrorOptions {
  cause?: unknown
  /** The bound that was reached, by its configuration path (`ingest.maxPendingBytes`). */
  limit?: string
  retryAfterMs?: number
  /** A full disk is `retryable` with this code, so that HTTP can answer 507. */
  code?: 'disk_full'
}

export class WeirError extends Error {
  override readonly name = 'WeirError'
  readonly kind: ErrorKind
  readonly limit: string | undefined
  readonly retryAfterMs: number | undefined
  readonly code: 'disk_full' | undefined

  constructor(kind: ErrorKind, message: string, options: WeirErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.kind = kind
    this.limit = options.limit
    this.retryAfterMs = options.retryAfterMs
    this.code = options.code
  }
}
