import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { HttpApp } from '../app.ts'
import { influxErrors, influxResponses, refusedLines } from '../influx-error.ts'
import type { Outcome } from '../ingest-answer.ts'
import { HttpProblem, type ProblemItem } from '../problem.ts'
import type { HttpServices } from '../services.ts'

type Decode = HttpServices['dialects']['decodeLines']
type Precision = Parameters<Decode>[1]

const tags = ['influxdb']
/** Clients look whether it is a version that they know. */
const COMPATIBLE_VERSION = '1.8.10'
const PRECISIONS: ReadonlyMap<string, Precision> = new Map([
  ...(['ns', 'us', 'ms', 's', 'm', 'h'] as const).map(name => [name, name] as const),
  ...([
    ['', 'ns'],
    ['n', 'ns'],
    ['u', 'us'],
    ['µ', 'us'],
    ['µs', 'us'],
  ] as const),
])
const ignored = (what: string) => Type.Optional(Type.String({ description: `${what}; ignored` }))
const precision = Type.Optional(
  Type.String({ description: 'Unit of the times: ns (default), us, ms, s, m, h' }),
)
const stored = { description: 'Every line is stored', content: {} }
const PROBLEMS = [400, 401, 403, 413, 415, 429, 503, 507]

/** The doors of InfluxDB's clients, versions 1 and 2: line protocol. */
export function influxRoutes(app: HttpApp, services: HttpServices): void {
  const routes = [
    {
      url: '/api/v2/write',
      summary: 'Send line protocol, as InfluxDB 2 clients do',
      emptyDetail: 'writing requires points',
      querystring: Type.Object({
        org: ignored('The organisation'),
        orgID: ignored('The same by its id'),
        bucket: ignored('The bucket'),
        precision,
      }),
    },
    {
      url: '/write',
      summary: 'Send line protocol, as InfluxDB 1 clients do',
      emptyDetail: undefined,
      querystring: Type.Object({
        db: ignored('The database'),
        rp: ignored('The retention policy'),
        u: ignored('The user'),
        p: ignored('The password'),
        consistency: ignored('How many nodes are to have it'),
        precision,
      }),
    },
  ]
  for (const { url, summary, emptyDetail, querystring } of routes) {
    const schema = {
      tags,
      summary,
      description:
        'The device is the tag `device_id` (else `device`, `host`), the metric measurement.field. ' +
        'Lines that are refused are named one by one, the others are stored.',
      querystring,
      body: Type.String(),
      response: influxResponses({ 204: stored }, PROBLEMS),
    }
    const config: FastifyContextConfig = {
      ...{ rawBody: ['text/plain'], anyQuery: true, deviceKeys: 'handler' },
      scope: 'ingest',
      // InfluxDB 1 clients put their password into the URL, where they do not send it as Basic.
      ...(url === '/write' ? { keyIn: { query: 'p' } } : {}),
    }
    const known = Object.keys(querystring.properties)
    const options = { schema, config, onRequest: takeAnyType, errorHandler: influxErrors(services) }
    app.post(url, options, (request, reply) => {
      const unit = precisionOf(request.query as object, known)
      const body = request.body as unknown as Buffer | undefined
      request.body = undefined as never
      if (body === undefined || body.length === 0) {
        if (emptyDetail !== undefined) throw new HttpProblem(400, emptyDetail)
        void reply.code(204).send()
        return
      }
      ingestLines(services, request, { body, unit }).then(
        outcome => answer(reply, outcome),
        (error: unknown) => reply.send(error),
      )
    })
  }
  pingRoute(app)
}

/** Line protocol has no type of its own: clients send any, and InfluxDB's own in Go an empty one. */
function takeAnyType({ headers }: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  headers['content-type'] = 'text/plain'
  done()
}

/** The decode closure has this scope to itself: what waits for the log does not keep the body. */
function ingestLines(
  { gate, dialects }: HttpServices,
  { access }: FastifyRequest,
  { body, unit }: { body: Buffer; unit: Precision },
): Promise<Outcome> {
  return gate.ingest(access, 'http', sink => dialects.decodeLines(body, unit, sink))
}

function answer(reply: FastifyReply, { accepted, rejected }: Outcome): void {
  if (rejected.length > 0) void reply.send(refusedLines(accepted, rejected))
  else void reply.code(204).send()
}

/** Clients send empty values for what they were not told, so the strict reader is not for them. */
function precisionOf(query: object, known: readonly string[]): Precision {
  const errors: ProblemItem[] = []
  const report = (field: string, detail: string) => errors.push({ index: 0, field, detail })
  let unit: Precision = 'ns'
  for (const [name, value] of Object.entries(query)) {
    if (!known.includes(name)) report(name, `is not known; known are ${known.join(', ')}`)
    if (name !== 'precision') continue
    const named = PRECISIONS.get(String(value))
    if (named === undefined) report(name, 'must be one of ns, us, ms, s, m, h')
    else unit = named
  }
  if (errors.length === 0) return unit
  const [{ field, detail }] = errors
  throw new HttpProblem(400, `query parameter ${field.slice(0, 100)} ${detail}`, { errors })
}

function pingRoute(app: HttpApp): void {
  const schema = {
    tags,
    summary: 'Whether somebody is there, as InfluxDB clients ask',
    response: influxResponses({ 204: { description: 'Yes', content: {} } }, []),
  }
  app.get('/ping', { schema, config: { anyQuery: true, scope: 'none' } }, (_request, reply) => {
    void reply
      .code(204)
      .headers({ 'x-influxdb-version': COMPATIBLE_VERSION, 'x-influxdb-build': 'Weir' })
      .send()
  })
}
