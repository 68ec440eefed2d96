import type { DeviceEntry } from '../../model/series-table.ts'
import { decodeJson, isRecord } from '../json.ts'
import type { PointSink } from '../point-sink.ts'

/**
 * `POST /api/v1/telemetry/batch`, one device: rows `{device_id, data: [{timestamp, …metrics}]}` or
 * columns `{device_id, timestamps: [], metrics: {name: []}}`. Refusals name the row.
 *
 * @throws SyntaxError when the body is not JSON.
 */
export function decodeTelemetryBatch(body: Buffer, sink: PointSink): void {
  decodeJson(body.toString(), sink, json => {
    if (!isRecord(json)) {
      sink.reject(
        '',
        'must be an object {device_id, data} or {device_id, timestamps, metrics}',
        'malformed',
      )
      return
    }
    const device = sink.device(json.device_id)
    if (device === undefined) return
    const columnar = json.timestamps !== undefined || json.metrics !== undefined
    const fields = columnar ? COLUMN_FIELDS : ROW_FIELDS
    for (const field in json) {
      if (!fields.has(field)) {
        sink.remark(field, 'is not a field of a batch', 'unknown_field')
      }
    }
    if (columnar) decodeColumns(json, device, sink)
    else decodeRows(json.data, device, sink)
  })
}

const ROW_FIELDS = new Set(['device_id', 'data'])
const COLUMN_FIELDS = new Set(['device_id', 'timestamps', 'metrics'])

function decodeRows(rows: unknown, device: DeviceEntry, sink: PointSink): void {
  if (!Array.isArray(rows)) {
    sink.reject('data', 'must be an array of rows {timestamp, …metrics}', 'malformed')
    return
  }
  if (rows.length === 0) sink.remark('data', 'the array is empty', 'malformed')
  for (let i = 0; i < rows.length; i++) {
    sink.index = i
    const row: unknown = rows[i]
    if (!isRecord(row)) {
      sink.reject('', 'must be an object {timestamp, …metrics}', 'malformed')
      continue
    }
    const timeUs = sink.time(row.timestamp)
    if (timeUs !== timeUs) continue
    sink.message(device, timeUs)
    let empty = true
    for (const name in row) {
      if (name === 'timestamp') continue
      empty = false
      sink.metric(name, row[name], '')
    }
    if (empty) sink.reject('', 'has no metrics', 'malformed')
  }
}

function decodeColumns(json: Record<string, unknown>, device: DeviceEntry, sink: PointSink): void {
  const { timestamps, metrics } = json
  if (!Array.isArray(timestamps)) {
    sink.reject('timestamps', 'must be an array of times', 'malformed')
    return
  }
  if (!isRecord(metrics)) {
    sink.reject('metrics', 'must be an object of arrays', 'malformed')
    return
  }
  if (timestamps.length === 0) sink.remark('timestamps', 'the array is empty', 'malformed')
  const times = decodeTimes(timestamps, Object.keys(metrics).length, sink)
  let empty = true
  for (const name in metrics) {
    empty = false
    sink.index = 0
    const column: unknown = metrics[name]
    if (!Array.isArray(column) || column.length !== times.length) {
      const detail = Array.isArray(column)
        ? `has ${column.length} values for ${times.length} timestamps`
        : 'must be an array of values'
      const refusal = { field: `metrics.${name}`, detail, reason: 'malformed' } as const
      sink.rejectPoints(Math.max(1, times.length), refusal)
    } else sink.column(device, name, { times, values: column })
  }
  if (empty) sink.reject('metrics', 'has no metrics', 'malformed')
}

/** NaN where the time was refused, with the row's points, one a column. */
function decodeTimes(
  timestamps: readonly unknown[],
  columns: number,
  sink: PointSink,
): Float64Array {
  const times = new Float64Array(timestamps.length)
  for (let i = 0; i < times.length; i++) {
    sink.index = i
    const value = timestamps[i]
    // Among columns there is no row that could be without a time.
    times[i] = sink.time(value === null ? 'null' : value, 'timestamps', columns)
  }
  return times
}
