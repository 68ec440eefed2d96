import Type from 'typebox'
import { isoFromTime, MAX_TIME_US } from '../../model/time.ts'
import type { TimeRange } from '../../ports/store.ts'
import type { DeviceView } from '../../registry/device-list.ts'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { knownDevice } from '../known.ts'
import { badParameter } from '../problem.ts'
import { timeParameter } from '../query-params.ts'
import { isoTimeSchema, nullable } from '../schemas.ts'
import type { HttpServices } from '../services.ts'
import {
  encodeReadings,
  encodeStreamingAnomalies,
  pageQuery,
  STREAMING_TAGS as tags,
  streamingErrors,
  streamingResponses,
} from '../streaming.ts'
import { anomaliesSchema, readingsSchema } from './streaming-readings.ts'

const text = nullable(Type.String())

const deviceSchema = Type.Object(
  {
    ...{ device_id: Type.String(), name: text, type: text, location: text },
    status: Type.Enum(['online', 'offline', 'unknown']),
    metrics: Type.Array(Type.String()),
    created_at: isoTimeSchema,
    last_seen: nullable(isoTimeSchema),
  },
  { additionalProperties: false },
)

const params = Type.Object({ id: Type.String({ description: 'The device, percent-encoded' }) })
const LIST = { scope: 'read', deviceKeys: 'handler' } as const
const config = { scope: 'read', deviceKeys: 'id' } as const
const MOST = { limit: 1000, offset: 10_000 }
const start = Type.Optional(Type.String({ description: 'From this time on' }))
const end = Type.Optional(Type.String({ description: 'Before this time' }))
const metric = Type.Optional(Type.String())

/** Devices, and what each has sent. */
export function streamingDeviceRoutes(app: HttpApp, services: HttpServices): void {
  const { registry, limits } = services
  const errorHandler = streamingErrors(services)
  const list = {
    tags,
    summary: 'Devices, in order of their ids',
    querystring: Type.Object(pageQuery({ limit: limits.maxLimit, offset: limits.maxLimit })),
    response: streamingResponses(
      { 200: Type.Object({ devices: Type.Array(deviceSchema), count: Type.Integer() }) },
      [400],
    ),
  }
  app.get('/devices', { schema: list, config: LIST, errorHandler }, async request => {
    const { limit, offset } = request.query
    const { tenant, device: id } = request.access
    const { devices } = registry.list(tenant, { id }, { limit: limit + offset })
    const page = await shown(services, tenant, devices.slice(offset))
    return { devices: page, count: page.length }
  })

  const one = {
    tags,
    summary: 'One device',
    params,
    response: streamingResponses({ 200: deviceSchema }, [400, 404]),
  }
  app.get('/devices/:id', { schema: one, config, errorHandler }, async ({ tenant, params }) => {
    const known = await knownDevice(services.registry, tenant, params.id)
    const [device] = await shown(services, tenant, [known])
    return device
  })
  pastRoutes(app, services)
}

function pastRoutes(app: HttpApp, services: HttpServices): void {
  const errorHandler = streamingErrors(services)
  const querystring = Type.Object({ metric, start, end, ...pageQuery(MOST) })
  const past = {
    tags,
    summary: 'Readings of a device, newest first',
    params,
    querystring,
    response: streamingResponses({ 200: readingsSchema }, [400, 404, 503]),
  }
  app.get(
    '/devices/:id/readings',
    { schema: past, config, errorHandler },
    async (request, reply) => {
      const { tenant, query } = request
      const { id: device } = await knownDevice(services.registry, tenant, request.params.id)
      const { metric: name, limit, offset } = query
      const found = await services.readings.newest({
        ...{ tenant, device, metric: name, limit, offset },
        range: rangeOf(query),
      })
      reply.header('content-type', JSON_TYPE)
      return `{"readings":[${await encodeReadings(services, tenant, found)}],"count":${found.length}}`
    },
  )

  const unusual = {
    tags,
    summary: 'Readings of a device that were unusual, newest first',
    params,
    querystring,
    response: streamingResponses({ 200: anomaliesSchema }, [400, 404, 503]),
  }
  app.get(
    '/devices/:id/anomalies',
    { schema: unusual, config, errorHandler },
    async (request, reply) => {
      const { tenant, query } = request
      const { id: device } = await knownDevice(services.registry, tenant, request.params.id)
      const { metric: name, limit, offset } = query
      const found = await services.anomalies.find({
        ...{ tenant, devices: [device], range: rangeOf(query), limit: limit + offset },
        metrics: name === undefined ? undefined : [name],
      })
      const page = found.slice(offset)
      reply.header('content-type', JSON_TYPE)
      return `{"anomalies":[${await encodeStreamingAnomalies(services, tenant, page)}],"count":${page.length}}`
    },
  )
}

function rangeOf(query: { readonly start?: string; readonly end?: string }): TimeRange {
  const from = query.start === undefined ? 0 : timeParameter(query.start, 'start')
  const to = query.end === undefined ? MAX_TIME_US : timeParameter(query.end, 'end')
  if (to < from) throw badParameter('end', 'must not be before start')
  return { start: from, end: to }
}

async function shown(
  { latest, locations }: HttpServices,
  tenant: string,
  devices: readonly DeviceView[],
) {
  const newest = await latest.devices(
    tenant,
    devices.map(({ id }) => id),
  )
  return devices.map(({ id, name = null, type = null, status, createdAtMs, lastSeenMs }, i) => ({
    ...{ device_id: id, name, type, status },
    location: locations.get(tenant, id) ?? null,
    metrics: newest[i].map(({ metric }) => metric),
    created_at: isoFromTime(Math.floor(createdAtMs * 1000)),
    last_seen: lastSeenMs === undefined ? null : isoFromTime(Math.floor(lastSeenMs * 1000)),
  }))
}
