import { mixtureMetrics } from './mixture.ts'
import { deviceName, httpRequest, type RequestSource } from './request.ts'

/** What is stored, for reads to choose from. */
export interface ReadRange {
  readonly devices: number
  readonly startMs: number
  readonly endMs: number
}

/** How many different requests are prepared, to be used in turn. */
const VARIETY = 2000
const HOUR_MS = 3_600_000

function source(connection: number, request: (random: () => number) => Buffer): RequestSource {
  let state = (connection + 1) * 2654435761
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296
  }
  const requests = Array.from({ length: VARIETY }, () => request(random))
  let at = 0
  return { points: 0, next: () => requests[at++ % VARIETY] }
}

const get = (path: string): Buffer => httpRequest({ method: 'GET', path }).bytes

export function latestReads(connection: number, devices: number): RequestSource {
  return source(connection, random =>
    get(`/api/telemetry/latest/${deviceName(Math.floor(random() * devices))}`),
  )
}

/** A device that has been chosen, one of its metrics, and a span of the range. */
function choice(
  range: ReadRange,
  random: () => number,
  spanMs: number,
): URLSearchParams & { device: string } {
  const device = Math.floor(random() * range.devices)
  const metrics = mixtureMetrics(device)
  const start = range.startMs + Math.floor(random() * (range.endMs - range.startMs - spanMs))
  const search = new URLSearchParams({
    metric: metrics[Math.floor(random() * metrics.length)],
    start: new Date(start).toISOString(),
    end: new Date(start + spanMs).toISOString(),
  })
  return Object.assign(search, { device: deviceName(device) })
}

/** One hour of one series, every point. */
export function rawPath(range: ReadRange, random: () => number): string {
  const search = choice(range, random, HOUR_MS)
  return `/api/v1/telemetry/${search.device}?${search}`
}

/** One day of one series in buckets of five minutes. */
export function bucketsPath(range: ReadRange, random: () => number): string {
  const search = choice(range, random, range.endMs - range.startMs)
  search.set('interval', '5m')
  search.set('agg', 'avg')
  return `/api/v1/telemetry/${search.device}?${search}`
}

/** One metric of 100 devices over 12 hours, hourly. */
export function fleetQuery(range: ReadRange, random: () => number): string {
  const first = Math.floor(random() * range.devices)
  const step = 2
  const devices = Array.from({ length: 100 }, (_, i) =>
    deviceName((first + i * step) % range.devices),
  )
  const metrics = mixtureMetrics(first)
  const start = range.startMs + Math.floor(random() * (range.endMs - range.startMs - 12 * HOUR_MS))
  return JSON.stringify({
    devices,
    metrics: [metrics[Math.floor(random() * metrics.length)]],
    start: new Date(start).toISOString(),
    end: new Date(start + 12 * HOUR_MS).toISOString(),
    interval: '1h',
    aggregates: ['avg'],
  })
}

export const rawReads = (connection: number, range: ReadRange): RequestSource =>
  source(connection, random => get(rawPath(range, random)))

export const bucketReads = (connection: number, range: ReadRange): RequestSource =>
  source(connection, random => get(bucketsPath(range, random)))

export const fleetReads = (connection: number, range: ReadRange): RequestSource =>
  source(connection, random => {
    const body = Buffer.from(fleetQuery(range, random))
    return httpRequest({ method: 'POST', path: '/api/v1/query' }, body).bytes
  })
