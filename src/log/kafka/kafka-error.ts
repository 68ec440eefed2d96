import { WeirError } from '../../ports/errors.ts'

/** Kafka's names of what it answers; the client library puts them on its errors as `apiId`. */
type ApiId = string

/** Whether the error, or one of those that it gathers, is one of these answers of Kafka. */
export function isAnswer(error: unknown, ...ids: readonly ApiId[]): boolean {
  return allOf(error).some(one => ids.includes(String(one['apiId'])))
}

/** Who Weir is was refused, or how it is to prove it: trying again does not help. */
export function isRefusedLogin(error: unknown): boolean {
  return allOf(error).some(
    one =>
      one['code'] === 'PLT_KFK_AUTHENTICATION' ||
      String(one['message']).includes('Broker requires TLS') ||
      String(one['message']).includes('TLS handshake failed'),
  )
}

/** What went wrong, in a sentence: the innermost messages, each once. */
export function reasonOf(error: unknown): string {
  const leaves = allOf(error).filter(one => !Array.isArray(one['errors']) && !isError(one['cause']))
  const reasons = new Set(leaves.map(one => textOf(one)))
  return [...reasons].slice(0, 3).join('; ')
}

/** `retryable`: what could not be done may work later. */
export function retryable(what: string, cause: unknown): WeirError {
  return new WeirError('retryable', `${what}: ${reasonOf(cause)}`, { cause, retryAfterMs: 1000 })
}

type Fields = Record<string, unknown>

function isError(value: unknown): value is Error & Fields {
  return value instanceof Error
}

function textOf(one: Fields): string {
  const { apiId, message, code, serverErrorMessage, syscall } = one
  // The system's own message names host and port, and clients read this one.
  if (typeof syscall === 'string' && typeof code === 'string') {
    return `a broker cannot be reached (${code})`
  }
  // A refused connection of several addresses has a code and no message.
  const text = String(message) === '' ? String(code) : String(message)
  if (typeof apiId !== 'string') return text
  return typeof serverErrorMessage === 'string' ? `${apiId} (${serverErrorMessage})` : apiId
}

/** The error with all that it gathers and all that caused it. */
function allOf(error: unknown, depth = 0): (Error & Fields)[] {
  if (!isError(error) || depth > 8) return []
  const gathered = Array.isArray(error['errors']) ? (error['errors'] as unknown[]) : []
  return [error, ...[...gathered, error.cause].flatMap(one => allOf(one, depth + 1))]
}
