import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { FastifyContextConfig, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { WeirError } from '../../ports/errors.ts'
import type { Format } from '../../transfer/format.ts'
import type { ImportOutcome } from '../../transfer/ingest-flow.ts'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { dropRest } from '../body.ts'
import { responses } from '../openapi.ts'
import { HttpProblem, problemOf } from '../problem.ts'
import type { HttpServices } from '../services.ts'

const SPOOL_LIMIT = 'transfer.maxSpoolBytes'
const FORMATS: Readonly<Record<string, Format>> = {
  'text/csv': 'csv',
  'text/tab-separated-values': 'csv',
  'application/x-ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/vnd.apache.parquet': 'parquet',
  'application/x-parquet': 'parquet',
}
const column = (description: string) => Type.Optional(Type.String({ description }))

const querySchema = Type.Object({
  format: Type.Optional(
    Type.Enum(['csv', 'ndjson', 'parquet'], { description: 'Absent: by the content type' }),
  ),
  time: column('The column of the time; found by itself where there is one'),
  time_unit: Type.Optional(
    Type.Enum(['auto', 'iso', 's', 'ms', 'us', 'ns'], {
      description: 'How times are written; auto: ISO 8601, or numbers told by magnitude',
    }),
  ),
  device: column('The column of the device, or =NAME where the whole file is one device'),
  metrics: Type.Optional(
    Type.Array(Type.String(), {
      description:
        'The columns that are metrics, joined by commas or repeated; * (default): all others',
    }),
  ),
  metric: column('For a point a row: the column of the metric'),
  value: column('For a point a row: the column of the value'),
  text: column('For a point a row: the column of the text where there is no value'),
  delimiter: Type.Optional(
    Type.Enum(['comma', 'semicolon', 'tab', 'pipe'], { description: 'CSV; found by itself' }),
  ),
})

const outcomeSchema = Type.Object(
  {
    accepted: Type.Integer({ description: 'Points that are durable now' }),
    rejected: Type.Array(
      Type.Object(
        {
          index: Type.Integer({ description: 'The row, from 0; of CSV and NDJSON the line' }),
          line: Type.Optional(Type.Integer({ description: 'The line of CSV and NDJSON, from 1' })),
          field: Type.String(),
          detail: Type.String(),
        },
        { additionalProperties: false },
      ),
      { description: 'The first 1000' },
    ),
    rejected_total: Type.Integer({ description: 'Points that were refused' }),
  },
  { additionalProperties: false },
)

const schema = {
  tags: ['telemetry'],
  summary: 'Import points from CSV, NDJSON or Parquet',
  description:
    'What an export wrote, or any other file with a mapping of its columns. Times are kept, and ' +
    'doing it again changes nothing. Bodies are read as fast as points become durable, and may be gzip.',
  querystring: querySchema,
  body: Type.String({ format: 'binary' }),
  response: responses({ 200: outcomeSchema }, [400, 413, 415, 503, 507]),
}

const config: FastifyContextConfig = {
  ...{ rawBody: Object.keys(FORMATS), streamBody: true },
  deviceKeys: 'handler',
  scope: 'ingest',
}

/** `POST /api/v1/import`: a file, through the same gate as every other door. */
export function importRoutes(app: HttpApp, services: HttpServices): void {
  const { transfer } = services
  app.post('/api/v1/import', { schema, config }, async (request, reply) => {
    const { time_unit: timeUnit, format: asked, ...columns } = request.query
    const format = asked ?? formatOf(request)
    const body = request.body as unknown as IncomingMessage | undefined
    if (body === undefined) throw new HttpProblem(400, 'the body is empty')
    const release = transfer.slots.take()
    try {
      const mapping = { ...columns, timeUnit }
      const stream = unpacked(body, request)
      // Who leaves before the end would otherwise take the connection along, and the answer with it.
      const source = stream.iterator({ destroyOnReturn: false })
      const outcome = await transfer.importer.run({
        ...{ sender: request.access, format, mapping, source },
      })
      reply.header('content-type', JSON_TYPE)
      return reply.send(answer(outcome, format))
    } catch (error) {
      throw importProblem(error)
    } finally {
      release()
      body.unpipe()
      // The client may read the answer only when it has sent all.
      const expected = Number(body.headers['content-length'] ?? 0)
      await new Promise<void>(resolve => dropRest(body, expected, resolve))
      body.resume()
    }
  })
}

function formatOf(request: FastifyRequest): Format {
  const type = request.headers['content-type'] ?? ''
  const media = type.split(';', 1)[0].trim().toLowerCase()
  const format = FORMATS[media]
  if (format !== undefined) return format
  const detail = `say format=csv, ndjson or parquet, or send one of ${Object.keys(FORMATS).join(', ')}`
  throw new HttpProblem(415, detail)
}

function unpacked(body: IncomingMessage, request: FastifyRequest): Readable {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding === 'identity') return body
  if (encoding === 'gzip' || encoding === 'x-gzip') {
    const gunzip = createGunzip({ chunkSize: 65_536 })
    // Errors come out of the stream that is read; its own are not the body's end, which has to be read.
    body.once('error', error => gunzip.destroy(error))
    return body.pipe(gunzip)
  }
  const detail = `content-encoding ${encoding} is not known; send gzip or nothing`
  throw new HttpProblem(415, detail, { headers: { 'accept-encoding': 'gzip' } })
}

function answer(outcome: ImportOutcome, format: Format): string {
  const { accepted, rejected, rejectedTotal, isForbidden } = outcome
  const isText = format !== 'parquet'
  const rows = rejected.map(({ index, field, detail }) =>
    isText ? { index, line: index + 1, field, detail } : { index, field, detail },
  )
  if (accepted === 0) {
    const [first] = rejected
    const where = first === undefined ? '' : `${isText ? 'line' : 'row'} ${first.index + 1}: `
    const detail =
      first === undefined
        ? 'there are no points in the file'
        : `none was accepted; ${where}${first.field} ${first.detail}`
    throw new HttpProblem(isForbidden ? 403 : 400, detail, { errors: rejected })
  }
  return JSON.stringify({ accepted, rejected: rows, rejected_total: rejectedTotal })
}

/** The problem of what stopped an import, which says what was accepted before. */
function importProblem(error: unknown): unknown {
  const { cause, outcome } = error as { cause?: unknown; outcome?: ImportOutcome }
  if (outcome === undefined) return error
  const isBody = cause instanceof Error && isBodyError(cause)
  const problem = isBody
    ? new HttpProblem(400, `the body did not arrive whole: ${cause.message}`)
    : problemOf(cause)
  if (problem === undefined) return cause
  const tooLarge = cause instanceof WeirError && cause.limit === SPOOL_LIMIT
  const before =
    outcome.accepted === 0
      ? ''
      : `; ${outcome.accepted} points before it are durable, and may be sent again`
  const { errors = outcome.rejected } = problem.options
  const options = errors.length === 0 ? problem.options : { ...problem.options, errors }
  return new HttpProblem(tooLarge ? 413 : problem.status, problem.message + before, options)
}

function isBodyError({ code }: Error & { code?: string }): boolean {
  return /^(Z_|ECONNRESET|ERR_STREAM|ERR_HTTP|UND_|HPE_)/.test(code ?? '')
}
