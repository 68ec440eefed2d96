import type { Access } from '../model/access.ts'
import type { LatestPoint } from '../ports/latest.ts'
import type { DeviceView } from '../registry/device-list.ts'
import { encodeIdentity, encodeMetric, encodeTimes } from './fleet-record.ts'
import { ingestJson } from './ingest-json.ts'
import { notFound, refusedPoints, type HttpProblem } from './problem.ts'
import type { HttpServices } from './services.ts'

/** The two requests of the fleet benchmark API that are answered by Fastify and by the lane. */
export const RECORD_ROUTE = '/api/telemetry/:device_id'
export const LATEST_ROUTE = '/api/telemetry/latest/:device_id'

/** One record as it was sent. */
export interface SentRecord {
  readonly id: string
  readonly body: Buffer | undefined
}

/**
 * Stores a record and resolves, when it is durable, to the JSON of what was stored.
 *
 * @throws HttpProblem at once when the body is no text; rejects with one when nothing was stored,
 *   and with the gate's errors.
 */
export function storeRecord(
  services: HttpServices,
  access: Access,
  { id, body }: SentRecord,
): Promise<string> {
  const { gate, registry, dialects } = services
  let metrics = ''
  let timeUs = 0
  let arrivalUs = 0
  const visit = (metric: string, time: number, value: number | string): void => {
    metrics += encodeMetric(metric, value)
    timeUs = time
  }
  const done = ingestJson(gate, access, {
    body,
    decode(bytes, sink) {
      dialects.decodeFleetRecord(bytes, id, sink)
      arrivalUs = sink.arrivalUs
      sink.visitAccepted(visit)
    },
  })
  return done.then(({ accepted, rejected }) => {
    if (accepted === 0) throw nothingStored(rejected)
    const times = encodeTimes(timeUs, arrivalUs / 1000)
    const refused = rejected.length === 0 ? '' : `"rejected":${encodeRejected(rejected)},`
    return encodeIdentity(id, registry.get(access.tenant, id)) + metrics + refused + times
  })
}

type Rejected = Awaited<ReturnType<HttpServices['gate']['ingest']>>['rejected']

function nothingStored(rejected: Rejected): HttpProblem {
  const [first] = rejected
  const detail = first === undefined ? 'there are no metrics' : `${first.field} ${first.detail}`
  return refusedPoints(detail.trimStart(), rejected)
}

const encodeRejected = (rejected: Rejected): string =>
  JSON.stringify(rejected.map(({ index, field, detail }) => ({ index, field, detail })))

/**
 * The JSON of the newest value of each metric of a device; at once where it is in memory.
 *
 * @throws HttpProblem 404 when it has none.
 */
export function latestRecord(
  services: HttpServices,
  tenant: string,
  id: string,
): string | Promise<string> {
  const { latestView, latest, table, registry } = services
  if (latestView === undefined) {
    return latest
      .devices(tenant, [id])
      .then(([points]) => encodeLatest(id, registry.get(tenant, id), points))
  }
  const device = table.findDevice(tenant, id)
  if (device === undefined) throw noTelemetry(id)
  return encodeLatest(id, registry.get(tenant, id), latestView.device(device))
}

function encodeLatest(
  id: string,
  device: DeviceView | undefined,
  points: readonly LatestPoint[],
): string {
  let metrics = ''
  let newestUs = -1
  for (const { metric, timeUs, value } of points) {
    metrics += encodeMetric(metric, value)
    if (timeUs > newestUs) newestUs = timeUs
  }
  if (newestUs < 0) throw noTelemetry(id)
  return encodeIdentity(id, device) + metrics + encodeTimes(newestUs, device?.lastSeenMs)
}

export const noTelemetry = (id: string): HttpProblem =>
  notFound(`there is no telemetry of device ${JSON.stringify(id)}`)
