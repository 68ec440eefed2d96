import { decodeJson, isRecord, parseExactly } from '../json.ts'
import type { PointSink } from '../point-sink.ts'

/**
 * `POST /api/v1/telemetry`: `{device_id, timestamp?, data: {metric: value}}`, or an array of it.
 *
 * @throws SyntaxError when the body is not JSON.
 */
export function decodeTelemetry(body: Buffer, sink: PointSink): void {
  if (sink.scanner.scanMessages(body, sink)) return
  sink.restart()
  decodeJson(body.toString(), sink, json => {
    if (!Array.isArray(json)) {
      decodeMessage(json, sink)
      return
    }
    if (json.length === 0) sink.remark('', 'the array is empty', 'malformed')
    for (let i = 0; i < json.length; i++) {
      sink.index = i
      decodeMessage(json[i], sink)
    }
  })
}

/** The same messages, one a line (NDJSON); a bad line is one refused item. */
export function decodeTelemetryLines(body: Buffer, sink: PointSink): void {
  sink.exactNumbers = true
  let line = 0
  for (let from = 0; from < body.length; line++) {
    let to = body.indexOf(10, from)
    if (to < 0) to = body.length
    const text = body.toString('utf8', from, to).trim()
    from = to + 1
    if (text === '') continue
    sink.index = line
    decodeLine(text, sink)
  }
  if (line === 0) sink.remark('', 'the body is empty', 'malformed')
}

function decodeLine(text: string, sink: PointSink): void {
  try {
    decodeMessage(parseExactly(text), sink)
  } catch (error) {
    if (error instanceof RangeError) sink.reject('', 'is nested too deeply', 'too_deep')
    else if (error instanceof SyntaxError) sink.reject('', error.message, 'malformed')
    else throw error
  }
}

function decodeMessage(message: unknown, sink: PointSink): void {
  if (!isRecord(message)) {
    sink.reject('', 'must be an object {device_id, timestamp?, data}', 'malformed')
    return
  }
  for (const field in message) {
    if (field !== 'device_id' && field !== 'timestamp' && field !== 'data') {
      sink.remark(field, 'is not a field of a message; metrics go in data', 'unknown_field')
    }
  }
  const device = sink.device(message.device_id)
  if (device === undefined) return
  const timeUs = sink.time(message.timestamp)
  if (timeUs !== timeUs) return
  if (!isRecord(message.data)) {
    const detail = message.data === undefined ? 'is missing' : 'must be an object of metrics'
    sink.reject('data', detail, 'malformed')
    return
  }
  sink.message(device, timeUs)
  sink.metrics(message.data, 'data')
}
