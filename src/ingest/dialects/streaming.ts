import { decodeJson, InexactNumber, isRecord } from '../json.ts'
import type { PointSink } from '../point-sink.ts'

const MAX_LOCATION_LENGTH = 256

/** Whose the message was, and where that says it is. */
export interface StreamingMessage {
  readonly deviceId: string
  readonly location?: string
}

/**
 * The message of the streaming platform API's producer:
 * `{device_id, metric, value, timestamp?, location?}`. Other fields are passed over. Undefined
 * when it was refused.
 *
 * @throws SyntaxError when the body is not JSON.
 */
export function decodeStreamingMessage(
  body: Buffer,
  sink: PointSink,
): StreamingMessage | undefined {
  let message: StreamingMessage | undefined
  decodeJson(body.toString(), sink, json => {
    message = undefined
    if (!isRecord(json)) {
      sink.reject('', 'must be an object {device_id, metric, value}', 'malformed')
      return
    }
    const device = sink.device(json.device_id)
    if (device === undefined) return
    const { metric, value, location: place } = json
    if (typeof metric !== 'string') {
      sink.reject(
        'metric',
        metric === undefined ? 'is missing' : 'must be a string',
        'invalid_name',
      )
      return
    }
    if (value === undefined) {
      sink.reject('value', 'is missing', 'malformed')
      return
    }
    if (typeof value === 'object' && !(value instanceof InexactNumber)) {
      sink.reject('value', 'must be a number, a boolean or a string', 'invalid_value')
      return
    }
    if (place !== undefined && place !== null && !isLocation(place)) {
      const detail = `must be text of 1 to ${MAX_LOCATION_LENGTH} characters`
      sink.reject('location', detail, 'invalid_value')
      return
    }
    const timeUs = sink.time(json.timestamp)
    if (timeUs !== timeUs) return
    sink.message(device, timeUs)
    sink.metric(metric, value, '')
    if (sink.accepted === 0) return
    message = { deviceId: device.name, ...(isLocation(place) ? { location: place } : {}) }
  })
  return message
}

const isLocation = (value: unknown): value is string =>
  typeof value === 'string' &&
  value.length > 0 &&
  value.length <= MAX_LOCATION_LENGTH &&
  value.isWellFormed()
