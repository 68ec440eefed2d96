import Type from 'typebox'
import { isoFromTime } from '../../model/time.ts'
import type { HttpApp } from '../app.ts'
import { responses } from '../openapi.ts'
import { knownDevice } from '../known.ts'
import { notFound } from '../problem.ts'
import { isoTimeSchema, nullable } from '../schemas.ts'
import type { DeviceInput, DevicePatch } from '../../registry/device-input.ts'
import type { DeviceView } from '../../registry/device-list.ts'
import type { HttpServices } from '../services.ts'

const tags = ['devices']
const count = Type.Integer({ minimum: 0 })
const text = nullable(Type.String())

const statusSchema = Type.Enum(['online', 'offline', 'unknown'])
const attributesSchema = Type.Record(Type.String(), Type.Unknown(), { description: 'Free JSON' })

const deviceFields = {
  id: Type.String(),
  uuid: Type.String({ format: 'uuid' }),
  name: text,
  type: text,
  product: text,
  site: text,
  attributes: attributesSchema,
  expected_interval_ms: nullable(Type.Number()),
  status: statusSchema,
  created_at: isoTimeSchema,
  last_seen: nullable(isoTimeSchema),
  violations: Type.Object(
    { flagged: count, refused: count },
    { description: 'Values that are not as its product declares, since Weir started' },
  ),
}

const deviceSchema = Type.Object(deviceFields, { additionalProperties: false })

const oneDeviceSchema = Type.Object(
  {
    ...deviceFields,
    metrics: Type.Record(
      Type.String(),
      Type.Object({
        unit: Type.Optional(Type.String()),
        type: Type.Optional(Type.Enum(['number', 'integer', 'boolean', 'string'])),
        min: Type.Optional(Type.Number()),
        max: Type.Optional(Type.Number()),
        on_violation: Type.Optional(Type.Enum(['flag', 'refuse'])),
      }),
      { description: 'What its product declares' },
    ),
  },
  { additionalProperties: false },
)

const interval = Type.Number({ description: 'How often it is expected to send' })

const inputSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.Optional(Type.String()),
    type: Type.Optional(Type.String()),
    product: Type.Optional(Type.String()),
    site: Type.Optional(Type.String()),
    attributes: Type.Optional(attributesSchema),
    expected_interval_ms: Type.Optional(interval),
  },
  { additionalProperties: false },
)

const patchSchema = Type.Object(
  {
    name: Type.Optional(text),
    type: Type.Optional(text),
    product: Type.Optional(text),
    site: Type.Optional(text),
    attributes: Type.Optional(nullable(attributesSchema)),
    expected_interval_ms: Type.Optional(nullable(interval)),
  },
  { additionalProperties: false },
)

const params = Type.Object({ id: Type.String({ description: 'The device, percent-encoded' }) })

/** The registry. */
export function deviceRoutes(app: HttpApp, services: HttpServices): void {
  listRoute(app, services)
  createRoute(app, services)
  oneDeviceRoutes(app, services)
}

function listRoute(app: HttpApp, { registry, limits }: HttpServices): void {
  const schema = {
    tags,
    summary: 'List devices',
    description: 'In order of their ids. All filters given must fit.',
    querystring: Type.Object({
      site: Type.Optional(Type.String()),
      product: Type.Optional(Type.String()),
      type: Type.Optional(Type.String()),
      status: Type.Optional(statusSchema),
      search: Type.Optional(Type.String({ description: 'Part of the id or the name' })),
      limit: Type.Integer({ minimum: 1, maximum: limits.maxLimit, default: 100 }),
      cursor: Type.Optional(Type.String({ description: 'next_cursor of the page before' })),
    }),
    response: responses(
      { 200: Type.Object({ data: Type.Array(deviceSchema), next_cursor: text }) },
      [400],
    ),
  }
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  app.get('/api/v1/devices', { schema, config }, (request, reply) => {
    const { limit, cursor, ...given } = request.query
    const filter = { ...given, id: request.access.device }
    const page = registry.list(request.tenant, filter, { limit, after: cursor })
    void reply.send({ data: page.devices.map(shown), next_cursor: page.next ?? null })
  })
}

function createRoute(app: HttpApp, { registry }: HttpServices): void {
  const schema = {
    tags,
    summary: 'Register a device',
    body: inputSchema,
    response: responses({ 201: deviceSchema }, [400, 409, 413, 415, 503]),
  }
  app.post('/api/v1/devices', { schema, config: { scope: 'admin' } }, async (request, reply) => {
    const { expected_interval_ms, ...rest } = request.body
    const input: DeviceInput = { ...rest, ...intervalOf(expected_interval_ms) }
    const device = await registry.create(request.tenant, input)
    reply.code(201).header('location', `/api/v1/devices/${encodeURIComponent(device.id)}`)
    return shown(device)
  })
}

function oneDeviceRoutes(app: HttpApp, { registry }: HttpServices): void {
  const url = '/api/v1/devices/:id'
  const missing = (id: string) => notFound(`there is no device ${JSON.stringify(id)}`)

  const get = {
    tags,
    summary: 'One device',
    params,
    response: responses({ 200: oneDeviceSchema }, [400, 404]),
  }
  const read = { scope: 'read', deviceKeys: 'id' } as const
  app.get(url, { schema: get, config: read }, async request => {
    const { id } = request.params
    const device = await knownDevice(registry, request.tenant, id)
    const metrics = registry.metricsOf(request.tenant, id) ?? {}
    return { ...shown(device), metrics: shownMetrics(metrics) }
  })

  const patch = {
    tags,
    summary: 'Change a device',
    description: 'A JSON merge patch (RFC 7396): null clears a field, attributes merge.',
    params,
    body: patchSchema,
    response: responses({ 200: deviceSchema }, [400, 404, 413, 415, 503]),
  }
  const admin = { scope: 'admin' } as const
  app.patch(url, { schema: patch, config: admin }, async request => {
    const { expected_interval_ms, ...rest } = request.body
    const input: DevicePatch = { ...rest, ...intervalOf(expected_interval_ms) }
    return shown(await registry.update(request.tenant, request.params.id, input))
  })

  const remove = {
    tags,
    summary: 'Remove a device from the registry',
    description:
      'Its registration goes: name, attributes, product, site. Its points stay, as long as all ' +
      'points are kept, and history answers for its id as before; lists and latest values leave it ' +
      'out. With the next message that it sends it is registered anew, where that is allowed, and ' +
      'has the same uuid. A restart of Weir does not bring it back.',
    params,
    response: responses({ 204: { description: 'It is gone', content: {} } }, [400, 404, 503]),
  }
  app.delete(url, { schema: remove, config: admin }, async (request, reply) => {
    if (!(await registry.remove(request.tenant, request.params.id))) {
      throw missing(request.params.id)
    }
    return reply.code(204).send()
  })
}

function intervalOf<T>(value: T | undefined): { expectedIntervalMs?: T } {
  return value === undefined ? {} : { expectedIntervalMs: value }
}

function shown(device: DeviceView): object {
  const { id, uuid, name, type, product, site, attributes, status } = device
  return {
    id,
    uuid,
    name: name ?? null,
    type: type ?? null,
    product: product ?? null,
    site: site ?? null,
    attributes,
    expected_interval_ms: device.expectedIntervalMs ?? null,
    status,
    created_at: isoFromTime(device.createdAtMs * 1000),
    last_seen: device.lastSeenMs === undefined ? null : isoFromTime(device.lastSeenMs * 1000),
    violations: device.violations,
  }
}

type Declarations = NonNullable<ReturnType<HttpServices['registry']['metricsOf']>>

function shownMetrics(metrics: Declarations): object {
  const shown = Object.entries(metrics).map(([name, { onViolation, ...declared }]) => [
    name,
    onViolation === undefined ? declared : { ...declared, on_violation: onViolation },
  ])
  return Object.fromEntries(shown) as object
}
