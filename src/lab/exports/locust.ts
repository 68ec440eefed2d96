import type { Executor } from '../generator/executor.ts'
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
import { highestRate, segmentsOf, stopsOnBreach, totalMs } from '../generator/pace.ts'

/** More users than these cost Locust more than the requests do. */
const MAX_USERS = 500
const MIN_USERS = 10

const text = (value: string): string => JSON.stringify(value)

const momentCall = ({ leastAgoMs, mostAgoMs }: Span): string =>
  `moment(device, ${leastAgoMs}, ${mostAgoMs})`

const PYTHON: Dialect = {
  literal: value => {
    if (typeof value === 'boolean') return value ? 'True' : 'False'
    return JSON.stringify(value)
  },
  number: (min, max, decimals) => `decimal(${min}, ${max}, ${decimals})`,
  uniqueTime: moment => `unique_time(${moment})`,
  time: ago => `time_before(${ago})`,
  serial: prefix => `serial(${text(prefix)})`,
  pick: values => `random.choice([${values.join(', ')}])`,
  object: fields =>
    `{\n${fields.map(([name, value]) => `${indented(`${text(name)}: ${value}`, 4)},\n`).join('')}}`,
  list: ({ item, count, index }) =>
    `[\n${indented(item, 4)}\n    for ${index} in range(${count})\n]`,
  listOfDevices: ({ item, count, span }) => {
    const at = span === undefined ? '' : `\n    for at in [${momentCall(span)}]`
    return `[\n${indented(item, 4)}\n    for device in some_devices(${count})${at}\n]`
  },
  path: parts =>
    parts
      .map(part => ('text' in part ? text(part.text) : `quote(${part.expression}, safe="")`))
      .join(' + '),
}

/** A file for Locust: `locust -f FILE --headless`; how many users, and how long, it says itself. */
export function locustFile(workload: Workload, executor: Executor, url: string): string {
  const { slo } = workload
  return `import json
import os
import random
import time
from datetime import datetime, timezone
from urllib.parse import quote

import gevent
from locust import FastHttpUser, LoadTestShape, constant_throughput, events, task
from locust.exception import StopUser

HEADERS = {"content-type": "application/json"}
if os.environ.get("API_KEY"):
    HEADERS["authorization"] = "Bearer " + os.environ["API_KEY"]

${runtime(workload)}

class Device(FastHttpUser):
    host = os.environ.get("BASE_URL", ${text(url)})
    network_timeout = 10
    connection_timeout = 10
    # A failure is a failure.
    max_retries = 0

${indented(behaviour(executor), 4)}
    def send(self, name, expects, tolerates, points, method, path, body=None):
        global acknowledged_points
        data = None if body is None else json.dumps(body, separators=(",", ":"))
        with self.client.request(
            method, path, data=data, headers=HEADERS, name=name, catch_response=True
        ) as response:
            if response.status_code in expects:
                acknowledged_points += points
                response.success()
            elif response.status_code in tolerates:
                # Neither success nor failure: a line of its own.
                response.request_meta["name"] = f"{name} ({response.status_code})"
                response.success()
            else:
                response.failure(f"status {response.status_code}")

${workload.requests.map(kind => indented(taskText(kind), 4)).join('\n')}

${shape(workload, executor)}

MAX_P95_MS = ${slo.p95Ms}
MAX_P99_MS = ${slo.p99Ms}
MAX_ERROR_SHARE = ${slo.maxErrorShare}


def breaches(environment):
    stats = environment.stats
    found = []
    if stats.total.fail_ratio > MAX_ERROR_SHARE:
        found.append(f"errors {stats.total.fail_ratio:.2%}")
    for entry in list(stats.entries.values()):
        for share, limit in ((0.95, MAX_P95_MS), (0.99, MAX_P99_MS)):
            ms = entry.get_response_time_percentile(share)
            if ms > limit:
                found.append(f"p{share * 100:.0f} of {entry.name} {ms} ms")
    return found


@events.quitting.add_listener
def conclude(environment, **_):
    print(f"acknowledged points: {acknowledged_points}")
    found = breaches(environment)
    if found:
        print("SLO broken: " + ", ".join(found))
        environment.process_exit_code = 1
`
}

function runtime({ devices, devicePrefix }: Workload): string {
  return `DEVICES = ${devices}
# A number that no other worker has: the microseconds of its times, so that two never give a device
# the same one.
LANE = 0


@events.init.add_listener
def prepare(environment, **_):
    global LANE
    # At the end, what was sent may still be answered.
    environment.stop_timeout = 10
    LANE = getattr(environment.runner, "worker_index", 0) % 1000


def device_name(place):
    return ${text(devicePrefix)} + str(place % DEVICES).zfill(5)


def any_device():
    return device_name(random.randrange(DEVICES))


def some_devices(count):
    """Different ones."""
    first = random.randrange(DEVICES)
    return [device_name(first + place) for place in range(count)]


def decimal(least, most, decimals):
    return round(random.uniform(least, most), decimals)


serials = 0
acknowledged_points = 0


def serial(prefix):
    """Unique in the run."""
    global serials
    serials += 1
    return prefix + str(serials * 1000 + LANE)


newest = {}


def now_ms():
    return time.time_ns() // 1_000_000


def moment(device, least_ago_ms, most_ago_ms):
    """From when a request tells its times: all are newer than those of the device before."""
    at = max(now_ms(), newest.get(device, 0) + most_ago_ms + 1)
    newest[device] = at - least_ago_ms
    return at


def iso(ms):
    return datetime.fromtimestamp(ms // 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}"


def unique_time(ms):
    return f"{iso(ms)}{LANE:03d}Z"


def time_before(ago_ms):
    return iso(now_ms() - ago_ms) + "Z"
`
}

function behaviour(executor: Executor): string {
  switch (executor.kind) {
    case 'closed': {
      const [least, most] = executor.thinkMs
      return `# Waits for the answer, and then a while.
def wait_time(self):
    return random.uniform(${least / 1000}, ${most / 1000})

def device(self):
    return any_device()
`
    }
    case 'reconnect-storm':
      return `# A user is a device, with a connection of its own, and ends when its backlog is sent.
started = 0
ended = 0
wait_time = lambda self: 0

def on_start(self):
    if Device.started == DEVICES:
        # In place of one that has ended: there are no further devices.
        raise StopUser()
    self.own_device = device_name(Device.started)
    self.left = ${executor.requestsEach}
    Device.started += 1

def device(self):
    if self.left == 0:
        Device.ended += 1
        raise StopUser()
    self.left -= 1
    return self.own_device
`
    default:
      return `${arrivals(executor)}
def device(self):
    return any_device()
`
  }
}

/** Requests a second of one user; their number makes the rate. */
function userRate(executor: Executor): number {
  const highest = highestRate(executor)
  return highest / Math.min(MAX_USERS, Math.max(MIN_USERS, highest))
}

function arrivals(executor: Executor): string {
  const rate = userRate(executor)
  if (!('arrivals' in executor) || executor.arrivals === 'constant') {
    return `rate = ${rate}
wait_time = constant_throughput(rate)

def on_start(self):
    # Not all at once.
    gevent.sleep(random.uniform(0, 1 / self.rate))
`
  }
  return `# Times are drawn beforehand: an answer that is late does not make the next request late.
rate = ${rate}

def on_start(self):
    self.due = time.perf_counter()
    gevent.sleep(self.wait_time())

def wait_time(self):
    self.due += random.expovariate(self.rate)
    return max(0, self.due - time.perf_counter())
`
}

/** `POST telemetry` → `post_telemetry`. */
function taskText(kind: RequestKind): string {
  const { name, weight, method, path, body, expects, tolerates = [], points } = kind
  const parts = path.filter(part => typeof part !== 'string')
  const span = union([...parts, ...(body === undefined ? [] : [body])].map(spanOf))
  const values = [
    ...[text(name), JSON.stringify(expects), JSON.stringify(tolerates), String(points)],
    ...[text(method), pathOf(path, PYTHON)],
    ...(body === undefined ? [] : [expressionOf(body, PYTHON)]),
  ]
  const lines = [
    'device = self.device()',
    ...(span === undefined ? [] : [`at = ${momentCall(span)}`]),
    `self.send(\n${values.map(value => `${indented(value, 4)},\n`).join('')})`,
  ]
  return `@task(${weight})
def ${wordsOf(name).join('_')}(self):
${indented(lines.join('\n'), 4)}
`
}

function shape(workload: Workload, executor: Executor): string {
  const lastMs = totalMs(executor)
  const end = `        if seconds >= ${lastMs / 1000}${stopsOnBreach(executor) ? ' or (seconds > 10 and breaches(self.runner.environment))' : ''}:
            return None
`
  const head = `class Shape(LoadTestShape):
    def tick(self):
        seconds = self.get_run_time()
${end}`
  if (executor.kind === 'closed') {
    return `${head}        return ${executor.users}, ${executor.users}
`
  }
  if (executor.kind === 'reconnect-storm') {
    const { devices } = workload
    return `${head}        if Device.ended == ${devices}:
            return None
        return ${devices}, ${Math.max(1, devices / (executor.withinMs / 1000))}
`
  }
  const segments = segmentsOf(executor).map(
    ({ from, to, durationMs }) => `    (${from}, ${to}, ${durationMs / 1000}),\n`,
  )
  return `# Requests a second from, to, within seconds.
SEGMENTS = [
${segments.join('')}]


${head}        left = seconds
        for first, last, lasts in SEGMENTS:
            if left < lasts:
                rate = first + (last - first) * left / lasts
                users = max(1, round(rate / Device.rate))
                return users, ${MAX_USERS}
            left -= lasts
        return None
`
}
