import { decodeJson, InexactNumber, isRecord } from '../json.ts'
import type { PointSink } from '../point-sink.ts'

const FIELDS = new Set(['device_id', 'sensor_type', 'value', 'unit', 'timestamp'])

/** Longer than any unit's name. */
const MAX_UNIT_LENGTH = 100

/** Whose the record was, of what, and its unit where it told one. */
export interface SensorRecord {
  readonly deviceId: string
  readonly metric: string
  readonly unit?: string
}

/**
 * The record of the sensor record API, payload of `iot/data`:
 * `{device_id, sensor_type, value, unit?, timestamp?}`; the sensor's type is the metric.
 * Undefined when it was refused; a unit that is none costs only itself.
 *
 * @throws SyntaxError when the payload is not JSON.
 */
export function decodeSensorRecord(payload: Buffer, sink: PointSink): SensorRecord | undefined {
  let record: SensorRecord | undefined
  decodeJson(payload.toString(), sink, json => {
    record = undefined
    const before = sink.accepted
    if (!isRecord(json)) {
      sink.reject('', 'must be an object {device_id, sensor_type, value}', 'malformed')
      return
    }
    for (const field in json) {
      if (!FIELDS.has(field)) sink.remark(field, 'is not a field of a record', 'unknown_field')
    }
    const device = sink.device(json.device_id)
    if (device === undefined) return
    const { sensor_type: metric, value } = json
    if (typeof metric !== 'string') {
      const detail = metric === undefined ? 'is missing' : 'must be a string'
      sink.reject('sensor_type', detail, 'invalid_name')
      return
    }
    if (value === undefined) {
      sink.reject('value', 'is missing', 'malformed')
      return
    }
    if (typeof value === 'object' && value !== null && !(value instanceof InexactNumber)) {
      sink.reject('value', 'must be a number, a boolean or a string', 'invalid_value')
      return
    }
    const timeUs = sink.time(json.timestamp)
    if (timeUs !== timeUs) return
    sink.message(device, timeUs)
    sink.metric(metric, value, '')
    if (sink.accepted === before) return
    const unit = unitOf(json.unit, sink)
    record = { deviceId: device.name, metric, ...(unit === undefined ? {} : { unit }) }
  })
  return record
}

function unitOf(unit: unknown, sink: PointSink): string | undefined {
  if (unit === undefined || unit === null || unit === '') return undefined
  const isText = typeof unit === 'string' && unit.length <= MAX_UNIT_LENGTH && unit.isWellFormed()
  if (isText) return unit
  sink.remark('unit', `must be text of at most ${MAX_UNIT_LENGTH} characters`, 'invalid_value')
  return undefined
}
