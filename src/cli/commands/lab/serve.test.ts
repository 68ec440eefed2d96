import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { until } from '../../../../test/fixtures/until.ts'
import { freePort, runWeir, startWeir } from '../../../../test/fixtures/weir-process.ts'

const MAIN = join(import.meta.dirname, '../../main.ts')

// oxlint-disable-next-line no-explicit-any -- tests assert on what it is
type Json = any

interface ServeProcess {
  ask(method: string, path: string, body?: object): Promise<Json>
  /** SIGTERM; its exit code. */
  end(): Promise<number | null>
}

async function startServe(t: TestContext, args: readonly string[]): Promise<ServeProcess> {
  const port = await freePort()
  const http = ['--http', `127.0.0.1:${port}`]
  const child = spawn(process.execPath, [MAIN, 'lab', 'serve', ...http, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  child.stdout.on('data', chunk => (printed += chunk))
  child.stderr.on('data', chunk => (printed += chunk))
  const closed = once(child, 'close') as Promise<[number | null]>
  t.after(() => void child.kill('SIGKILL'))
  await until('its address', () => {
    if (child.exitCode !== null) throw new Error(`it did not start:\n${printed}`)
    return printed.includes('Benchmark service at')
  })
  return {
    async ask(method, path, body) {
      const text = body === undefined ? {} : { body: JSON.stringify(body) }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...text })
      return response.headers.get('content-type')?.includes('json') === true
        ? response.json()
        : response.text()
    },
    async end() {
      child.kill('SIGTERM')
      const [code] = await closed
      return code
    },
  }
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-serve-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('a real node is measured, has every reading that was acknowledged, and a restart keeps the result', async t => {
  const weir = await startWeir(t)
  const results = join(folderOf(t), 'results.ndjson')
  const args = ['--target', weir.url, '--results', results]
  const first = await startServe(t, args)
  const run = await first.ask('POST', '/run-benchmark?wait=true', {
    ...{ target_rps: 100, duration: 3, warm_up: 1, devices: 10, type: 'real' },
  })
  assert.equal(run.status, 'done')
  const [result] = run.results
  assert.equal(result.error_rate, 0, JSON.stringify(result))
  assert.equal(result.requests, 300)
  assert.equal(result.acknowledged, 400)
  assert.ok(result.p99_latency_ms > 0)
  const ledger = (await (await fetch(`${weir.url}/api/v1/ledger`)).json()) as Json
  assert.equal(ledger.stored + ledger.in_flight, 400)
  assert.equal(await first.end(), 0)

  const second = await startServe(t, args)
  const kept = await second.ask('GET', '/benchmark-results')
  assert.deepEqual(kept.results, run.results)
  const table = (await second.ask('GET', '/benchmark-markdown-raw')) as string
  // On a machine with much else to do the generator is late, and says so.
  assert.match(
    table,
    /^\| real( \(void\))? \| .* \| 100 \| \d+\.\d \| \d+\.\d \| 0\.0% \| 3\.0 \|$/m,
  )
  assert.equal(await second.end(), 0)
})

test('SIGTERM ends the benchmark that runs, keeps what it found and exits with 0', async t => {
  const weir = await startWeir(t)
  const results = join(folderOf(t), 'results.ndjson')
  const args = ['--target', weir.url, '--results', results]
  const first = await startServe(t, args)
  await first.ask('POST', '/run-benchmark', { target_rps: 50, duration: 600, warm_up: 0 })
  await until('a second of it', async () => {
    const status = await first.ask('GET', '/benchmark-status')
    return status.rate_rps > 0
  })
  assert.equal(await first.end(), 0)
  const second = await startServe(t, args)
  const kept = await second.ask('GET', '/benchmark-results')
  assert.equal(kept.runs[0].status, 'stopped')
  assert.equal(kept.results[0].stopped, true)
  assert.ok(kept.results[0].requests > 0)
  assert.ok(kept.results[0].duration_s < 600)
})

/** Takes 60 readings of one second of their own time, refuses the others, and may end. */
const FAKE_TARGET = `
const { createServer } = require('node:http')
const dieAfter = Number(process.argv[1])
const seconds = new Map()
let taken = 0
const server = createServer((request, response) => {
  let body = ''
  request.on('data', chunk => (body += chunk))
  request.on('end', () => {
    if (++taken > dieAfter) process.exit(0)
    const second = JSON.parse(body).timestamp.slice(0, 19)
    seconds.set(second, (seconds.get(second) ?? 0) + 1)
    response.writeHead(seconds.get(second) > 60 ? 503 : 200).end('{}')
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

async function startFakeTarget(t: TestContext, dieAfter: number): Promise<string> {
  const child = spawn(process.execPath, ['-e', FAKE_TARGET, String(dieAfter)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => void child.kill('SIGKILL'))
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return `http://127.0.0.1:${port.toString().trim()}`
}

test('what a target refuses is counted by its status', async t => {
  const target = await startFakeTarget(t, 1e9)
  const service = await startServe(t, ['--target', target, '--results', join(folderOf(t), 'r')])
  const body = { target_rps: 80, duration: 4, warm_up: 0 }
  const { results } = await service.ask('POST', '/run-benchmark?wait=true', body)
  const [{ requests, statuses, error_rate, breaches }] = results
  assert.equal(requests, 320)
  assert.equal(statuses['200'] + statuses['503'], 320)
  // 20 of 80; the first and the last second are not whole.
  assert.ok(error_rate > 0.1 && error_rate < 0.3, String(error_rate))
  assert.ok(breaches.some((breach: string) => breach.includes('errors')))
})

test('a target that ends in the middle is a result, and so is one that is gone', async t => {
  const target = await startFakeTarget(t, 40)
  const service = await startServe(t, ['--target', target, '--results', join(folderOf(t), 'r')])
  const body = { target_rps: 40, duration: 3, warm_up: 0, timeout_ms: 1000 }
  const first = await service.ask('POST', '/run-benchmark?wait=true', body)
  assert.equal(first.status, 'done')
  assert.equal(first.results[0].requests, 120)
  assert.equal(first.results[0].statuses['200'], 40)
  assert.equal(first.results[0].failures, 80)
  const second = await service.ask('POST', '/run-benchmark?wait=true', body)
  assert.equal(second.results[0].error_rate, 1)
  assert.match(second.results[0].problem, /^nobody answers at/)
  assert.equal((await service.ask('GET', '/health')).status, 'ok')
})

test('a node with keys is measured with a key only', async t => {
  const folder = folderOf(t)
  const data = join(folder, 'data')
  const created = await runWeir(['keys', 'create', '--data', data, '--json', '--scopes', 'ingest'])
  const { key } = JSON.parse(created.stdout) as { key: string }
  const weir = await startWeir(t, { data, args: ['--auth.mode=keys'] })
  const body = { target_rps: 20, duration: 1, warm_up: 0 }
  const results = join(folder, 'results.ndjson')
  const without = await startServe(t, ['--target', weir.url, '--results', results])
  const refused = await without.ask('POST', '/run-benchmark?wait=true', body)
  assert.equal(refused.results[0].error_rate, 1)
  assert.deepEqual(refused.results[0].statuses, { 401: 20 })
  await without.end()
  const withKey = await startServe(t, ['--target', weir.url, '--results', results, '--key', key])
  const answered = await withKey.ask('POST', '/run-benchmark?wait=true', body)
  assert.equal(answered.results[0].error_rate, 0)
  assert.ok(!JSON.stringify(answered).includes(key))
})

for (const [args, message] of [
  [['--http', '0.0.0.0:8002'], /can be reached from other machines/],
  [['--http', '8002'], /--http must be HOST:PORT/],
  [['--target', 'https://example.org'], /--target must be http:\/\/HOST:PORT/],
  [['--keep', '0'], /--keep must be a whole number/],
  [['--frobnicate'], /frobnicate/],
] as const) {
  test(`refused: weir lab serve ${args.join(' ')}`, async () => {
    const { code, stderr } = await runWeir(['lab', 'serve', ...args])
    assert.equal(code, 2)
    assert.match(stderr, message)
  })
}
