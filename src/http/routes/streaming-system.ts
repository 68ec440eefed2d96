import Type from 'typebox'
import { isoFromTime } from '../../model/time.ts'
import type { HttpApp } from '../app.ts'
import { isoTimeSchema, nullable } from '../schemas.ts'
import type { HttpServices } from '../services.ts'
import { STREAMING_TAGS as tags, streamingErrors, streamingResponses } from '../streaming.ts'

const count = Type.Integer({ minimum: 0 })

/** How the platform is, as the streaming platform API tells it. */
export function streamingSystemRoutes(app: HttpApp, services: HttpServices): void {
  const { readiness, version } = services
  const errorHandler = streamingErrors(services)
  const state = Type.Object({
    status: Type.Enum(['healthy', 'degraded']),
    version: Type.String(),
    reasons: Type.Array(Type.String()),
  })
  const health = {
    tags,
    summary: 'Whether points are accepted',
    response: streamingResponses({ 200: state, 503: state }),
  }
  const config = { anyQuery: true, scope: 'none' } as const
  app.get('/system/health', { schema: health, config, errorHandler }, (_request, reply) => {
    const { ready, reasons } = readiness()
    const status = ready ? 'healthy' : 'degraded'
    void reply.code(ready ? 200 : 503).send({ status, version, reasons })
  })
  statsRoute(app, services)
}

function statsRoute(app: HttpApp, services: HttpServices): void {
  const { registry, readings, anomalies, readThrough, latest } = services
  const errorHandler = streamingErrors(services)
  const schema = {
    tags,
    summary: 'Figures of all devices together, at most 30 s old',
    response: streamingResponses(
      {
        200: Type.Object(
          {
            ...{ total_readings: count, unique_devices: count, total_anomalies: count },
            devices_online: count,
            latest_reading: nullable(isoTimeSchema),
            source: Type.Enum(['cache', 'database']),
          },
          { additionalProperties: false },
        ),
      },
      [400, 503],
    ),
  }
  app.get(
    '/system/stats',
    { schema, config: { scope: 'read' }, errorHandler },
    async ({ tenant }) => {
      const { text, source } = await readThrough.get(['system-stats', tenant], async () => {
        let devices = 0
        let online = 0
        let total = 0
        for (let after: string | undefined; ;) {
          const page = registry.list(tenant, {}, { limit: 1000, after })
          devices += page.devices.length
          online += page.devices.filter(({ status }) => status === 'online').length
          const ids = page.devices.map(({ id }) => id)
          if (ids.length > 0) total += await readings.count(tenant, ids)
          after = page.next
          if (after === undefined) break
        }
        let found = 0
        for (const some of (await anomalies.countByDevice(tenant)).values()) found += some
        const newest = await latest.newestDevice(tenant)
        const [points] = newest === undefined ? [[]] : await latest.devices(tenant, [newest])
        const newestUs = points.reduce((time, { timeUs }) => Math.max(time, timeUs), -1)
        return JSON.stringify({
          ...{ total_readings: total, unique_devices: devices, total_anomalies: found },
          devices_online: online,
          latest_reading: newestUs < 0 ? null : isoFromTime(newestUs),
        })
      })
      return { ...(JSON.parse(text) as object), source }
    },
  )
}
