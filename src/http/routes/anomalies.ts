import Type from 'typebox'
import type { Access } from '../../model/access.ts'
import { SEVERITIES } from '../../model/anomaly.ts'
import { MAX_TIME_US } from '../../model/time.ts'
import { decodeAnomalyCursor, encodeAnomaly, encodeAnomalyCursor } from '../anomaly-page.ts'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { mustReachAll } from '../auth.ts'
import { responses } from '../openapi.ts'
import { badParameter } from '../problem.ts'
import { timeParameter } from '../query-params.ts'
import { isoTimeSchema, nullable } from '../schemas.ts'
import type { HttpServices } from '../services.ts'

const severitySchema = Type.Enum([...SEVERITIES])

const answerSchema = Type.Object(
  {
    data: Type.Array(
      Type.Object(
        {
          device_id: Type.String(),
          metric: Type.String(),
          timestamp: isoTimeSchema,
          value: nullable(Type.Number()),
          severity: severitySchema,
          score: nullable(Type.Number({ description: 'In standard deviations, signed' })),
          rolling_avg: nullable(Type.Number({ description: 'Of the values before it' })),
          deviation_pct: nullable(Type.Number({ description: 'In percent of the average' })),
          detector: Type.String(),
        },
        { additionalProperties: false },
      ),
    ),
    next_cursor: nullable(Type.String({ description: 'Where the next page begins' })),
  },
  { additionalProperties: false },
)

/** What the detectors found. */
export function anomalyRoutes(app: HttpApp, { anomalies, limits }: HttpServices): void {
  const schema = {
    tags: ['analytics'],
    summary: 'Anomalies, newest first',
    description:
      'Points that were unusual for their series when they came in. All filters given must fit; ' +
      'device_id, metric and severity may be given more than once.',
    querystring: Type.Object({
      device_id: Type.Optional(Type.Array(Type.String(), { maxItems: limits.maxDevices })),
      metric: Type.Optional(Type.Array(Type.String())),
      severity: Type.Optional(Type.Array(severitySchema)),
      start: Type.Optional(Type.String({ description: 'From this time on' })),
      end: Type.Optional(Type.String({ description: 'Before this time' })),
      limit: Type.Integer({ minimum: 1, maximum: 10_000, default: 100 }),
      cursor: Type.Optional(Type.String({ description: 'next_cursor of the page before' })),
    }),
    response: responses({ 200: answerSchema }, [400, 503]),
  }
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  app.get('/api/v1/analytics/anomalies', { schema, config }, async (request, reply) => {
    const { access } = request
    const { device_id = only(access), metric, severity, limit, cursor } = request.query
    mustReachAll(access, device_id ?? [])
    const start =
      request.query.start === undefined ? 0 : timeParameter(request.query.start, 'start')
    const end =
      request.query.end === undefined ? MAX_TIME_US : timeParameter(request.query.end, 'end')
    if (end < start) throw badParameter('end', 'must not be before start')
    const found = await anomalies.find({
      tenant: request.tenant,
      ...{ devices: device_id, metrics: metric, severities: severity },
      range: { start, end },
      limit: limit + 1,
      after: cursor === undefined ? undefined : decodeAnomalyCursor(cursor),
    })
    const page = found.slice(0, limit)
    const next = found.length > limit ? `"${encodeAnomalyCursor(page[limit - 1])}"` : 'null'
    reply.header('content-type', JSON_TYPE)
    return `{"data":[${page.map(encodeAnomaly).join(',')}],"next_cursor":${next}}`
  })
}

const only = ({ device }: Access): string[] | undefined =>
  device === undefined ? undefined : [device]
