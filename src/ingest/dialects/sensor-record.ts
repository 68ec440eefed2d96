import { decodeJson, isRecord } from '../json.ts'
import type { PointSink } from '../point-sink.ts'

const FIELDS = new Set(['device_id', 'sensor_type', 'value', 'unit', 'timestamp'])

/**
 * The record of the sensor record API, payload of `iot/data`:
 * `{device_id, sensor_type, value, unit?, timestamp?}`; the sensor's type is the metric.
 *
 * @throws SyntaxError when the payload is not JSON.
 */
export function decodeSensorRecord(payload: Buffer, sink: PointSink): void {
  decodeJson(payload.toString(), sink, json => {
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
    const timeUs = sink.time(json.timestamp)
    if (timeUs !== timeUs) return
    sink.message(device, timeUs)
    sink.metric(metric, value, '')
  })
}
