import { isoFromTime } from '../model/time.ts'
import type { SeriesPoints } from '../ports/store.ts'
import type { DeviceView } from '../registry/device-list.ts'

/** The record's own fields; a metric of such a name is stored, and read through the native API. */
const RESERVED = new Set([
  'device_id',
  'device_uuid',
  'alias',
  'device_time',
  'system_time_utc',
  'rejected',
])

/** `"temperature":21.5,`: each field of a record ends in a comma, the times close it. */
export function encodeMetric(name: string, value: number | string): string {
  if (RESERVED.has(name)) return ''
  return `${JSON.stringify(name)}:${encodeValue(value)},`
}

/** JSON of a value that parses back to the same bits: `String` would lose -0. */
export function encodeValue(value: number | string): string {
  if (typeof value === 'string') return JSON.stringify(value)
  return value === 0 && 1 / value < 0 ? '-0' : String(value)
}

/** The beginning of a record: who sent it. */
export function encodeIdentity(id: string, device: DeviceView | undefined): string {
  const uuid = device === undefined ? 'null' : `"${device.uuid}"`
  const alias = device?.name === undefined ? 'null' : JSON.stringify(device.name)
  return `{"device_id":${JSON.stringify(id)},"device_uuid":${uuid},"alias":${alias},`
}

/** The end of a record; the arrival is known of the newest record only. */
export function encodeTimes(deviceUs: number, arrivalMs: number | undefined): string {
  const arrival = arrivalMs === undefined ? 'null' : `"${isoFromTime(arrivalMs * 1000)}"`
  return `"device_time":"${isoFromTime(deviceUs)}","system_time_utc":${arrival}}`
}

/**
 * The series of one device as records, newest first, one a time, at most `limit`. Each series holds
 * its newest `limit` points, so every record is complete.
 */
export function encodeRecords(
  identity: string,
  series: readonly SeriesPoints[],
  limit: number,
): string {
  const at = new Uint32Array(series.length)
  let json = ''
  for (let count = 0; count < limit; count++) {
    let newest = -1
    for (let s = 0; s < series.length; s++) {
      const time = series[s].timestamps[at[s]] ?? -1
      if (time > newest) newest = time
    }
    if (newest < 0) break
    let record = count === 0 ? identity : `,${identity}`
    for (let s = 0; s < series.length; s++) {
      const { timestamps, values, texts, metric } = series[s]
      const i = at[s]
      if (timestamps[i] !== newest) continue
      record += encodeMetric(metric, texts?.[i] ?? values[i])
      at[s] = i + 1
    }
    json += record + encodeTimes(newest, undefined)
  }
  return `[${json}]`
}
