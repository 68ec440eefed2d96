import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openApiCheck } from '../../../test/fixtures/openapi-check.ts'
import { freePort } from '../../../test/fixtures/weir-process.ts'
import { until } from '../../../test/fixtures/until.ts'
import { judge } from '../search/verdict.ts'
import { startBenchmarkService } from './benchmark-service.ts'
import { fakeLoads, type FakeLoads, type FakeSystem } from './load.fixture.ts'
import { openApi } from './openapi.ts'

const check = openApiCheck(openApi('1.2.3'))

interface Answer {
  readonly status: number
  readonly text: string
  // oxlint-disable-next-line no-explicit-any -- tests assert on what it is
  readonly json: any
}

interface Service extends FakeLoads {
  readonly url: string
  readonly port: number
  readonly file: string
  ask(method: string, path: string, body?: unknown): Promise<Answer>
  stop(): Promise<void>
}

interface Settings {
  readonly file?: string
  readonly keep?: number
  readonly target?: string
}

async function startService(
  t: TestContext,
  system: Partial<FakeSystem> = {},
  { file, keep = 1000, target = 'http://127.0.0.1:8080' }: Settings = {},
): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-benchmarks-'))
  const loads = fakeLoads(system)
  const resultFile = file ?? join(folder, 'results.ndjson')
  const service = await startBenchmarkService({
    ...{ host: '127.0.0.1', port: 0, target, resultFile, keep },
    ...{ anyHost: false, version: '1.2.3', startLoad: loads.startLoad, judge },
    report: line => t.diagnostic(line),
  })
  let isStopped = false
  const stop = async (): Promise<void> => {
    if (isStopped) return
    isStopped = true
    await service.stop()
  }
  t.after(async () => {
    await stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${service.port}`
  return {
    ...loads,
    ...{ url, port: service.port, file: resultFile, stop },
    async ask(method, path, body) {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const response = await fetch(url + path, {
        method,
        ...(text === undefined ? {} : { body: text }),
      })
      const answer = { status: response.status, text: await response.text() }
      const contentType = response.headers.get('content-type') ?? undefined
      if (path !== '/' && path !== '/openapi.json')
        check({ method, path, contentType, ...{ ...answer, body: answer.text } })
      return {
        ...answer,
        get json() {
          return JSON.parse(answer.text)
        },
      }
    },
  }
}

const done = (service: Service): Promise<unknown> =>
  until('the end of the benchmark', async () => {
    const { json } = await service.ask('GET', '/benchmark-status')
    return json.status === 'idle' && json.last_run !== null
  })

test('the baseline suite is started in the background: 25, 100 and 250 requests a second', async t => {
  const service = await startService(t)
  const answer = await service.ask('POST', '/baseline-suite')
  assert.equal(answer.status, 202)
  assert.equal(answer.json.status, 'started')
  assert.equal(answer.json.tests, 3)
  assert.equal(answer.json.planned_s, 60 + 120 + 60 + 3 * 2)
  await done(service)
  const { json } = await service.ask('GET', '/benchmark-results')
  assert.deepEqual(
    json.results.map((result: Record<string, unknown>) => [
      ...[result['test_type'], result['target_rps'], result['actual_rps'], result['duration_s']],
    ]),
    [
      ['light_load', 25, 25, 60],
      ['standard_load', 100, 100, 120],
      ['high_load', 250, 250, 60],
    ],
  )
  assert.equal(json.runs.length, 1)
  assert.equal(json.runs[0].run_id, answer.json.run_id)
  assert.deepEqual(
    service.plans.map(({ executor, warmUpMs, url }) => ({ executor, warmUpMs, url }))[0],
    {
      executor: {
        ...{ kind: 'constant-arrival-rate', arrivals: 'constant', rate: 25 },
        durationMs: 62_000,
      },
      ...{ warmUpMs: 2000, url: 'http://127.0.0.1:8080' },
    },
  )
})

test('the ceiling is the last rate that held, and the rate that did not is in the table', async t => {
  const service = await startService(t, { capacityRps: 170 })
  const body = { start_rps: 50, increment_rps: 50, duration: 1 }
  const { status, json } = await service.ask('POST', '/throughput-ceiling?wait=true', body)
  assert.equal(status, 200)
  assert.equal(json.status, 'done')
  assert.equal(json.ceiling_rps, 150)
  assert.deepEqual(json.limit, ['p99 of POST ingest 900 ms, at most 300 ms'])
  assert.deepEqual(
    json.results.map((result: Record<string, unknown>) => [
      result['target_rps'],
      result['outcome'],
    ]),
    [
      [50, 'pass'],
      [100, 'pass'],
      [150, 'pass'],
      [200, 'fail'],
    ],
  )
})

test('a ceiling that comes to no end of its own keeps what had held until then', async t => {
  const failing = { failure: 'it ended with signal SIGKILL', failsFromRps: 150 }
  const service = await startService(t, failing)
  const body = { start_rps: 50, increment_rps: 50, duration: 1 }
  const { json } = await service.ask('POST', '/throughput-ceiling?wait=true', body)
  assert.equal(json.status, 'failed')
  assert.equal(json.problem, 'it ended with signal SIGKILL')
  assert.equal(json.ceiling_rps, 100)
})

test('one rate is run as its body says', async t => {
  const service = await startService(t)
  const body = {
    ...{ target_rps: 40, duration: 5, warm_up: 1, type: 'night', devices: 7, connections: 3 },
    ...{ arrivals: 'poisson', seed: 9, timeout_ms: 500, max_p99_ms: 50 },
  }
  const { json } = await service.ask('POST', '/run-benchmark?wait=1', body)
  const [plan] = service.plans
  assert.equal(json.results[0].test_type, 'night')
  assert.equal(json.results[0].duration_s, 5)
  assert.deepEqual(plan.executor, {
    ...{ kind: 'constant-arrival-rate', arrivals: 'poisson', rate: 40, durationMs: 6000 },
  })
  const { seed, connections, warmUpMs, timeoutMs, slo, workload } = plan
  assert.deepEqual(
    { seed, connections, warmUpMs, timeoutMs, p99Ms: slo.p99Ms, devices: workload.devices },
    { seed: 9, connections: 3, warmUpMs: 1000, timeoutMs: 500, p99Ms: 50, devices: 7 },
  )
})

test('while one runs its status says what, how fast and how long, and another is refused', async t => {
  const service = await startService(t, { isEndless: true })
  assert.deepEqual((await service.ask('GET', '/benchmark-status')).json, {
    ...{ status: 'idle', last_run: null },
  })
  await service.ask('POST', '/run-benchmark', { target_rps: 80, duration: 30 })
  await until('a load', () => service.plans.length === 1)
  const starting = await service.ask('GET', '/benchmark-status')
  assert.equal(starting.json.phase, 'starting')
  assert.equal(starting.json.rate_rps, null)
  service.tick({
    ...{ atMs: 4000, offered: 80, achieved: 79, failures: 1, inFlight: 0, waiting: 0 },
    ...{ p50Ms: 1, p95Ms: 2, p99Ms: 3 },
  })
  const { json } = await service.ask('GET', '/benchmark-status')
  const { benchmark, test_type, target_rps, rate_rps, p99_latency_ms, phase, tests } = json
  assert.deepEqual(
    { benchmark, test_type, target_rps, rate_rps, p99_latency_ms, phase, tests },
    {
      ...{ benchmark: 'run-benchmark', test_type: 'individual', target_rps: 80, rate_rps: 79 },
      ...{ p99_latency_ms: 3, phase: 'measuring', tests: 1 },
    },
  )
  // 2 s of warm-up and 30 s of measured time; whole tenths.
  assert.ok(Math.abs(json.elapsed_s + json.left_s - 32) < 0.2)

  const second = await service.ask('POST', '/baseline-suite')
  assert.equal(second.status, 409)
  assert.equal(second.json.status, 409)
  assert.match(second.json.error, /^run-benchmark runs since \d\d:\d\d:\d\d UTC: wait for it/)
  assert.equal(service.plans.length, 1)
})

test('a benchmark that is stopped keeps what it found, marked', async t => {
  const service = await startService(t, { isEndless: true })
  await service.ask('POST', '/baseline-suite')
  await until('a load', () => service.plans.length === 1)
  const { status, json } = await service.ask('POST', '/stop-benchmark')
  assert.equal(status, 200)
  assert.equal(json.status, 'stopped')
  assert.equal(json.results.length, 1)
  assert.equal(json.results[0].stopped, true)
  assert.equal(service.plans.length, 1)
  const table = await service.ask('GET', '/benchmark-markdown-raw')
  assert.match(table.text, /^\| light_load \(stopped\) \|/m)
  const again = await service.ask('POST', '/stop-benchmark')
  assert.equal(again.status, 409)
  assert.deepEqual(again.json, { error: 'no benchmark runs', status: 409 })
})

test('results and runs are there after a restart', async t => {
  const first = await startService(t)
  await first.ask('POST', '/baseline-suite?wait=true')
  const before = await first.ask('GET', '/benchmark-results')
  await first.stop()
  const second = await startService(t, {}, { file: first.file })
  assert.deepEqual((await second.ask('GET', '/benchmark-results')).json, before.json)
  assert.equal((await second.ask('GET', '/benchmark-status')).json.last_run.tests, 3)
})

test('a line that is torn is left out, and what comes after it is kept', async t => {
  const first = await startService(t)
  await first.ask('POST', '/baseline-suite?wait=true')
  await first.stop()
  const whole = readFileSync(first.file, 'utf8')
  const lines = whole.trimEnd().split('\n')
  writeFileSync(first.file, lines.slice(0, 2).join('\n') + '\n' + lines[2].slice(0, 40))
  const second = await startService(t, {}, { file: first.file })
  assert.equal((await second.ask('GET', '/benchmark-results')).json.results.length, 2)
  await second.ask('POST', '/run-benchmark?wait=true', { type: 'after' })
  await second.stop()
  const third = await startService(t, {}, { file: first.file })
  const { json } = await third.ask('GET', '/benchmark-results')
  assert.deepEqual(
    json.results.map((result: Record<string, unknown>) => result['test_type']),
    ['light_load', 'standard_load', 'after'],
  )
})

test('only so many results are kept, in memory and in the file', async t => {
  const service = await startService(t, {}, { keep: 4 })
  for (let i = 0; i < 20; i++) {
    await service.ask('POST', '/run-benchmark?wait=true', { type: `run-${i}` })
  }
  const { json } = await service.ask('GET', '/benchmark-results')
  const types = json.results.map((result: Record<string, unknown>) => result['test_type'])
  assert.deepEqual(types, ['run-16', 'run-17', 'run-18', 'run-19'])
  assert.equal(json.runs.length, 4)
  assert.ok(readFileSync(service.file, 'utf8').trimEnd().split('\n').length <= 16)
  const newest = await service.ask('GET', '/benchmark-results?limit=1')
  assert.deepEqual(newest.json.results, json.results.slice(-1))
})

test('the table has exactly the columns of the streaming platform API', async t => {
  const service = await startService(t, { errorShare: 0.25 })
  await service.ask('POST', '/run-benchmark?wait=true', { target_rps: 50, duration: 30 })
  const { text } = await service.ask('GET', '/benchmark-markdown-raw')
  const [head, rule, row, ...rest] = text.split('\n')
  assert.equal(
    head,
    '| Test Type | Date/Time | Target RPS | Actual RPS | P99 Latency (ms) | Error Rate | Duration (s) |',
  )
  assert.match(rule, /^\| -+ \| -+ \| -+ \| -+ \| -+ \| -+ \| -+ \|$/)
  assert.match(
    row,
    /^\| individual \| \d{4}-\d\d-\d\d \d\d:\d\d \| 50 \| 37\.5 \| 5\.0 \| 25\.0% \| 30\.0 \|$/,
  )
  assert.deepEqual(rest, [''])
})

test('a late generator makes a test void: marked in the table, tried again in a ceiling', async t => {
  const service = await startService(t, { sendLagMs: 7 })
  const one = await service.ask('POST', '/run-benchmark?wait=true')
  assert.equal(one.json.results[0].outcome, 'void')
  const ceiling = await service.ask('POST', '/throughput-ceiling?wait=true', { start_rps: 60 })
  assert.equal(ceiling.json.results.length, 3)
  assert.equal(ceiling.json.ceiling_rps, 0)
  assert.match(ceiling.json.problem, /the generator was not good enough at 60\/s/)
  const { text } = await service.ask('GET', '/benchmark-markdown-raw')
  assert.match(text, /^\| individual \(void\) \|/m)
})

test('a target that is down is a result: an error rate of 100 %', async t => {
  const target = `http://127.0.0.1:${await freePort()}`
  const service = await startService(
    t,
    { failure: 'no connection', failsAtStart: true },
    { target },
  )
  const { json } = await service.ask('POST', '/baseline-suite?wait=true')
  assert.equal(json.status, 'done')
  assert.equal(json.results.length, 3)
  assert.equal(json.results[0].error_rate, 1)
  assert.match(json.results[0].problem, /^nobody answers at .*: connect ECONNREFUSED/)
  const { text } = await service.ask('GET', '/benchmark-markdown-raw')
  assert.match(text, /^\| light_load \| .* \| 25 \| 0\.0 \| – \| 100\.0% \| 0\.0 \|$/m)
})

test('a generator that cannot start for a target that is there is a failed run', async t => {
  const other = await startService(t)
  const failing = { failure: 'no memory', failsAtStart: true }
  const service = await startService(t, failing, { target: other.url })
  const { json } = await service.ask('POST', '/baseline-suite?wait=true')
  assert.equal(json.status, 'failed')
  assert.equal(json.problem, 'no memory')
  assert.deepEqual(json.results, [])
})

test('a target that fails in the middle is a result too', async t => {
  const service = await startService(t, { errorShare: 1 })
  const { json } = await service.ask('POST', '/run-benchmark?wait=true')
  assert.equal(json.status, 'done')
  assert.equal(json.results[0].error_rate, 1)
  assert.equal(json.results[0].actual_rps, 0)
  assert.equal(json.results[0].outcome, 'fail')
  assert.match(json.results[0].problem, /ECONNREFUSED/)
})

test('a generator that fails ends the run with its reason, and the next one may begin', async t => {
  const service = await startService(t, { failure: 'it ended with signal SIGKILL' })
  const { json } = await service.ask('POST', '/baseline-suite?wait=true')
  assert.equal(json.status, 'failed')
  assert.equal(json.problem, 'it ended with signal SIGKILL')
  delete service.system.failure
  assert.equal((await service.ask('POST', '/baseline-suite?wait=true')).json.status, 'done')
})

for (const [path, body, message] of [
  ['run-benchmark', { target_rps: -5 }, 'target_rps must be a number from 1 to 200000, not -5'],
  ['run-benchmark', { target_rps: '50' }, 'target_rps must be a number from 1 to 200000, not "50"'],
  ['run-benchmark', { duration: -1 }, 'duration must be a number from 1 to 3600, not -1'],
  ['run-benchmark', { rps: 5 }, /^"rps" is no field \(there are target_rps, duration, type, /],
  ['run-benchmark', { type: 'a|b' }, /^type must be a name of at most 40 letters, .*, not "a\|b"$/],
  ['run-benchmark', { seed: 1.5 }, 'seed must be a whole number from 0 to 4294967295, not 1.5'],
  ['run-benchmark', { arrivals: 'x' }, 'arrivals must be "constant" or "poisson", not "x"'],
  ['run-benchmark', [1], 'the body must be a JSON object, not [1]'],
  ['run-benchmark', null, 'the body must be a JSON object, not null'],
  ['run-benchmark', '{"target_rps":', /^the body is not JSON: /],
  ['run-benchmark', { devices: 0, warm_up: true }, /^warm_up must be .*; devices must be /],
  [
    'run-benchmark',
    { target_rps: 200_000, duration: 3600 },
    /^\d+ requests .* at most \d+ in one test$/,
  ],
  ['baseline-suite', { target_rps: 5 }, /^"target_rps" is no field/],
  ['throughput-ceiling', { start_rps: 90, max_rps: 80 }, 'start_rps must not be above max_rps'],
  ['throughput-ceiling', { factor: 2, increment_rps: 5 }, /exclude each other$/],
  ['run-benchmark?wait=perhaps', {}, 'wait must be true or false, not "perhaps"'],
  ['run-benchmark?waits=true', {}, 'no such query parameter: "waits" (known: wait)'],
] as const) {
  test(`refused with the name of the field: ${path} ${JSON.stringify(body)}`, async t => {
    const service = await startService(t)
    const answer = await service.ask('POST', `/${path}`, body)
    assert.equal(answer.status, 400)
    assert.equal(answer.json.status, 400)
    if (typeof message === 'string') assert.equal(answer.json.error, message)
    else assert.match(answer.json.error, message)
    assert.equal(service.plans.length, 0)
  })
}

test('what is too large, not there or not so meant is refused', async t => {
  const { url } = await startService(t)
  const send = async (method: string, path: string, body?: string): Promise<Response> =>
    fetch(url + path, { method, ...(body === undefined ? {} : { body }) })
  const large = await send('POST', '/run-benchmark', JSON.stringify({ type: 'x'.repeat(500_000) }))
  assert.equal(large.status, 413)
  assert.deepEqual(await large.json(), {
    ...{ error: 'the body has more than 16384 bytes', status: 413 },
  })
  const missing = await send('GET', '/benchmarks')
  assert.deepEqual(await missing.json(), { error: 'there is no /benchmarks', status: 404 })
  const wrong = await send('GET', '/run-benchmark')
  assert.equal(wrong.status, 405)
  assert.equal(wrong.headers.get('allow'), 'POST')
})

/** `fetch` does not let its caller choose these. */
function statusWith(port: number, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method: 'POST', path: '/run-benchmark', headers }
    const asked = request(options, response => {
      response.resume()
      resolve(response.statusCode)
    })
    asked.on('error', reject)
    asked.end()
  })
}

test('a web page of somebody else cannot start a load', async t => {
  const { port, plans } = await startService(t)
  assert.equal(await statusWith(port, { origin: 'https://evil.example' }), 403)
  assert.equal(await statusWith(port, { host: 'evil.example', origin: 'http://evil.example' }), 403)
  assert.equal(await statusWith(port, { host: 'evil.example' }), 403)
  assert.equal(plans.length, 0)
  const own = `http://localhost:${port}`
  assert.equal(await statusWith(port, { host: `localhost:${port}`, origin: own }), 202)
})

test('the page and the health are there, and the page asks no other host', async t => {
  const service = await startService(t)
  assert.deepEqual((await service.ask('GET', '/health')).json, {
    ...{ status: 'ok', version: '1.2.3', target: 'http://127.0.0.1:8080' },
  })
  const page = await service.ask('GET', '/')
  assert.match(page.text, /Find the ceiling/)
  assert.doesNotMatch(page.text, /(src|href)="(https?:)?\/\//)
  assert.equal((await service.ask('GET', '/openapi.json')).status, 200)
})
