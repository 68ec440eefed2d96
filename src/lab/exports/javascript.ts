import type { RequestKind, Workload } from '../workloads/workload.ts'
import {
  expressionOf,
  indented,
  pathOf,
  spanOf,
  union,
  wordsOf,
  type Dialect,
  type Span,
} from './expression.ts'

/** A string as JavaScript and YAML read it. */
export const quoted = (text: string): string => JSON.stringify(text)

const momentCall = ({ leastAgoMs, mostAgoMs }: Span): string =>
  `moment(device, ${leastAgoMs}, ${mostAgoMs})`

export const JAVASCRIPT: Dialect = {
  literal: value => JSON.stringify(value),
  number: (min, max, decimals) => `decimal(${min}, ${max}, ${decimals})`,
  uniqueTime: moment => `uniqueTime(${moment})`,
  time: ago => `timeBefore(${ago})`,
  serial: prefix => `serial(${quoted(prefix)})`,
  pick: values => `pick([${values.join(', ')}])`,
  object: fields =>
    `{\n${fields.map(([name, value]) => `${indented(`${quoted(name)}: ${value}`, 2)},\n`).join('')}}`,
  list: ({ item, count, index }) => `Array.from({ length: ${count} }, (_, ${index}) => (${item}))`,
  listOfDevices: ({ item, count, span }) => {
    if (span === undefined) return `someDevices(${count}).map(device => (${item}))`
    const body = `const at = ${momentCall(span)}\nreturn ${item}`
    return `someDevices(${count}).map(device => {\n${indented(body, 2)}\n})`
  },
  path: parts =>
    parts
      .map(part => ('text' in part ? quoted(part.text) : `encodeURIComponent(${part.expression})`))
      .join(' + '),
}

/** `POST telemetry` → `postTelemetry`. */
export function functionName({ name }: Pick<RequestKind, 'name'>): string {
  const [first, ...rest] = wordsOf(name)
  return first + rest.map(word => word[0].toUpperCase() + word.slice(1)).join('')
}

/**
 * What makes values, and `REQUESTS`: each with `make(device)`, which returns `{path, body}`.
 *
 * @param lane JavaScript expression: a whole number that no other sender of the run has.
 */
export function javascriptRequests(workload: Workload, lane: string): string {
  const requests = workload.requests.map(requestText).join('\n')
  return `${runtime(workload, lane)}
const REQUESTS = [
${indented(requests, 2)}
]
const WEIGHTS = REQUESTS.reduce((sum, request) => sum + request.weight, 0)

/** One of the kinds, as likely as its weight. */
function anyRequest() {
  let left = Math.random() * WEIGHTS
  return REQUESTS.find(request => (left -= request.weight) < 0) || REQUESTS[0]
}
`
}

function requestText(kind: RequestKind): string {
  const { name, weight, method, path, body, expects, tolerates = [], points } = kind
  const parts = path.filter(part => typeof part !== 'string')
  const span = union([...parts, ...(body === undefined ? [] : [body])].map(spanOf))
  const lines = [
    ...(span === undefined ? [] : [`const at = ${momentCall(span)}`]),
    `const path = ${pathOf(path, JAVASCRIPT)}`,
    ...(body === undefined
      ? ['return { path, body: null }']
      : [
          `const body = ${expressionOf(body, JAVASCRIPT)}`,
          'return { path, body: JSON.stringify(body) }',
        ]),
  ]
  return `{
  name: ${quoted(name)},
  weight: ${weight},
  method: ${quoted(method)},
  expects: ${JSON.stringify(expects)},
  tolerates: ${JSON.stringify(tolerates)},
  points: ${points},
  make(device) {
${indented(lines.join('\n'), 4)}
  },
},`
}

function runtime({ devices, devicePrefix }: Workload, lane: string): string {
  return `const DEVICES = ${devices}
const LANE = (${lane}) % 1000
const LANE_DIGITS = String(LANE).padStart(3, '0')

const deviceName = place => ${quoted(devicePrefix)} + String(place % DEVICES).padStart(5, '0')
const anyPlace = () => Math.floor(Math.random() * DEVICES)
const anyDevice = () => deviceName(anyPlace())

/** Different ones. */
function someDevices(count) {
  const first = anyPlace()
  return Array.from({ length: count }, (_, i) => deviceName(first + i))
}

const pick = values => values[Math.floor(Math.random() * values.length)]
const decimal = (min, max, decimals) => Number((min + Math.random() * (max - min)).toFixed(decimals))

let serials = 0
/** Unique in the run: no two senders have the same lane. */
const serial = prefix => prefix + (serials++ * 1000 + LANE)

const newest = {}
/** From when a request tells its times, so that all are newer than those of the device before. */
function moment(device, leastAgoMs, mostAgoMs) {
  const last = newest[device]
  const now = Date.now()
  const at = last !== undefined && now - mostAgoMs <= last ? last + mostAgoMs + 1 : now
  newest[device] = at - leastAgoMs
  return at
}

/** The microseconds are the lane: two senders never give a device the same time. */
const uniqueTime = ms => new Date(ms).toISOString().slice(0, -1) + LANE_DIGITS + 'Z'
const timeBefore = agoMs => new Date(Date.now() - agoMs).toISOString()
`
}
