import { WeirError } from '../../ports/errors.ts'

/** How a server says what is wrong, https://github.com/nats-io/nats-server/blob/main/server/errors.json */
export interface AckError {
  readonly err_code: number
  readonly description: string
}

const NO_RESPONDERS = 0
const CLUSTER_NOT_AVAILABLE = 10008
const CLUSTER_NO_LEADER = 10009
const NO_SPACE = new Set([
  10023, // insufficient resources
  10028, // resource limits exceeded for account
  10047, // insufficient storage resources available
  10077, // the stream could not store it: maximum bytes, or what the disk says
  10167, // a limit of the stream's messages
])
const TOO_LARGE = 10054
export const WRONG_LAST_SEQUENCE = 10071
export const STREAM_NOT_FOUND = 10059
export const NAME_IN_USE = 10058

/** The same may work in a moment, without anybody doing anything. */
export const RETRYABLE_NOW: ReadonlySet<number> = new Set([
  NO_RESPONDERS,
  CLUSTER_NOT_AVAILABLE,
  CLUSTER_NO_LEADER,
])

/** What a stream's refusal means to the caller of `append`. */
export function publishError({ err_code: code, description }: AckError): WeirError {
  const message = `NATS refuses it: ${description} (${code})`
  if (NO_SPACE.has(code)) {
    return new WeirError('retryable', message, { code: 'disk_full', limit: 'log.maxBytes' })
  }
  if (code === TOO_LARGE) return new WeirError('rejected', message)
  return new WeirError('retryable', message)
}
