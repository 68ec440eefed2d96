import type { FastifyContextConfig } from 'fastify'
import Type from 'typebox'
import { isoFromTime, MAX_TIME_US } from '../../model/time.ts'
import { encodeNumber } from '../anomaly-page.ts'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { deviceAsked } from '../auth.ts'
import { ingestJson } from '../ingest-json.ts'
import { responses } from '../openapi.ts'
import { refusedPoints } from '../problem.ts'
import { isoTimeSchema, nullable, rejectedSchema, timeSchema } from '../schemas.ts'
import type { HttpServices } from '../services.ts'

const tags = ['sensor records']

const recordSchema = Type.Object(
  {
    device_id: Type.String(),
    sensor_type: Type.String(),
    value: nullable(Type.Union([Type.Number(), Type.String()])),
    unit: nullable(Type.String({ description: 'As a record of this sensor told it last' })),
    timestamp: isoTimeSchema,
    rejected: Type.Optional(rejectedSchema),
  },
  { additionalProperties: false },
)

const bodySchema = Type.Object({
  device_id: Type.String(),
  sensor_type: Type.String(),
  value: Type.Unknown(),
  unit: Type.Optional(Type.String()),
  timestamp: Type.Optional(timeSchema),
})

/** The sensor record API: one value of one sensor, with its unit. */
export function sensorRecordRoutes(app: HttpApp, services: HttpServices): void {
  postRoute(app, services)
  listRoute(app, services)
}

function postRoute(app: HttpApp, services: HttpServices): void {
  const { gate, dialects, units } = services
  const schema = {
    tags,
    summary: 'Send one record',
    description: 'Answered, with the record as stored, when it is durable. Its unit is kept.',
    body: bodySchema,
    response: responses({ 201: recordSchema }, [400, 413, 415, 503, 507]),
  }
  const config: FastifyContextConfig = {
    ...{ rawBody: ['application/json'], deviceKeys: 'handler' },
    scope: 'ingest',
  }
  app.post('/api/data', { schema, config }, async (request, reply) => {
    const { tenant } = request
    const points: Point[] = []
    let record: ReturnType<typeof dialects.decodeSensorRecord>
    const { rejected } = await ingestJson(gate, request.access, {
      body: request.body as unknown as Buffer | undefined,
      decode(body, sink) {
        record = dialects.decodeSensorRecord(body, sink)
        sink.visitAccepted((metric, timeUs, value) => points.push({ metric, timeUs, value }))
      },
    })
    if (record === undefined) {
      const [first] = rejected.filter(({ points: some }) => some > 0)
      const detail = `${first.field} ${first.detail}`.trimStart()
      throw refusedPoints(detail, rejected)
    }
    const { deviceId: device, unit } = record
    const [point] = points
    if (unit !== undefined) units.tell({ tenant, device, metric: point.metric, unit })
    const shown = rejected.map(({ index, field, detail }) => ({ index, field, detail }))
    const rest = shown.length === 0 ? '' : `,"rejected":${JSON.stringify(shown)}`
    reply.code(201).header('content-type', JSON_TYPE)
    return `{${encodeRecord(services, tenant, { device, ...point })}${rest}}`
  })
}

function listRoute(app: HttpApp, services: HttpServices): void {
  const schema = {
    tags,
    summary: 'Records, newest first',
    querystring: Type.Object({
      device_id: Type.Optional(Type.String()),
      sensor_type: Type.Optional(Type.String()),
      limit: Type.Integer({ minimum: 1, maximum: 10_000, default: 100 }),
    }),
    response: responses({ 200: Type.Array(recordSchema) }, [400, 503]),
  }
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  app.get('/api/data', { schema, config }, async (request, reply) => {
    const { access, tenant } = request
    const { sensor_type: metric, limit } = request.query
    const device = deviceAsked(access, request.query.device_id)
    const range = { start: 0, end: MAX_TIME_US }
    const points = await services.readings.points({
      ...{ tenant, device, metric, range, limit, offset: 0 },
    })
    const records = points.map(point => `{${encodeRecord(services, tenant, point)}}`)
    reply.header('content-type', JSON_TYPE)
    return `[${records.join(',')}]`
  })
}

interface Point {
  readonly metric: string
  readonly timeUs: number
  readonly value: number | string
}

function encodeRecord(
  { units }: HttpServices,
  tenant: string,
  { device, metric, timeUs, value }: Point & { readonly device: string },
): string {
  const unit = JSON.stringify(units.get(tenant, device, metric) ?? null)
  const shown = typeof value === 'string' ? JSON.stringify(value) : encodeNumber(value)
  const names = `"device_id":${JSON.stringify(device)},"sensor_type":${JSON.stringify(metric)}`
  return `${names},"value":${shown},"unit":${unit},"timestamp":"${isoFromTime(timeUs)}"`
}
