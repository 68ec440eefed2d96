import type { FastifyReply, FastifyRequest } from 'fastify'
import Type, { type TSchema } from 'typebox'
import { nameUuid } from '../kit/name-uuid.ts'
import type { Anomaly } from '../model/anomaly.ts'
import { isoFromTime } from '../model/time.ts'
import { encodeNumber } from './anomaly-page.ts'
import { encodeValue } from './fleet-record.ts'
import { responses, type Responses } from './openapi.ts'
import { requestProblem } from './request-problem.ts'
import { isoTimeSchema, nullable } from './schemas.ts'
import type { HttpServices } from './services.ts'

/** What the routes of the streaming platform API share: readings, errors, pages. */

export const STREAMING_TAGS = ['streaming platform']

/** Names the ids of readings; drawn once. */
const NAMESPACE = Buffer.from('c2b6a1d86c2f4f0b8d0d5b0a7f3e9c41', 'hex')

export interface ReadingKey {
  readonly tenant: string
  readonly device: string
  readonly metric: string
  readonly timeUs: number
}

/** Made of the point's key: the message that brought it has the same, and so has a repetition. */
export const readingId = ({ tenant, device, metric, timeUs }: ReadingKey): string =>
  nameUuid(NAMESPACE, `${tenant}\0${device}\0${metric}\0${timeUs}`)

const errorSchema = Type.Object(
  { error: Type.String(), status: Type.Integer() },
  { additionalProperties: false },
)

/** Like `responses`, with the errors of this API. */
export function streamingResponses(
  good: Readonly<Record<number, TSchema>>,
  problems: readonly number[] = [],
): Responses {
  const all = [...problems, 401, 403, 429]
  const errors = Object.fromEntries(all.map(status => [status, errorSchema]))
  const content = { 'application/json': { schema: errorSchema } }
  return { ...responses({ ...good, ...errors }), 500: { content } }
}

/** The error handler of these routes: errors are `{error, status}`. */
export function streamingErrors({ logger }: HttpServices) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = requestProblem(logger, error, request)
    void reply
      .code(problem.status)
      .headers({ ...problem.options.headers, 'x-request-id': request.id })
      .send({ error: problem.message, status: problem.status })
  }
}

export const readingSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    device_id: Type.String(),
    metric: Type.String(),
    value: nullable(Type.Union([Type.Number(), Type.String()])),
    timestamp: isoTimeSchema,
    location: nullable(Type.String()),
    anomaly_detected: Type.Boolean(),
    rolling_avg: nullable(Type.Number({ description: 'Of the values before it' })),
    deviation_pct: nullable(Type.Number({ description: 'From it, in percent of its size' })),
    processed_at: nullable(
      Type.String({ format: 'date-time', description: "Known of a device's newest reading" }),
    ),
  },
  { additionalProperties: false },
)

export const anomalySchema = Type.Object(
  {
    ...readingSchema.properties,
    severity: Type.String(),
    detector: Type.String(),
  },
  { additionalProperties: false },
)

export const pageQuery = (most: { readonly limit: number; readonly offset: number }) => ({
  limit: Type.Integer({ minimum: 1, maximum: most.limit, default: Math.min(100, most.limit) }),
  offset: Type.Integer({ minimum: 0, maximum: most.offset, default: 0 }),
})

type Reading = Awaited<ReturnType<HttpServices['readings']['newest']>>[number]

/** The JSON of readings, joined by commas. */
export async function encodeReadings(
  services: HttpServices,
  tenant: string,
  readings: readonly Reading[],
): Promise<string> {
  const arrivalOf = await arrivals(services, tenant, readings)
  return readings
    .map(reading => {
      const { value, rollingAvg, isAnomaly } = reading
      const shown = typeof value === 'string' ? JSON.stringify(value) : encodeNumber(value)
      const off = typeof value === 'string' ? NaN : deviationPct(value, rollingAvg)
      const judged = { isAnomaly, average: rollingAvg, off, arrivalMs: arrivalOf(reading) }
      return `{${encodePoint(services, { ...reading, tenant }, shown)},${encodeJudged(judged)}}`
    })
    .join(',')
}

/** The JSON of anomalies, joined by commas. */
export async function encodeStreamingAnomalies(
  services: HttpServices,
  tenant: string,
  anomalies: readonly Anomaly[],
): Promise<string> {
  const arrivalOf = await arrivals(services, tenant, anomalies)
  return anomalies
    .map(anomaly => {
      const { value, average, deviationPct: off = NaN, severity, detector } = anomaly
      const arrivalMs = arrivalOf(anomaly)
      const judged = encodeJudged({ isAnomaly: true, average, off, arrivalMs })
      const who = `"severity":"${severity}","detector":${JSON.stringify(detector)}`
      return `{${encodePoint(services, anomaly, encodeValue(value))},${judged},${who}}`
    })
    .join(',')
}

function encodePoint({ locations }: HttpServices, key: ReadingKey, value: string): string {
  const { tenant, device, metric, timeUs } = key
  const location = JSON.stringify(locations.get(tenant, device) ?? null)
  const names = `"id":"${readingId(key)}","device_id":${JSON.stringify(device)},"metric":${JSON.stringify(metric)}`
  return `${names},"value":${value},"timestamp":"${isoFromTime(timeUs)}","location":${location}`
}

interface Judged {
  readonly isAnomaly: boolean
  readonly average: number
  readonly off: number
  readonly arrivalMs: number | undefined
}

function encodeJudged({ isAnomaly, average, off, arrivalMs }: Judged): string {
  const shown = arrivalMs === undefined ? 'null' : `"${isoFromTime(arrivalMs * 1000)}"`
  const numbers = `"rolling_avg":${encodeNumber(average)},"deviation_pct":${encodeNumber(off)}`
  return `"anomaly_detected":${isAnomaly},${numbers},"processed_at":${shown}`
}

type PointKey = Omit<ReadingKey, 'tenant'>

/** When a reading came in is known of the newest of its device: it is when that was last seen. */
async function arrivals(
  { latest, registry }: HttpServices,
  tenant: string,
  points: readonly PointKey[],
): Promise<(point: PointKey) => number | undefined> {
  const devices = [...new Set(points.map(({ device }) => device))]
  const newest = await latest.devices(tenant, devices)
  const placeOf = new Map(devices.map((device, i) => [device, i]))
  return ({ device, metric, timeUs }) => {
    const ofDevice = newest[placeOf.get(device) ?? 0]
    if (ofDevice.find(point => point.metric === metric)?.timeUs !== timeUs) return undefined
    return registry.get(tenant, device)?.lastSeenMs
  }
}

function deviationPct(value: number, average: number): number {
  return ((value - average) / Math.abs(average)) * 100
}
