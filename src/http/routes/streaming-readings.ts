import Type from 'typebox'
import { MAX_TIME_US } from '../../model/time.ts'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { deviceAsked } from '../auth.ts'
import type { HttpServices } from '../services.ts'
import {
  anomalySchema,
  encodeReadings,
  encodeStreamingAnomalies,
  pageQuery,
  readingSchema,
  STREAMING_TAGS as tags,
  streamingErrors,
  streamingResponses,
} from '../streaming.ts'

/** What of one answer is read from the store. */
const MOST = { limit: 1000, offset: 10_000 }

const device_id = Type.Optional(Type.String())
const metric = Type.Optional(Type.String())
const ALL_TIME = { start: 0, end: MAX_TIME_US }

export const readingsSchema = Type.Object(
  { readings: Type.Array(readingSchema), count: Type.Integer() },
  { additionalProperties: false },
)

export const anomaliesSchema = Type.Object(
  { anomalies: Type.Array(anomalySchema), count: Type.Integer() },
  { additionalProperties: false },
)

/** Readings and anomalies of all devices, newest first. */
export function streamingReadingRoutes(app: HttpApp, services: HttpServices): void {
  const { readings, anomalies } = services
  const errorHandler = streamingErrors(services)
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  const querystring = Type.Object({ device_id, metric, ...pageQuery(MOST) })
  const response = streamingResponses({ 200: readingsSchema }, [400, 503])

  const all = { tags, summary: 'Readings, newest first', querystring, response }
  app.get('/readings', { schema: all, config, errorHandler }, async (request, reply) => {
    const { access, tenant } = request
    const { device_id, ...rest } = request.query
    const device = deviceAsked(access, device_id)
    const found = await readings.newest({ tenant, device, ...rest, range: ALL_TIME })
    reply.header('content-type', JSON_TYPE)
    return `{"readings":[${await encodeReadings(services, tenant, found)}],"count":${found.length}}`
  })

  const newest = { tags, summary: 'The newest reading of each metric', querystring, response }
  app.get('/readings/latest', { schema: newest, config, errorHandler }, async (request, reply) => {
    const { access, tenant } = request
    const { device_id, ...rest } = request.query
    const device = deviceAsked(access, device_id)
    const found = await readings.latest({ tenant, device, ...rest })
    reply.header('content-type', JSON_TYPE)
    return `{"readings":[${await encodeReadings(services, tenant, found)}],"count":${found.length}}`
  })

  const unusual = {
    tags,
    summary: 'Readings that were unusual, newest first',
    querystring,
    response: streamingResponses({ 200: anomaliesSchema }, [400, 503]),
  }
  app.get('/anomalies', { schema: unusual, config, errorHandler }, async (request, reply) => {
    const { device_id, metric: name, limit, offset } = request.query
    const device = deviceAsked(request.access, device_id)
    const found = await anomalies.find({
      tenant: request.tenant,
      devices: device === undefined ? undefined : [device],
      metrics: name === undefined ? undefined : [name],
      range: ALL_TIME,
      limit: limit + offset,
    })
    const page = found.slice(offset)
    reply.header('content-type', JSON_TYPE)
    return `{"anomalies":[${await encodeStreamingAnomalies(services, request.tenant, page)}],"count":${page.length}}`
  })
}
