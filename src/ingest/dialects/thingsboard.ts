import type { DeviceEntry } from '../../model/series-table.ts'
import { decodeJson, isRecord } from '../json.ts'
import type { PointSink } from '../point-sink.ts'

/** A flat record has no time; this is a name that the scanner never meets. */
const NO_TIME = '\0'
const WANTED = 'must be an object {key: value} or {ts, values}, or an array of it'

export interface ThingsboardSource {
  /** The device of the token; undefined: the payload names it (a gateway's). */
  readonly deviceId: string | undefined
  /**
   * Whether refusals name an item of an array by their `index`, as an answer to the request does;
   * else it is in their `field` (`[2].values.x`), and `index` stays the message's.
   */
  readonly countsItems: boolean
}

/**
 * Telemetry of ThingsBoard devices: `{key: value, …}`, `{ts, values: {…}}` with `ts` in milliseconds,
 * or an array of them. A gateway's: `{"Device A": [the same], …}`.
 *
 * @throws SyntaxError when it is not JSON.
 */
export function decodeThingsboard(body: Buffer, source: ThingsboardSource, sink: PointSink): void {
  const { deviceId, countsItems } = source
  if (deviceId === undefined) {
    decodeJson(body.toString(), sink, json => decodeGateway(json, sink))
    return
  }
  const device = sink.device(deviceId, 'token')
  if (device === undefined) return
  if (sink.scanner.scanRecord(body, sink, { device, timeField: NO_TIME })) return
  sink.restart()
  decodeJson(body.toString(), sink, json => {
    if (countsItems && Array.isArray(json)) {
      if (json.length === 0) sink.reject('', 'the array is empty', 'malformed')
      for (let i = 0; i < json.length; i++) {
        sink.index = i
        decodeItem(json[i], { device, field: '' }, sink)
      }
    } else decodeItems(json, { device, field: '' }, sink)
  })
}

function decodeGateway(json: unknown, sink: PointSink): void {
  if (!isRecord(json)) {
    sink.reject('', 'must be an object of devices {"Device A": [{ts, values}]}', 'malformed')
    return
  }
  let empty = true
  for (const name in json) {
    empty = false
    const field = name.length > 100 ? `${name.slice(0, 100)}…` : name
    const device = sink.device(name, field)
    if (device !== undefined) decodeItems(json[name], { device, field }, sink)
  }
  if (empty) sink.reject('', 'has no devices', 'malformed')
}

/** Whose metrics come next, and where they stand in the payload. */
interface Place {
  readonly device: DeviceEntry
  readonly field: string
}

function decodeItems(json: unknown, { device, field }: Place, sink: PointSink): void {
  if (!Array.isArray(json)) {
    decodeItem(json, { device, field }, sink)
    return
  }
  if (json.length === 0) sink.reject(field, 'the array is empty', 'malformed')
  for (let i = 0; i < json.length; i++) {
    decodeItem(json[i], { device, field: `${field}[${i}]` }, sink)
  }
}

function decodeItem(json: unknown, { device, field }: Place, sink: PointSink): void {
  if (!isRecord(json)) {
    sink.reject(field, WANTED, 'malformed')
    return
  }
  const { ts, values } = json
  // As ThingsBoard tells them apart: one alone is a key like any other.
  if (ts === undefined || !isRecord(values)) {
    sink.message(device, sink.arrivalUs)
    sink.metrics(json, field)
    return
  }
  const inner = (name: string): string => (field === '' ? name : `${field}.${name}`)
  const points = Math.max(1, Object.keys(values).length)
  const refusal = {
    field: inner('ts'),
    shown: String(ts),
    invalid: 'is not a whole number of milliseconds since 1970',
  }
  const timeUs = sink.unitTime(microseconds(ts), points, refusal)
  if (timeUs !== timeUs) return
  sink.message(device, timeUs)
  sink.metrics(values, inner('values'))
}

function microseconds(ts: unknown): number {
  const ms = typeof ts === 'string' && /^\d{1,16}$/.test(ts) ? Number(ts) : ts
  return Number.isSafeInteger(ms) ? (ms as number) * 1000 : NaN
}

/** What a client says of devices: `[device, attributes]`, the device undefined for its own. */
export type AttributeSet = readonly [
  device: string | undefined,
  attributes: Readonly<Record<string, unknown>>,
]

/**
 * Client attributes: `{key: value, …}`, or a gateway's `{"Device A": {key: value}, …}`. The problem
 * is a sentence.
 */
export function readAttributes(
  payload: Buffer,
  isGateway: boolean,
): { readonly sets: readonly AttributeSet[] } | { readonly problem: string } {
  let json: unknown
  try {
    json = JSON.parse(payload.toString())
  } catch (error) {
    return { problem: (error as Error).message }
  }
  if (!isRecord(json)) return { problem: 'must be an object of attributes' }
  if (!isGateway) return { sets: [[undefined, json]] }
  const sets: AttributeSet[] = []
  for (const [device, attributes] of Object.entries(json)) {
    if (!isRecord(attributes)) return { problem: `${device} must be an object of attributes` }
    sets.push([device, attributes])
  }
  return { sets }
}
