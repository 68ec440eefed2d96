import { STATUS_CODES } from 'node:http'
import Type from 'typebox'
import type { Rejection, RejectReason } from '../model/rejection.ts'
import { WeirError, type ErrorKind } from '../ports/errors.ts'

export const PROBLEM_TYPE = 'application/problem+json'

/** One refused item or parameter. */
export interface ProblemItem {
  readonly index: number
  readonly field: string
  readonly detail: string
}

export interface ProblemOptions {
  readonly errors?: readonly ProblemItem[]
  /** The bound that was reached, by its configuration path. */
  readonly limit?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer other than success, thrown by routes; RFC 9457. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem'
  readonly status: number
  readonly options: ProblemOptions

  constructor(status: number, detail: string, options: ProblemOptions = {}) {
    super(detail)
    this.status = status
    this.options = options
  }
}

export const problemSchema = Type.Object(
  {
    type: Type.Literal('about:blank'),
    title: Type.String({ description: 'The name of the status code' }),
    status: Type.Integer(),
    detail: Type.String({ description: 'What went wrong, for people' }),
    limit: Type.Optional(
      Type.String({
        description: 'The configured bound that was reached, such as ingest.maxDepth',
      }),
    ),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            index: Type.Integer({ description: 'Place of the item in the request, from 0' }),
            field: Type.String({ description: 'The field of the item, or the parameter' }),
            detail: Type.String(),
          },
          { additionalProperties: false },
        ),
      ),
    ),
    request_id: Type.String({ description: 'The same as in the log and the header x-request-id' }),
  },
  { additionalProperties: false, description: 'Problem details of RFC 9457' },
)

export function notFound(detail: string): HttpProblem {
  return new HttpProblem(404, detail)
}

function refusalStatus(rejected: readonly Rejection[]): number {
  const [first] = rejected
  const status = first === undefined ? undefined : STATUS_OF_REASON[first.reason]
  return status !== undefined && rejected.every(({ reason }) => reason === first.reason)
    ? status
    : 400
}

/** Where all of a request was refused for that. */
const STATUS_OF_REASON: Readonly<Partial<Record<RejectReason, number>>> = {
  forbidden: 403,
  rate_limited: 429,
}

/** The answer to points of which none was accepted. */
export function refusedPoints(detail: string, rejected: readonly Rejection[]): HttpProblem {
  const status = refusalStatus(rejected)
  if (status !== 429) return new HttpProblem(status, detail, { errors: rejected })
  const waitMs = Math.max(...rejected.map(({ retryAfterMs = 1000 }) => retryAfterMs))
  return new HttpProblem(status, detail, {
    errors: rejected,
    limit: 'limits.devicePointsPerSecond',
    headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) },
  })
}

/** A parameter that is wrong. */
export function badParameter(field: string, detail: string): HttpProblem {
  return new HttpProblem(400, `${field} ${detail}`, { errors: [{ index: 0, field, detail }] })
}

const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  retryable: 503,
  overloaded: 503,
  rejected: 400,
  not_found: 404,
  conflict: 409,
  closed: 503,
  corrupt: 500,
  config: 500,
}

/** What a thrown value means to the client; undefined for a mistake of ours, which is logged. */
export function problemOf(error: unknown): HttpProblem | undefined {
  if (error instanceof HttpProblem) return error
  if (error instanceof WeirError) return weirProblem(error)
  if (!(error instanceof Error)) return undefined
  const { statusCode } = error as { statusCode?: unknown }
  // Fastify's own refusals, such as a malformed content type or a URL that cannot be decoded.
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new HttpProblem(statusCode, error.message)
  }
  return undefined
}

function weirProblem(error: WeirError): HttpProblem | undefined {
  const status = error.code === 'disk_full' ? 507 : STATUS_OF_KIND[error.kind]
  if (error.kind === 'corrupt') return new HttpProblem(status, error.message)
  if (status === 500) return undefined
  if (status < 500) return new HttpProblem(status, error.message, { limit: error.limit })
  const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000))
  const headers = { 'retry-after': String(seconds) }
  return new HttpProblem(status, error.message, { limit: error.limit, headers })
}

/** The body of the answer. */
export function encodeProblem(problem: HttpProblem, requestId: string): string {
  const { limit, errors } = problem.options
  return JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    detail: problem.message,
    limit,
    errors: errors?.map(({ index, field, detail }) => ({ index, field, detail })),
    request_id: requestId,
  })
}
