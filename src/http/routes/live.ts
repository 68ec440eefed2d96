import { PassThrough } from 'node:stream'
import Type from 'typebox'
import type { LiveSubscriber } from '../../live/live-hub.ts'
import type { HttpApp } from '../app.ts'
import { mustReachAll } from '../auth.ts'
import { responses } from '../openapi.ts'
import { HttpProblem } from '../problem.ts'
import type { HttpServices } from '../services.ts'

const HEARTBEAT_MS = 15_000
/** A stream ends this soon after its key. */
const ACCESS_CHECK_MS = 1000
/**
 * What may wait for a reader before it is dropped, and what it is sent at once of what it missed; it
 * resumes where it was.
 */
const MAX_WAITING_BYTES = 1 << 20
/** For a reader that has only a part of what it missed: to come back for the next one at once. */
const COME_BACK = 'retry: 0\n\n'

const schema = {
  tags: ['telemetry'],
  summary: 'Live stream of new points',
  description:
    'Server-sent events: `points` with {points: [{device_id, metric, timestamp, value}]}, ' +
    '`anomaly` with a point that a detector found unusual (as in /api/v1/analytics/anomalies), ' +
    '`status` with a change of a device between online and offline, `violation` with what a device ' +
    'sent in the last second that is not as its product declares (flagged, refused, and the last ' +
    'one: metric, value, timestamp, reason), and `gap` where the stream missed something: resumed, ' +
    'more than is kept, or from another process. Resumes by Last-Event-ID; the stream ends after a ' +
    'part of what was missed when that is much, to be resumed again.',
  querystring: Type.Object({
    device_id: Type.Optional(Type.Array(Type.String())),
    metric: Type.Optional(Type.Array(Type.String())),
    site: Type.Optional(Type.String()),
    product: Type.Optional(Type.String()),
    last_event_id: Type.Optional(
      Type.String({ description: 'For clients that cannot set Last-Event-ID' }),
    ),
  }),
  headers: Type.Object({ 'last-event-id': Type.Optional(Type.String()) }),
  response: responses({ 200: Type.String({ contentMediaType: 'text/event-stream' }) }, [400, 503]),
}

/** Server-sent events of new points, as they become durable. */
export function liveRoutes(app: HttpApp, services: HttpServices): void {
  const { live, registry, clock } = services
  const open = new Set<PassThrough>()
  // A stop does not wait for readers, who would stay for ever: they come back and resume.
  app.addHook('preClose', done => {
    for (const stream of open) stream.end()
    done()
  })
  // A HEAD would subscribe, and nobody would be there to end it.
  const config = { scope: 'read', deviceKeys: 'handler' } as const
  app.get('/api/v1/live', { schema, config, exposeHeadRoute: false }, (request, reply) => {
    const { access, tenant, query } = request
    const { device_id, metric, site, product } = query
    mustReachAll(access, device_id ?? [])
    const asked = access.device === undefined ? device_id : [access.device]
    const devices = asked === undefined ? undefined : new Set(asked)
    const metrics = metric === undefined ? undefined : new Set(metric)
    const wants = (device: string, name?: string): boolean => {
      if (devices?.has(device) === false) return false
      if (name !== undefined && metrics?.has(name) === false) return false
      if (site === undefined && product === undefined) return true
      const view = registry.get(tenant, device)
      return (
        (site === undefined || view?.site === site) &&
        (product === undefined || view?.product === product)
      )
    }
    const stream = new PassThrough()
    stream.write(': weir\nretry: 1000\n\n')
    const last = request.headers['last-event-id'] ?? query.last_event_id
    const subscriber = { filter: { tenant, wants }, ...writingTo(stream) }
    const end = live.subscribe(subscriber, typeof last === 'string' ? last : undefined)
    if (end === undefined) {
      throw new HttpProblem(503, 'there are too many live streams', {
        limit: 'live.maxSubscribers',
        headers: { 'retry-after': '5' },
      })
    }
    const stopBeat = clock.every(HEARTBEAT_MS, () => {
      // Who does not even take a part holds a place that others may want.
      if (stream.writableEnded) stream.destroy()
      else subscriber.send(': still here\n\n')
    })
    const stopWatch = clock.every(ACCESS_CHECK_MS, () => {
      if (access.endsAtMs <= clock.nowMs()) stream.end()
    })
    open.add(stream)
    stream.once('close', () => {
      open.delete(stream)
      stopBeat()
      stopWatch()
      end()
    })
    reply.header('content-type', 'text/event-stream; charset=utf-8')
    reply.header('cache-control', 'no-store')
    reply.header('x-accel-buffering', 'no')
    void reply.send(stream)
  })
}

/** How a subscriber takes events, as long as its reader does. */
function writingTo(stream: PassThrough): Omit<LiveSubscriber, 'filter'> {
  const isFull = (): boolean => stream.writableLength + stream.readableLength > MAX_WAITING_BYTES
  return {
    send(events) {
      if (stream.writableEnded || stream.destroyed) return true
      if (isFull()) return false
      stream.write(events)
      return true
    },
    replay(events) {
      stream.write(events)
      if (!isFull()) return true
      stream.end(COME_BACK)
      return false
    },
    onDropped: () => stream.destroy(),
  }
}
