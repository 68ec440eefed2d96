import Type, { type Static } from 'typebox'
import { MAX_TIME_US } from '../../model/time.ts'
import type { Aggregate, TimeRange } from '../../ports/store.ts'
import { JSON_TYPE, type HttpApp } from '../app.ts'
import { mustReachAll } from '../auth.ts'
import { responses } from '../openapi.ts'
import { badParameter } from '../problem.ts'
import { timeParameter } from '../query-params.ts'
import { deviceParamSchema, isoTimeSchema, nullable, timeSchema, unitSchema } from '../schemas.ts'
import type { HttpServices } from '../services.ts'

const tags = ['queries']
const valueSchema = Type.Union([Type.Number(), Type.String()])

const rowsSchema = Type.Object(
  {
    device_id: Type.String(),
    count: Type.Integer({ description: 'Rows of this page' }),
    limit: Type.Integer(),
    next_cursor: nullable(Type.String({ description: 'Where the next page begins' })),
    units: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: 'By metric, where they are known' }),
    ),
    data: Type.Array(
      Type.Object({ timestamp: isoTimeSchema }, { additionalProperties: valueSchema }),
      { description: 'One row a time, with the metrics that the device has there' },
    ),
  },
  { additionalProperties: false },
)

const seriesSchema = Type.Object(
  {
    start: isoTimeSchema,
    end: isoTimeSchema,
    interval: Type.Optional(Type.String()),
    max_points: Type.Optional(Type.Integer()),
    limit: Type.Optional(Type.Integer()),
    series: Type.Array(
      Type.Object(
        {
          device_id: Type.String(),
          metric: Type.String(),
          unit: Type.Optional(unitSchema),
          timestamps: Type.Array(isoTimeSchema),
        },
        {
          additionalProperties: Type.Array(nullable(valueSchema)),
          description: 'A column of values, or one for each aggregate, beside the timestamps',
        },
      ),
    ),
  },
  { additionalProperties: false },
)

const AGGREGATES = 'avg, min, max, count, sum, first, last, or a percentile such as p50 or p99.9'

/** History: the raw points of a device, buckets, and points thinned for a chart. */
export function queryRoutes(app: HttpApp, services: HttpServices): void {
  deviceRoute(app, services)
  manyRoute(app, services)
}

function deviceRoute(app: HttpApp, services: HttpServices): void {
  const { limits, queries } = services
  const schema = {
    tags,
    summary: 'History of a device',
    description:
      'Rows of raw points, a page at a time; with interval and agg, buckets; with max_points, ' +
      'points chosen for a chart (LTTB). The end is exclusive.',
    params: deviceParamSchema,
    querystring: Type.Object({
      metric: Type.Optional(Type.Array(Type.String())),
      start: Type.Optional(Type.String({ description: 'From this time on; absent: the first' })),
      end: Type.Optional(Type.String({ description: 'Before this time; absent: the last' })),
      limit: Type.Integer({ minimum: 1, maximum: limits.maxLimit, default: limits.defaultLimit }),
      order: Type.Enum(['asc', 'desc'], { default: 'asc' }),
      cursor: Type.Optional(Type.String({ description: 'next_cursor of the page before' })),
      interval: Type.Optional(Type.String({ description: 'Bucket width: 250ms, 30s, 5m, 1h, 1d' })),
      agg: Type.Optional(Type.String({ description: `Comma-separated: ${AGGREGATES}` })),
      max_points: Type.Optional(Type.Integer({ minimum: 2, maximum: limits.maxLimit })),
    }),
    response: responses({ 200: Type.Union([rowsSchema, seriesSchema]) }, [400, 503]),
  }
  const config = { scope: 'read', deviceKeys: 'device_id' } as const
  app.get('/api/v1/telemetry/:device_id', { schema, config }, async (request, reply) => {
    const { tenant, query } = request
    const device = request.params.device_id
    const range = rangeOf(query.start, query.end)
    const select = { tenant, devices: [device], metrics: query.metric ?? [] }
    reply.header('content-type', JSON_TYPE)
    if (query.interval !== undefined || query.agg !== undefined) {
      mustBeAlone(query, ['cursor', 'max_points'], 'interval')
      const aggregates = (query.agg ?? 'avg').split(',')
      const bucketing = { interval: query.interval, aggregates, range }
      return queries.buckets({ select, ...checkBuckets(services, bucketing) })
    }
    if (query.max_points !== undefined) {
      mustBeAlone(query, ['cursor'], 'max_points')
      return queries.chart({ select, range, maxPoints: query.max_points })
    }
    const { limit, order, metric: metrics = [] } = query
    const cursor = query.cursor === undefined ? undefined : services.decodeCursor(query.cursor)
    if (query.cursor !== undefined && cursor === undefined) {
      throw badParameter('cursor', 'is not a next_cursor of this route')
    }
    const page = { tenant, device, metrics, range, limit, order }
    return queries.rows(cursor === undefined ? page : { ...page, cursor })
  })
}

const manySchema = (limits: HttpServices['limits']) =>
  Type.Object(
    {
      devices: Type.Array(Type.String(), { minItems: 1, maxItems: limits.maxDevices }),
      metrics: Type.Optional(Type.Array(Type.String(), { description: 'Absent or empty: all' })),
      start: Type.Optional(timeSchema),
      end: Type.Optional(timeSchema),
      interval: Type.Optional(Type.String({ description: 'Bucket width: 250ms, 30s, 5m, 1h, 1d' })),
      aggregates: Type.Optional(Type.Array(Type.String({ description: AGGREGATES }))),
      max_points: Type.Optional(Type.Integer({ minimum: 2, maximum: limits.maxLimit })),
      limit: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: limits.maxLimit,
          description: 'Raw points of each series, where there is neither interval nor max_points',
        }),
      ),
      order: Type.Optional(Type.Enum(['asc', 'desc'])),
    },
    { additionalProperties: false },
  )

function manyRoute(app: HttpApp, services: HttpServices): void {
  const { limits, queries } = services
  const schema = {
    tags,
    summary: 'Many devices × many metrics',
    description: 'Buckets, points for charts, or raw points, a series each, in one answer.',
    body: manySchema(limits),
    response: responses({ 200: seriesSchema }, [400, 413, 415, 503]),
  }
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  app.post('/api/v1/query', { schema, config }, async (request, reply) => {
    const body = request.body as Static<ReturnType<typeof manySchema>>
    const { devices, metrics = [], interval, aggregates, max_points, limit, order } = body
    mustReachAll(request.access, devices)
    const range = rangeOf(body.start, body.end)
    const select = { tenant: request.tenant, devices, metrics }
    reply.header('content-type', JSON_TYPE)
    if (interval !== undefined || aggregates !== undefined) {
      mustBeAlone(body, ['max_points', 'limit', 'order'], 'interval')
      const bucketing = { interval, aggregates: aggregates ?? ['avg'], range }
      return queries.buckets({ select, ...checkBuckets(services, bucketing) })
    }
    if (max_points !== undefined) {
      mustBeAlone(body, ['limit', 'order'], 'max_points')
      return queries.chart({ select, range, maxPoints: max_points })
    }
    return queries.columns({
      select,
      range,
      limit: limit ?? limits.defaultLimit,
      order: order ?? 'asc',
    })
  })
}

function rangeOf(start: string | number | undefined, end: string | number | undefined): TimeRange {
  const from = start === undefined ? 0 : timeParameter(String(start), 'start')
  const to = end === undefined ? MAX_TIME_US : timeParameter(String(end), 'end')
  if (to < from) throw badParameter('end', 'must not be before start')
  return { start: from, end: to }
}

function mustBeAlone(given: object, others: readonly string[], name: string): void {
  for (const other of others) {
    if ((given as Record<string, unknown>)[other] !== undefined) {
      throw badParameter(other, `does not go with ${name}`)
    }
  }
}

interface Bucketing {
  readonly interval: string | undefined
  readonly aggregates: readonly string[]
  readonly range: TimeRange
}

function checkBuckets(services: HttpServices, { interval, aggregates, range }: Bucketing) {
  if (interval === undefined) throw badParameter('interval', 'is missing')
  const us = services.intervalUs(interval)
  if (!(us > 0)) throw badParameter('interval', 'is not a width such as 250ms, 30s, 5m, 1h or 1d')
  if (aggregates.length === 0) throw badParameter('agg', 'must not be empty')
  for (const name of aggregates) {
    if (!isAggregate(name)) throw badParameter('agg', `must be ${AGGREGATES}`)
  }
  const unique = [...new Set(aggregates as readonly Aggregate[])]
  return { interval, intervalUs: us, aggregates: unique, range }
}

function isAggregate(name: string): boolean {
  if (/^(avg|min|max|count|sum|first|last)$/.test(name)) return true
  return /^p\d{1,3}(\.\d{1,6})?$/.test(name) && Number(name.slice(1)) <= 100
}
