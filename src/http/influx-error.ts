import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { STATUS_CODES } from 'node:http'
import Type from 'typebox'
import { responses, type Responses } from './openapi.ts'
import type { Rejection } from '../model/rejection.ts'
import { HttpProblem, problemSchema, refusedPoints } from './problem.ts'
import { JSON_TYPE } from './app.ts'
import { loggableUrl } from './loggable-url.ts'
import { requestProblem } from './request-problem.ts'
import type { HttpServices } from './services.ts'

/** InfluxDB's names of what went wrong. */
const CODES: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  405: 'method not allowed',
  413: 'request too large',
  415: 'invalid',
  429: 'too many requests',
  500: 'internal error',
  503: 'unavailable',
  507: 'unavailable',
}

const itemSchema = Type.Object(
  {
    index: Type.Integer({ description: 'The line, from 0' }),
    line: Type.Optional(Type.Integer({ description: 'The line as an editor counts it, from 1' })),
    field: Type.String({ description: 'The tag, field or parameter; empty for the whole line' }),
    detail: Type.String(),
  },
  { additionalProperties: false },
)

const errorSchema = Type.Object(
  {
    ...problemSchema.properties,
    code: Type.String({ description: "InfluxDB 2's name of what went wrong, such as invalid" }),
    message: Type.String({ description: 'What InfluxDB 2 clients show' }),
    error: Type.String({ description: 'What InfluxDB 1 clients show' }),
    line: Type.Optional(Type.Integer({ description: 'The first bad line, from 1' })),
    errors: Type.Optional(Type.Array(itemSchema)),
  },
  { additionalProperties: false, description: "A problem, in the words of InfluxDB's clients too" },
)

/** What a route for InfluxDB's clients answers. */
export function influxResponses(good: Responses, problems: readonly number[]): Responses {
  const all = [...problems, 500]
  const error = { content: { 'application/json': { schema: errorSchema } } }
  return { ...responses(good), ...Object.fromEntries(all.map(status => [status, error])) }
}

/** Some lines were refused, and the others are stored. */
export class RefusedLines extends HttpProblem {}

type RefusedItem = Rejection

/** The words with which Telegraf drops a batch instead of sending it for ever are InfluxDB's. */
export function refusedLines(accepted: number, rejected: readonly RefusedItem[]): HttpProblem {
  const problem = refusedPoints('the devices have sent too much', rejected)
  // Clients send the whole batch again after 429, and drop it after 400.
  if (accepted === 0 && problem.status === 429) return problem
  const [{ index, field, detail }] = rejected
  const lines = new Set(rejected.map(item => item.index)).size
  const more = lines > 1 ? ` (and ${lines - 1} more lines, see errors)` : ''
  const what = `line ${index + 1}: ${field} ${detail}`.replace(':  ', ': ')
  const stored = `partial write: ${accepted} points were stored; `
  const message = `${accepted > 0 ? stored : ''}unable to parse ${what}${more}`
  return new RefusedLines(400, message, { errors: rejected })
}

type Logger = Pick<HttpServices, 'logger'>

/** Fastify's `errorHandler` of a route: problems in the shape that InfluxDB's clients parse. */
export function influxErrors({ logger }: Logger) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    const { id, method, url } = request
    const problem = requestProblem(logger, error, { id, method, url: loggableUrl(url) })
    const code = CODES[problem.status] ?? 'internal error'
    void reply
      .code(problem.status)
      .headers({ ...problem.options.headers, 'x-request-id': id })
      .headers({ 'x-influxdb-error': headerText(problem.message), 'x-platform-error-code': code })
      .header('content-type', JSON_TYPE)
      .send(encodeError(problem, code, id))
  }
}

function encodeError(problem: HttpProblem, code: string, requestId: string): string {
  const { limit, errors } = problem.options
  const { status, message } = problem
  const isLines = problem instanceof RefusedLines
  return JSON.stringify({
    code,
    message,
    error: message,
    line: isLines && errors?.[0] !== undefined ? errors[0].index + 1 : undefined,
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: message,
    limit,
    errors: errors?.map(({ index, field, detail }) =>
      isLines ? { index, line: index + 1, field, detail } : { index, field, detail },
    ),
    request_id: requestId,
  })
}

/** Header fields are ASCII, and names in a message are anything. */
const headerText = (text: string): string => text.slice(0, 500).replaceAll(/[^ -~]/g, '?')
