import Type from 'typebox'
import type { HttpApp } from '../app.ts'
import { answerOutcome } from '../ingest-answer.ts'
import { ingestJson, type JsonDecoder } from '../ingest-json.ts'
import { responses } from '../openapi.ts'
import { HttpProblem } from '../problem.ts'
import { columnBatchSchema, messageSchema, outcomeSchema, rowBatchSchema } from '../schemas.ts'
import type { HttpServices } from '../services.ts'

const LINES_TYPES = ['application/x-ndjson', 'application/jsonl']
/** Points of other devices than that of the key are refused one by one. */
const INGEST = { scope: 'ingest', deviceKeys: 'handler' } as const
const INGEST_PROBLEMS = [400, 413, 415, 503, 507]

export function telemetryRoutes(app: HttpApp, services: HttpServices): void {
  messageRoute(app, services)
  batchRoute(app, services)
  binaryRoute(app, services)
}

function messageRoute(app: HttpApp, services: HttpServices): void {
  const { decodeTelemetry, decodeTelemetryLines } = services.dialects
  const schema = {
    tags: ['telemetry'],
    summary: 'Send points of any devices',
    description:
      'One message, an array of messages, or one a line (NDJSON). What is accepted is durable and ' +
      'in every query that starts after the answer. Bodies may be gzip.',
    body: Type.Union([messageSchema, Type.Array(messageSchema)]),
    response: responses({ 200: outcomeSchema }, INGEST_PROBLEMS),
  }
  const config = { ...INGEST, rawBody: ['application/json', ...LINES_TYPES] }
  app.post('/api/v1/telemetry', { schema, config }, (request, reply) => {
    const lines = kindOf(request.headers['content-type']) === 'lines'
    const decode = lines ? decodeTelemetryLines : decodeTelemetry
    const body = request.body as unknown as Buffer | undefined
    // Not kept while the log writes: a thousand waiting requests would hold a thousand bodies.
    request.body = undefined as never
    answerOutcome(ingestJson(services.gate, request.access, { body, decode }), reply)
  })
}

function batchRoute(app: HttpApp, services: HttpServices): void {
  const schema = {
    tags: ['telemetry'],
    summary: 'Send many points of one device',
    description: 'As rows, or as columns. Refusals name the row.',
    body: Type.Union([rowBatchSchema, columnBatchSchema]),
    response: responses({ 200: outcomeSchema }, INGEST_PROBLEMS),
  }
  const config = { ...INGEST, rawBody: ['application/json'] }
  const decode: JsonDecoder = services.dialects.decodeTelemetryBatch
  app.post('/api/v1/telemetry/batch', { schema, config }, (request, reply) => {
    if (kindOf(request.headers['content-type']) === 'lines') throw unsupported('application/json')
    const body = request.body as unknown as Buffer | undefined
    request.body = undefined as never
    answerOutcome(ingestJson(services.gate, request.access, { body, decode }), reply)
  })
}

function binaryRoute(app: HttpApp, { gate }: HttpServices): void {
  const schema = {
    tags: ['telemetry'],
    summary: 'Send a columnar frame',
    description:
      'For gateways: the binary frame of docs/formats, taken whole or not at all, but for values ' +
      'that products refuse.',
    body: Type.String({ format: 'binary' }),
    response: responses({ 200: outcomeSchema }, INGEST_PROBLEMS),
  }
  const config = { ...INGEST, rawBody: ['application/octet-stream'] }
  app.post('/api/v1/telemetry/binary', { schema, config }, (request, reply) => {
    const type = request.headers['content-type']
    if (type !== undefined && mediaType(type) !== 'application/octet-stream') {
      throw unsupported('application/octet-stream')
    }
    const body = request.body as unknown as Buffer | undefined
    request.body = undefined as never
    if (body === undefined || body.length === 0) throw new HttpProblem(400, 'the body is empty')
    answerOutcome(gate.ingestFrame(request.access, 'http', body), reply)
  })
}

/** What is sent as JSON by clients that say something else: `curl -d` says a form. */
const SLOPPY_TYPES = ['application/json', 'text/plain', 'application/x-www-form-urlencoded']

function kindOf(type: string | undefined): 'json' | 'lines' {
  if (type === undefined || type === 'application/json') return 'json'
  const media = mediaType(type)
  if (LINES_TYPES.includes(media)) return 'lines'
  if (SLOPPY_TYPES.includes(media)) return 'json'
  throw unsupported(`application/json or ${LINES_TYPES[0]}`)
}

function mediaType(type: string): string {
  const end = type.indexOf(';')
  return (end < 0 ? type : type.slice(0, end)).trim().toLowerCase()
}

function unsupported(wanted: string): HttpProblem {
  return new HttpProblem(415, `send ${wanted}`)
}
