import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { openApiDocument, responses, type DocumentedRoute } from '../openapi.ts'
import { docsPage, landingPage, PAGE_POLICY } from '../pages.ts'
import type { HttpServices, ProbeServices } from '../services.ts'

const tags = ['system']
const count = Type.Integer({ minimum: 0 })
const html = (description: string) => ({
  description,
  content: { 'text/html': { schema: Type.String() } },
})

/** Probes, metrics, the ledger and the documentation of the API. */
export function systemRoutes(
  app: HttpApp,
  services: HttpServices,
  routes: readonly DocumentedRoute[],
): void {
  probeRoutes(app, services)
  ledgerRoute(app, services)
  documentRoutes(app, services, routes)
}

/** What tells others how the process is. */
export function probeRoutes(
  app: HttpApp,
  { version, readiness, metricsText, access }: ProbeServices,
): void {
  const config = { anyQuery: true, scope: 'none' } as const
  const health = {
    tags,
    summary: 'Whether Weir is alive',
    response: responses({
      200: Type.Object({
        status: Type.Enum(['ok', 'pass'], {
          description: "ok; to InfluxDB's clients, told by their User-Agent: pass",
        }),
        name: Type.Literal('weir'),
        message: Type.String(),
        version: Type.String(),
      }),
    }),
  }
  app.get('/health', { schema: health, config }, (request, reply) => {
    const status = /^influx/i.test(request.headers['user-agent'] ?? '') ? 'pass' : 'ok'
    void reply.send({ status, name: 'weir', message: 'ready for queries and writes', version })
  })

  const state = Type.Object({
    status: Type.Enum(['ready', 'unready']),
    reasons: Type.Array(Type.String()),
  })
  const ready = {
    tags,
    summary: 'Whether Weir accepts points',
    response: responses({
      200: state,
      503: { description: 'Not now', content: { 'application/json': { schema: state } } },
    }),
  }
  app.get('/ready', { schema: ready, config }, (_request, reply) => {
    const { ready: isReady, reasons } = readiness()
    void reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'unready', reasons })
  })

  const metrics = {
    tags,
    summary: 'Metrics in the Prometheus text format',
    response: responses({
      200: { content: { 'text/plain': { schema: Type.String() } } },
    }),
  }
  const forMetrics = { anyQuery: true, scope: access.openMetrics ? 'none' : 'operator' } as const
  app.get('/metrics', { schema: metrics, config: forMetrics }, async (_request, reply) => {
    reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
    return metricsText()
  })
}

function ledgerRoute(app: HttpApp, { ledger }: HttpServices): void {
  const schema = {
    tags,
    summary: 'Where every point went',
    description:
      'received = stored + duplicate + rejected + dead_lettered + in_flight, in points. Of the tenant ' +
      'of the key; with admin of the tenant that runs the node, of all.',
    response: responses(
      {
        200: Type.Object(
          {
            received: count,
            uncounted: Type.Integer({
              minimum: 0,
              description:
                'Of these: known from the store alone, because the process that counted them was ' +
                'killed, or tells it in a moment',
            }),
            stored: count,
            duplicate: count,
            rejected: count,
            rejected_by_reason: Type.Record(Type.String(), count),
            dead_lettered: count,
            damaged_blocks: Type.Integer({
              minimum: 0,
              description: 'Blocks of stored points that are damaged on disk: reads go on without',
            }),
            in_flight: Type.Integer(),
            in_flight_at: Type.Record(Type.String(), Type.Integer(), {
              description: 'Where the points in flight are',
            }),
            imbalance: Type.Integer({
              description: 'What is left of the equation; not 0: points were lost or counted twice',
            }),
          },
          { additionalProperties: false },
        ),
      },
      [400, 503],
    ),
  }
  app.get('/api/v1/ledger', { schema, config: { scope: 'read' } }, ({ access, tenant }) => {
    const seesAll = access.isOperator && access.scopes.includes('admin')
    return ledger(seesAll ? undefined : tenant)
  })
}

function documentRoutes(
  app: HttpApp,
  { version, access }: HttpServices,
  routes: readonly DocumentedRoute[],
): void {
  const groups = [
    { name: 'telemetry', description: 'Points in and out' },
    { name: 'queries', description: 'History: raw points, buckets, charts' },
    { name: 'analytics', description: 'What was unusual' },
    { name: 'devices', description: 'What is known of each device' },
    { name: 'keys', description: 'Who may come in, where keys are asked for' },
    {
      name: 'products',
      description: 'What devices are instances of, and what their values must be',
    },
    { name: 'capacity', description: 'What a fleet would need' },
    { name: 'system', description: 'Probes, metrics, the ledger' },
    { name: 'influxdb', description: 'Line protocol, as clients of InfluxDB 1 and 2 send it' },
    { name: 'thingsboard', description: 'The HTTP API of ThingsBoard devices' },
    { name: 'fleet benchmark', description: 'Flat records, as k6 scripts of fleets send them' },
    { name: 'streaming platform', description: 'Messages in, readings with their analytics out' },
    { name: 'sensor records', description: 'One value of one sensor, with its unit' },
  ]
  let document: string | undefined
  const isOpen = access.open !== undefined
  const openapi = {
    tags,
    summary: 'This document',
    response: responses({ 200: Type.Object({ openapi: Type.String() }) }),
  }
  const config = { anyQuery: true, scope: 'none' } as const
  app.get('/openapi.json', { schema: openapi, config }, (_request, reply) => {
    document ??= JSON.stringify(openApiDocument(routes, { version, tags: groups, isOpen }))
    reply.header('content-type', JSON_TYPE)
    void reply.send(document)
  })

  const page = (summary: string) => ({ tags, summary, response: responses({ 200: html(summary) }) })
  app.get('/docs', { schema: page('The API as a page'), config }, (_request, reply) => {
    sendPage(reply, docsPage())
  })
  app.get('/', { schema: page('The landing page'), config }, (_request, reply) => {
    sendPage(reply, landingPage(version))
  })
}

function sendPage(reply: FastifyReply, page: string): void {
  reply.headers({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': PAGE_POLICY,
  })
  void reply.send(page)
}
