import type { Executor } from '../generator/executor.ts'
import type { Workload } from '../workloads/workload.ts'
import { indented } from './expression.ts'
import { javascriptRequests, quoted } from './javascript.ts'
import { highestRate, segmentsOf, stopsOnBreach, totalMs } from '../generator/pace.ts'

/** k6 starts a request late, and says so, when all of its VUs wait for an answer. */
const MAX_VUS = 1000
/** What a threshold of k6 that ends the run waits for, so that the first seconds do not decide. */
const EVALUATED_AFTER = '10s'

/** A script for k6. It reads `BASE_URL` and `API_KEY` of its environment. */
export function k6Script(workload: Workload, executor: Executor, url: string): string {
  const options = JSON.stringify(
    {
      scenarios: { load: scenarioOf(workload, executor) },
      thresholds: thresholdsOf(workload, executor),
      summaryTrendStats: ['count', 'avg', 'p(50)', 'p(95)', 'p(99)', 'max'],
      discardResponseBodies: true,
    },
    undefined,
    2,
  )
  return `import http from 'k6/http'
import { check, sleep } from 'k6'
import { Counter } from 'k6/metrics'
import exec from 'k6/execution'

const BASE_URL = __ENV.BASE_URL || ${quoted(url)}
const HEADERS = { 'content-type': 'application/json' }
if (__ENV.API_KEY) HEADERS.authorization = 'Bearer ' + __ENV.API_KEY

export const options = ${options}

/** Answers that are neither success nor failure, and points that were acknowledged. */
const tolerated = new Counter('tolerated')
const acknowledged = new Counter('acknowledged_points')

${javascriptRequests(workload, '__VU')}
/** A tolerated status is no failed request of k6; the counter above tells it apart. */
const expected = REQUESTS.map(({ expects, tolerates }) =>
  http.expectedStatuses(...expects, ...tolerates),
)

function send(request, device) {
  const { path, body } = request.make(device)
  const response = http.request(request.method, BASE_URL + path, body, {
    headers: HEADERS,
    tags: { name: request.name },
    timeout: '10s',
    responseCallback: expected[REQUESTS.indexOf(request)],
  })
  const isSuccess = request.expects.includes(response.status)
  const isTolerated = request.tolerates.includes(response.status)
  if (isTolerated) tolerated.add(1, { name: request.name })
  if (isSuccess) acknowledged.add(request.points)
  check(response, { 'expected or tolerated': () => isSuccess || isTolerated }, { name: request.name })
}

export default function () {
${indented(bodyOf(executor), 2)}
}
`
}

function bodyOf(executor: Executor): string {
  switch (executor.kind) {
    case 'closed': {
      const [least, most] = executor.thinkMs
      return `send(anyRequest(), anyDevice())
sleep((${least} + Math.random() * ${most - least}) / 1000)`
    }
    case 'reconnect-storm':
      return `// A virtual user is a device, with a connection of its own.
if (exec.vu.iterationInScenario === 0) sleep((Math.random() * ${executor.withinMs}) / 1000)
send(REQUESTS[0], deviceName(exec.vu.idInTest - 1))`
    default:
      return 'send(anyRequest(), anyDevice())'
  }
}

const milliseconds = (ms: number): string => `${ms}ms`

function scenarioOf(workload: Workload, executor: Executor): Readonly<Record<string, unknown>> {
  const gracefulStop = '10s'
  const maxDuration = milliseconds(totalMs(executor))
  switch (executor.kind) {
    case 'closed': {
      const { users: vus, iterations } = executor
      if (iterations === undefined) {
        return { executor: 'constant-vus', vus, duration: maxDuration, gracefulStop }
      }
      return { executor: 'shared-iterations', vus, iterations, maxDuration, gracefulStop }
    }
    case 'reconnect-storm': {
      const { requestsEach: iterations } = executor
      const vus = workload.devices
      return { executor: 'per-vu-iterations', vus, iterations, maxDuration, gracefulStop }
    }
    default: {
      const preAllocatedVUs = Math.min(MAX_VUS, Math.max(50, Math.ceil(highestRate(executor) / 2)))
      const common = { preAllocatedVUs, maxVUs: MAX_VUS, gracefulStop }
      return { ...openLoop(executor), ...common }
    }
  }
}

function openLoop(executor: Executor): Readonly<Record<string, unknown>> {
  if (executor.kind === 'constant-arrival-rate') {
    const { rate, durationMs } = executor
    // Its rates are whole numbers; a fraction is one of a longer unit.
    const unit = Number.isInteger(rate) ? 1 : 10
    const pace = { rate: Math.round(rate * unit), timeUnit: `${unit}s` }
    return { executor: executor.kind, ...pace, duration: milliseconds(durationMs) }
  }
  const segments = segmentsOf(executor)
  const stages = segments.flatMap(({ from, to, durationMs }, place) => {
    const before = place === 0 ? from : segments[place - 1].to
    const jump = before === from ? [] : [{ target: Math.round(from), duration: '0s' }]
    return [...jump, { target: Math.round(to), duration: milliseconds(durationMs) }]
  })
  const startRate = Math.round(segments[0].from)
  return { executor: 'ramping-arrival-rate', startRate, timeUnit: '1s', stages }
}

function thresholdsOf(workload: Workload, executor: Executor): Readonly<Record<string, unknown>> {
  const { p95Ms, p99Ms, maxErrorShare, minAchievedShare } = workload.slo
  const ends = stopsOnBreach(executor)
  const rule = (threshold: string): unknown =>
    ends ? { threshold, abortOnFail: true, delayAbortEval: EVALUATED_AFTER } : threshold
  const latencies = workload.requests.map(({ name }) => [
    `http_req_duration{name:${name}}`,
    [rule(`p(99)<=${p99Ms}`), rule(`p(95)<=${p95Ms}`)],
  ])
  const failures = workload.requests.map(({ name }) => [
    `http_req_failed{name:${name}}`,
    // Shown for each, decided over all.
    ['rate<=1'],
  ])
  const rates =
    executor.kind === 'constant-arrival-rate'
      ? { dropped_iterations: [`rate<=${(1 - minAchievedShare) * executor.rate}`] }
      : {}
  return {
    ...Object.fromEntries([...latencies, ...failures]),
    http_req_failed: [rule(`rate<=${maxErrorShare}`)],
    ...rates,
  }
}
