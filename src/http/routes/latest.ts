import Type from 'typebox'
import { isoFromTime } from '../../model/time.ts'
import type { LatestPoint } from '../../ports/latest.ts'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { mustReachAll } from '../auth.ts'
import { encodeValue } from '../fleet-record.ts'
import { responses } from '../openapi.ts'
import { isoTimeSchema, nullable, unitSchema } from '../schemas.ts'
import type { DeviceFilter, DevicePage, DeviceView } from '../../registry/device-list.ts'
import type { HttpServices } from '../services.ts'

const answerSchema = Type.Object(
  {
    data: Type.Array(
      Type.Object(
        {
          device_id: Type.String(),
          metric: Type.String(),
          timestamp: isoTimeSchema,
          value: Type.Union([Type.Number(), Type.String()]),
          unit: Type.Optional(unitSchema),
        },
        { additionalProperties: false },
      ),
    ),
    next_cursor: nullable(Type.String({ description: 'Where the next page begins' })),
  },
  { additionalProperties: false },
)

/** The newest value of every metric, by device time. */
export function latestRoutes(app: HttpApp, services: HttpServices): void {
  const { limits } = services
  const schema = {
    tags: ['telemetry'],
    summary: 'The newest value of every metric',
    description:
      'Of all devices, of those named, or of those that fit the filters, a page of devices at a time.',
    querystring: Type.Object({
      device_id: Type.Optional(Type.Array(Type.String(), { maxItems: limits.maxDevices })),
      site: Type.Optional(Type.String()),
      product: Type.Optional(Type.String()),
      metric: Type.Optional(Type.Array(Type.String())),
      limit: Type.Integer({
        minimum: 1,
        maximum: limits.maxLimit,
        default: limits.defaultLimit,
        description: 'Devices of a page; does not bound those named by device_id',
      }),
      cursor: Type.Optional(Type.String({ description: 'next_cursor of the page before' })),
    }),
    response: responses({ 200: answerSchema }, [400]),
  }
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  app.get('/api/v1/telemetry/latest', { schema, config }, async (request, reply) => {
    const { tenant, device: only } = request.access
    const { device_id, metric, limit, cursor, ...given } = request.query
    const filter = { ...given, id: only }
    mustReachAll(request.access, device_id ?? [])
    const page: DevicePage =
      device_id === undefined
        ? services.registry.list(tenant, filter, { limit, after: cursor })
        : { devices: named(services, { tenant, ids: device_id, filter }) }
    const ids = page.devices.map(({ id }) => id)
    const newest = await services.latest.devices(tenant, ids)
    const rows: string[] = []
    for (const [i, points] of newest.entries()) {
      encodeDevice(services, { tenant, id: ids[i], metric, points }, rows)
    }
    const next = page.next === undefined ? 'null' : JSON.stringify(page.next)
    reply.header('content-type', JSON_TYPE)
    return `{"data":[${rows.join(',')}],"next_cursor":${next}}`
  })
}

/** Those of the devices named that exist and fit, each once. */
function named(
  { registry }: HttpServices,
  { tenant, ids, filter }: { tenant: string; ids: readonly string[]; filter: DeviceFilter },
): DeviceView[] {
  const { site, product } = filter
  const devices: DeviceView[] = []
  for (const id of new Set(ids)) {
    const device = registry.get(tenant, id)
    if (device === undefined || (site !== undefined && device.site !== site)) continue
    if (product === undefined || device.product === product) devices.push(device)
  }
  return devices
}

interface NewestOfDevice {
  readonly tenant: string
  readonly id: string
  /** Absent or empty: every one. */
  readonly metric: readonly string[] | undefined
  readonly points: readonly LatestPoint[]
}

function encodeDevice(services: HttpServices, newest: NewestOfDevice, rows: string[]): void {
  const { tenant, id, metric: wanted = [], points } = newest
  const name = JSON.stringify(id)
  for (const { metric, timeUs, value } of points) {
    if (wanted.length > 0 && !wanted.includes(metric)) continue
    const head = `{"device_id":${name},"metric":${JSON.stringify(metric)}`
    const unit = services.registry.unitOf(tenant, id, metric)
    const tail = unit === undefined ? '}' : `,"unit":${JSON.stringify(unit)}}`
    rows.push(`${head},"timestamp":"${isoFromTime(timeUs)}","value":${encodeValue(value)}${tail}`)
  }
}
