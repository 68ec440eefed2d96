import type { Executor } from '../generator/executor.ts'
import type { RequestKind, Workload } from '../workloads/workload.ts'
import { functionName, javascriptRequests, quoted } from './javascript.ts'
import { segmentsOf, totalMs } from '../generator/pace.ts'

/** Connections of each of its workers. */
const POOL = 100

/** The YAML of Artillery. `processor` is the name of the file with its functions. */
export function artilleryScript(
  workload: Workload,
  executor: Executor,
  { url, processor }: { readonly url: string; readonly processor: string },
): string {
  const { requests, slo } = workload
  const latency = (name: string, share: string, limitMs: number): string =>
    `      - ${quoted(`plugins.metrics-by-endpoint.response_time.${name}.${share}`)}: ${limitMs}\n`
  const thresholds = requests.map(
    ({ name }) => latency(name, 'p95', slo.p95Ms) + latency(name, 'p99', slo.p99Ms),
  )
  return `config:
  target: ${quoted(url)}
  processor: ${quoted(`./${processor}`)}
  http:
    timeout: 10
    pool: ${executor.kind === 'reconnect-storm' ? workload.devices : POOL}
  phases:
${phases(workload, executor)}  plugins:
    ensure: {}
    expect:
      formatter: silent
      reportFailuresAsErrors: true
      useOnlyRequestNames: true
    metrics-by-endpoint:
      useOnlyRequestNames: true
  ensure:
    maxErrorRate: ${slo.maxErrorShare * 100}
    thresholds:
${thresholds.join('')}scenarios:
${scenarios(workload, executor)}`
}

function phases(workload: Workload, executor: Executor): string {
  const phase = (fields: Readonly<Record<string, number | string>>): string =>
    Object.entries(fields)
      .map(([name, value], place) => `    ${place === 0 ? '-' : ' '} ${name}: ${value}\n`)
      .join('')
  switch (executor.kind) {
    case 'closed':
      // All at once, then each goes on until the time is over.
      return phase({ duration: 1, arrivalCount: executor.users })
    case 'reconnect-storm':
      return phase({
        duration: Math.max(1, Math.ceil(executor.withinMs / 1000)),
        arrivalCount: workload.devices,
      })
    default: {
      const mode = executor.arrivals === 'poisson' ? 'poisson' : 'uniform'
      return segmentsOf(executor)
        .map(({ from, to, durationMs }) => {
          const duration = Math.max(1, Math.round(durationMs / 1000))
          // A ramp has its arrivals evenly; Artillery draws none there.
          return from === to
            ? phase({ duration, arrivalRate: from, mode })
            : phase({ duration, arrivalRate: from, rampTo: to })
        })
        .join('')
    }
  }
}

function scenarios(workload: Workload, executor: Executor): string {
  const { requests } = workload
  switch (executor.kind) {
    case 'closed': {
      const [least, most] = executor.thinkMs
      return `  - name: ${quoted(workload.title)}
    flow:
      - function: start
      - loop:
          - function: choose
${requests.map((kind, place) => requestText(kind, { spaces: 10, condition: `kind == ${place}` })).join('')}          - think: "{{ $randomNumber(${least}, ${most}) }}ms"
        whileTrue: isNotOver
`
    }
    case 'reconnect-storm':
      return `  - name: ${quoted(workload.title)}
    flow:
      - function: ownDevice
      - loop:
${requestText(requests[0], { spaces: 10 })}        count: ${executor.requestsEach}
`
    default:
      return requests
        .map(
          kind => `  - name: ${quoted(kind.name)}
    weight: ${kind.weight}
    flow:
      - function: newDevice
${requestText(kind, { spaces: 6 })}`,
        )
        .join('')
  }
}

function requestText(
  kind: RequestKind,
  { spaces, condition }: { readonly spaces: number; readonly condition?: string },
): string {
  const { name, method, expects, tolerates = [] } = kind
  const lines = [
    `- ${method.toLowerCase()}:`,
    '    url: "/"',
    `    name: ${quoted(name)}`,
    ...(condition === undefined ? [] : [`    ifTrue: ${quoted(condition)}`]),
    `    beforeRequest: ${functionName(kind)}`,
    '    afterResponse: count',
    '    expect:',
    `      - statusCode: [${[...expects, ...tolerates].join(', ')}]`,
  ]
  return lines.map(line => `${' '.repeat(spaces)}${line}\n`).join('')
}

/** The functions that the YAML names; CommonJS, as all versions read it. */
export function artilleryProcessor(workload: Workload, executor: Executor): string {
  const functions = workload.requests.map(
    (kind, place) => `  ${functionName(kind)}: prepare(REQUESTS[${place}]),\n`,
  )
  return `'use strict'

const HEADERS = { 'content-type': 'application/json' }
if (process.env.API_KEY) HEADERS.authorization = 'Bearer ' + process.env.API_KEY

${javascriptRequests(workload, 'Number.parseInt(process.env.LOCAL_WORKER_ID, 10) || 0')}
const DURATION_MS = ${totalMs(executor)}
let started = 0

const prepare = request => (params, context, _events, done) => {
  const { path, body } = request.make(context.vars.device)
  params.url = context.vars.target + path
  if (body !== null) params.body = body
  params.headers = { ...HEADERS, ...params.headers }
  done()
}

module.exports = {
${functions.join('')}  newDevice(context, _events, done) {
    context.vars.device = anyDevice()
    done()
  },
  ownDevice(context, _events, done) {
    context.vars.device = deviceName(started++)
    done()
  },
  start(context, _events, done) {
    context.vars.untilMs = Date.now() + DURATION_MS
    done()
  },
  choose(context, _events, done) {
    context.vars.kind = REQUESTS.indexOf(anyRequest())
    context.vars.device = anyDevice()
    done()
  },
  isNotOver(context, done) {
    done(Date.now() < context.vars.untilMs)
  },
  /** A tolerated status is told apart from successes and failures. */
  count(params, response, _context, events, done) {
    const request = REQUESTS.find(({ name }) => name === params.name)
    if (request.expects.includes(response.statusCode)) {
      events.emit('counter', 'acknowledged_points', request.points)
    } else if (request.tolerates.includes(response.statusCode)) {
      events.emit('counter', 'tolerated.' + request.name, 1)
    }
    done()
  },
}
`
}
