import { decodeJson, isRecord } from '../json.ts'
import type { PointSink } from '../point-sink.ts'

/**
 * `POST /api/telemetry/{device_id}` of the fleet benchmark API: any flat object of metrics, with
 * the time, if any, in `device_time`.
 *
 * @throws SyntaxError when the body is not JSON.
 */
export function decodeFleetRecord(body: Buffer, deviceId: string, sink: PointSink): void {
  decodeFlat(body, sink, { deviceId, timeField: 'device_time' })
}

/** The payload of `devices/{device_id}/telemetry`: `{metric: value, …, timestamp?}`. */
export function decodeTopicTelemetry(payload: Buffer, deviceId: string, sink: PointSink): void {
  decodeFlat(payload, sink, { deviceId, timeField: 'timestamp' })
}

interface FlatOptions {
  readonly deviceId: string
  readonly timeField: string
}

function decodeFlat(body: Buffer, sink: PointSink, { deviceId, timeField }: FlatOptions): void {
  const device = sink.device(deviceId)
  if (device === undefined) return
  if (sink.scanner.scanRecord(body, sink, { device, timeField })) return
  sink.restart()
  decodeJson(body.toString(), sink, json => {
    if (!isRecord(json)) {
      sink.reject('', 'must be an object of metrics', 'malformed')
      return
    }
    const timeUs = sink.time(json[timeField], timeField)
    if (timeUs !== timeUs) return
    sink.message(device, timeUs)
    let empty = true
    for (const name in json) {
      if (name === timeField) continue
      empty = false
      sink.metric(name, json[name], '')
    }
    if (empty) sink.reject('', 'has no metrics', 'malformed')
  })
}

export interface BareValue {
  readonly deviceId: string
  readonly metric: string
  /** Dots lead into a JSON payload (`reading.value`); absent: the payload is the value. */
  readonly jsonPath?: string
}

/**
 * The payload of `devices/{device_id}/{metric}` and of configured templates: a bare JSON value
 * (`21.5`, `true`, `"on"`, an object), or plain text that is no JSON, which is a text point.
 */
export function decodeBareValue(payload: Buffer, target: BareValue, sink: PointSink): void {
  const text = payload.toString()
  const put = (json: unknown): void => {
    const device = sink.device(target.deviceId)
    if (device === undefined) return
    let value = json
    for (const step of target.jsonPath?.split('.') ?? []) {
      value = isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined
    }
    if (value === undefined) {
      sink.reject(target.jsonPath ?? '', 'is missing in the payload', 'malformed')
      return
    }
    sink.message(device, sink.arrivalUs)
    sink.metric(target.metric, value, '')
  }
  if (target.jsonPath === undefined && !looksLikeJson(text)) put(text)
  else decodeJson(text, sink, put)
}

/** `NaN`, `Infinity` and `+5` are no JSON and no text either: they go to the parser, which refuses them. */
function looksLikeJson(text: string): boolean {
  return /^\s*([-+]?[\d.]|["[{]|[-+]?(NaN|Infinity)\s*$|(true|false|null)\s*$|$)/i.test(text)
}
