import Type from 'typebox'
import { isoFromTime, MAX_TIME_US } from '../../model/time.ts'
import { encodeNumber } from '../anomaly-page.ts'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { deviceAsked } from '../auth.ts'
import { isoTimeSchema, nullable } from '../schemas.ts'
import type { HttpServices } from '../services.ts'
import {
  encodeReadings,
  pageQuery,
  readingSchema,
  STREAMING_TAGS as tags,
  streamingErrors,
  streamingResponses,
} from '../streaming.ts'

const source = Type.Enum(['cache', 'database'])
const number = nullable(Type.Number())
const config = { scope: 'read', deviceKeys: 'handler' } as const
const MOST = { limit: 1000, offset: 10_000 }

const statsSchema = Type.Object(
  {
    message_count: Type.Integer({ description: 'Numbers held; text is not counted' }),
    avg_value: number,
    avg_rolling_avg: nullable(
      Type.Number({ description: 'Over the newest 50 readings of each metric' }),
    ),
    last_seen: nullable(isoTimeSchema),
    anomaly_count: Type.Integer(),
  },
  { additionalProperties: false },
)

/** The consumer's side: what was processed lately, kept for 30 s. */
export function streamingAnalyticsRoutes(app: HttpApp, services: HttpServices): void {
  const { readings, readThrough } = services
  const errorHandler = streamingErrors(services)
  const messages = {
    tags,
    summary: 'The newest readings, at most 30 s old',
    querystring: Type.Object({
      device_id: Type.Optional(Type.String()),
      metric: Type.Optional(Type.String()),
      ...pageQuery(MOST),
    }),
    response: streamingResponses(
      { 200: Type.Object({ messages: Type.Array(readingSchema), source }) },
      [400, 503],
    ),
  }
  app.get('/analytics', { schema: messages, config, errorHandler }, async (request, reply) => {
    const { access, tenant, query } = request
    const { metric, limit, offset } = query
    const device = deviceAsked(access, query.device_id)
    const question = ['analytics', tenant, device ?? null, metric ?? null, limit, offset]
    const answer = await readThrough.get(question, async () => {
      const range = { start: 0, end: MAX_TIME_US }
      const found = await readings.newest({ tenant, device, metric, limit, offset, range })
      return encodeReadings(services, tenant, found)
    })
    reply.header('content-type', JSON_TYPE)
    return `{"messages":[${answer.text}],"source":"${answer.source}"}`
  })
  statsRoute(app, services)
}

function statsRoute(app: HttpApp, services: HttpServices): void {
  const { readings, registry, readThrough, limits } = services
  const errorHandler = streamingErrors(services)
  const most = { limit: limits.maxDevices, offset: limits.maxLimit }
  const { limit: limitSchema, offset: offsetSchema } = pageQuery(most)
  const schema = {
    tags,
    summary: 'Figures of each device, at most 30 s old',
    description: 'A page of devices in order of their ids, by id.',
    querystring: Type.Object({
      limit: { ...limitSchema, default: limits.maxDevices },
      offset: offsetSchema,
    }),
    response: streamingResponses(
      { 200: Type.Object({ device_stats: Type.Record(Type.String(), statsSchema), source }) },
      [400, 503],
    ),
  }
  app.get('/device-stats', { schema, config, errorHandler }, async (request, reply) => {
    const { tenant, query } = request
    const { limit, offset } = query
    const { device: id } = request.access
    const question = ['device-stats', tenant, id ?? null, limit, offset]
    const answer = await readThrough.get(question, async () => {
      const { devices } = registry.list(tenant, { id }, { limit: limit + offset })
      const ids = devices.slice(offset).map(({ id }) => id)
      const stats = await readings.stats(tenant, ids)
      return stats
        .map(({ device, count, sum, avgRollingAvg, anomalies }) => {
          const seenMs = registry.get(tenant, device)?.lastSeenMs
          const seen = seenMs === undefined ? 'null' : `"${isoFromTime(Math.floor(seenMs * 1000))}"`
          const values = `"avg_value":${encodeNumber(sum / count)},"avg_rolling_avg":${encodeNumber(avgRollingAvg)}`
          return `${JSON.stringify(device)}:{"message_count":${count},${values},"last_seen":${seen},"anomaly_count":${anomalies}}`
        })
        .join(',')
    })
    reply.header('content-type', JSON_TYPE)
    return `{"device_stats":{${answer.text}},"source":"${answer.source}"}`
  })
}
