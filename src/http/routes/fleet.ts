import Type from 'typebox'
import { MAX_TIME_US } from '../../model/time.ts'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { encodeIdentity, encodeRecords } from '../fleet-record.ts'
import {
  LATEST_ROUTE,
  latestRecord,
  noTelemetry,
  RECORD_ROUTE,
  storeRecord,
} from '../fleet-requests.ts'
import { responses } from '../openapi.ts'
import { notFound } from '../problem.ts'
import { timeParameter } from '../query-params.ts'
import {
  deviceParamSchema,
  isoTimeSchema,
  metricsSchema,
  nullable,
  rejectedSchema,
} from '../schemas.ts'
import type { HttpServices } from '../services.ts'

const tags = ['fleet benchmark']
const OF_DEVICE = { scope: 'read', deviceKeys: 'device_id' } as const

const recordSchema = Type.Object(
  {
    device_id: Type.String(),
    device_uuid: nullable(Type.String()),
    alias: nullable(Type.String({ description: "The device's name" })),
    device_time: isoTimeSchema,
    system_time_utc: nullable(Type.String({ format: 'date-time', description: 'Arrival' })),
    rejected: Type.Optional(rejectedSchema),
  },
  { additionalProperties: true, description: 'The metrics stand beside these fields' },
)

/** The "fleet benchmark API": flat records, one a request, and their newest. */
export function fleetRoutes(app: HttpApp, services: HttpServices): void {
  app.get(
    '/api/health',
    { schema: healthSchema, config: { anyQuery: true, scope: 'none' } },
    (_request, reply) => {
      reply.header('content-type', JSON_TYPE)
      void reply.send('{"status":"ok"}')
    },
  )
  recordRoute(app, services)
  latestRoutes(app, services)
  historyRoute(app, services)
  countRoute(app, services)
  devicesRoute(app, services)
}

const healthSchema = {
  tags,
  summary: 'Whether Weir is alive',
  response: responses({ 200: Type.Object({ status: Type.Literal('ok') }) }),
}

function recordRoute(app: HttpApp, services: HttpServices): void {
  const schema = {
    tags,
    summary: 'Send one record of a device',
    description:
      'Any flat object of metrics, with its time, if any, in device_time. The answer is the stored ' +
      'record; metrics that were refused are listed in rejected.',
    params: deviceParamSchema,
    body: metricsSchema,
    response: responses({ 201: recordSchema }, [400, 413, 415, 503, 507]),
  }
  const config = {
    rawBody: ['application/json'],
    scope: 'ingest',
    deviceKeys: 'device_id',
  } as const
  app.post(RECORD_ROUTE, { schema, config }, (request, reply) => {
    const id = request.params.device_id
    const body = request.body as unknown as Buffer | undefined
    request.body = undefined as never
    storeRecord(services, request.access, { id, body }).then(
      json => reply.code(201).header('content-type', JSON_TYPE).send(json),
      (error: unknown) => reply.send(error),
    )
  })
}

function latestRoutes(app: HttpApp, services: HttpServices): void {
  const response = responses({ 200: recordSchema }, [400, 404])
  const newest = { tags, summary: 'The newest record of all devices', response }
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  app.get('/api/telemetry/latest', { schema: newest, config }, async (request, reply) => {
    const { tenant, device: only } = request.access
    const device = only ?? (await services.latest.newestDevice(tenant))
    if (device === undefined) throw notFound('there is no telemetry yet')
    reply.header('content-type', JSON_TYPE)
    return latestRecord(services, tenant, device)
  })
  const ofDevice = {
    tags,
    summary: 'The newest value of each metric of a device',
    params: deviceParamSchema,
    response,
  }
  app.get(LATEST_ROUTE, { schema: ofDevice, config: OF_DEVICE }, async (request, reply) => {
    reply.header('content-type', JSON_TYPE)
    return latestRecord(services, request.tenant, request.params.device_id)
  })
}

function historyRoute(app: HttpApp, services: HttpServices): void {
  const { clock, limits, registry, readSeries } = services
  const schema = {
    tags,
    summary: 'Records of a device, newest first',
    params: deviceParamSchema,
    querystring: Type.Object({
      start_time: Type.Optional(Type.String({ description: 'From this time on' })),
      end_time: Type.Optional(Type.String({ description: 'Before this time' })),
      latest_seconds: Type.Optional(
        Type.Number({ minimum: 0, description: 'Only of the last so many seconds' }),
      ),
      limit: Type.Integer({ minimum: 1, maximum: limits.maxLimit, default: limits.defaultLimit }),
    }),
    response: responses({ 200: Type.Array(recordSchema) }, [400, 404, 503]),
  }
  app.get('/api/telemetry/:device_id', { schema, config: OF_DEVICE }, async (request, reply) => {
    const id = request.params.device_id
    const { start_time, end_time, latest_seconds, limit } = request.query
    let start = start_time === undefined ? 0 : timeParameter(start_time, 'start_time')
    const end = end_time === undefined ? MAX_TIME_US : timeParameter(end_time, 'end_time')
    if (latest_seconds !== undefined) {
      start = Math.max(start, (clock.nowMs() - latest_seconds * 1000) * 1000)
    }
    const series = await readSeries({
      select: { tenant: request.tenant, devices: [id], metrics: [] },
      range: { start: Math.ceil(start), end: Math.max(start, end) },
      limit,
      order: 'desc',
    })
    const device = registry.get(request.tenant, id)
    if (series.length === 0 && !(await hasTelemetry(services, request.tenant, id))) {
      throw noTelemetry(id)
    }
    reply.header('content-type', JSON_TYPE)
    return encodeRecords(encodeIdentity(id, device), series, limit)
  })
}

async function hasTelemetry(
  { latest }: HttpServices,
  tenant: string,
  id: string,
): Promise<boolean> {
  const [points] = await latest.devices(tenant, [id])
  return points.length > 0
}

function countRoute(app: HttpApp, { storeStats }: HttpServices): void {
  const schema = {
    tags,
    summary: 'How many points are stored',
    response: responses({ 200: Type.Object({ count: Type.Integer() }) }, [400, 503]),
  }
  app.get('/api/telemetry/count', { schema, config: { scope: 'read' } }, async request => {
    const { stored, unsettled } = await storeStats(request.tenant)
    return { count: stored + unsettled }
  })
}

function devicesRoute(app: HttpApp, { registry, limits }: HttpServices): void {
  const device = Type.Object(
    {
      device_id: Type.String(),
      device_uuid: Type.String(),
      alias: nullable(Type.String()),
    },
    { additionalProperties: false },
  )
  const schema = {
    tags,
    summary: 'All devices',
    querystring: Type.Object({
      limit: Type.Integer({ minimum: 1, maximum: limits.maxLimit, default: limits.maxLimit }),
    }),
    response: responses({ 200: Type.Array(device) }, [400]),
  }
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  app.get('/api/devices', { schema, config }, (request, reply) => {
    const { tenant, device: id } = request.access
    const { devices } = registry.list(tenant, { id }, request.query)
    const out = devices.map(({ id, uuid, name }) => ({
      device_id: id,
      device_uuid: uuid,
      alias: name ?? null,
    }))
    void reply.send(out)
  })
}
