import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { parse } from 'yaml'
import {
  EXPORT_TOOLS,
  exportWorkload,
  type ExportOptions,
  type ExportTool,
} from '../../src/lab/exports/exports.ts'
import type { Workload } from '../../src/lab/workloads/workload.ts'
import { WORKLOADS } from '../../src/lab/workloads/workloads.ts'
import { noTool, runTool } from '../fixtures/load-tools.ts'
import { noProgram } from '../fixtures/no-program.ts'
import { startWeir, type WeirProcess } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 300_000 }
const PYTHON = 'python3'

/** The script of a workload as files; the path of the one to start. */
function written(
  t: TestContext,
  workload: Workload,
  { tool, ...options }: ExportOptions & { readonly tool: ExportTool },
) {
  const folder = folderOf(t)
  const files = exportWorkload(workload, tool, options)
  for (const { name, text } of files) writeFileSync(join(folder, name), text)
  return files.map(({ name }) => join(folder, name))
}

/** Fewer devices and users for seconds rather than minutes; the machine's speed decides nothing. */
function small(workload: Workload): Workload {
  const { executor, id } = workload
  const slo = { ...workload.slo, p95Ms: 60_000, p99Ms: 60_000 }
  // Devices of its own: all are run against one node.
  const base = { ...workload, slo, devices: 20, devicePrefix: `${id}-` }
  if (executor.kind === 'closed') {
    const thinkMs = [10, 50] as const
    return { ...base, executor: { ...executor, users: 10, thinkMs, durationMs: 2000 } }
  }
  if (executor.kind === 'reconnect-storm') {
    return { ...base, executor: { ...executor, withinMs: 1000, durationMs: 30_000 } }
  }
  return base
}

/** At a rate that every machine holds; users and devices keep their own pace. */
function gentle({ executor }: Workload): { rate: number; durationMs: number } | object {
  return 'arrivals' in executor ? { rate: 50, durationMs: 2000 } : {}
}

/** What reads of the newest value need. */
async function seedDevices(weir: WeirProcess, workload: Workload): Promise<number> {
  const data = Object.fromEntries(Object.keys(workload.metrics).map(name => [name, 1]))
  if (Object.keys(data).length === 0) return 0
  const messages = Array.from({ length: workload.devices }, (_, place) => ({
    device_id: workload.devicePrefix + String(place).padStart(5, '0'),
    timestamp: '2026-01-01T00:00:00Z',
    data,
  }))
  const response = await fetch(`${weir.url}/api/v1/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(messages),
  })
  assert.equal(response.status, 200)
  return workload.devices * Object.keys(data).length
}

/** Distinct points that queries find, once all of them are written. */
async function distinctPoints(weir: WeirProcess): Promise<number> {
  const response = await fetch(`${weir.url}/api/v1/export?format=csv`)
  assert.equal(response.status, 200)
  const rows = (await response.text()).split('\n')
  return rows.filter(row => row !== '').length - 1
}

const received = async (weir: WeirProcess): Promise<number> => {
  const response = await fetch(`${weir.url}/api/v1/ledger`)
  return ((await response.json()) as { received: number }).received
}

test('every export is a script that its language reads', t => {
  const checked = (program: string, args: readonly string[]): void => {
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  }
  const python: string[] = []
  for (const workload of Object.values(WORKLOADS)) {
    const [k6] = written(t, workload, { tool: 'k6', fileName: `${workload.id}.mjs` })
    checked(process.execPath, ['--check', k6])
    python.push(...written(t, workload, { tool: 'locust' }))
    const [{ text }] = exportWorkload(workload, 'artillery')
    const script = parse(text) as { config: { phases: unknown[] }; scenarios: unknown[] }
    assert.ok(script.config.phases.length > 0 && script.scenarios.length > 0, text)
  }
  if (noProgram(PYTHON) === false) checked(PYTHON, ['-m', 'py_compile', ...python])
})

interface MadeRequest {
  readonly name: string
  readonly method: string
  readonly expects: readonly number[]
  readonly tolerates: readonly number[]
  readonly points: number
  make(device: string): { path: string; body: string | null }
}

const folderOf = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-exports-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What Artillery's functions send is made of the same text as k6's. */
function requestsOf(t: TestContext, workload: Workload) {
  const [, { text }] = exportWorkload(workload, 'artillery')
  const file = join(folderOf(t), 'requests.cjs')
  writeFileSync(file, `${text}\nmodule.exports = { REQUESTS, deviceName }\n`)
  return createRequire(file)(file) as {
    readonly REQUESTS: readonly MadeRequest[]
    deviceName(place: number): string
  }
}

test(
  'what the workloads send is answered, and each point counts and is another',
  LIMIT,
  async t => {
    const weir = await startWeir(t)
    let acknowledged = 0
    for (const workload of Object.values(WORKLOADS).map(small)) {
      acknowledged += await seedDevices(weir, workload)
      const { REQUESTS: requests, deviceName } = requestsOf(t, workload)
      for (const request of requests) {
        const statuses: number[] = []
        for (let turn = 0; turn < 40; turn++) {
          // Several in a row of the same device: within one millisecond, often.
          const { path, body } = request.make(deviceName(Math.floor(turn / 4)))
          const headers = { 'content-type': 'application/json' }
          const { method } = request
          const response = await fetch(weir.url + path, { method, headers, body })
          await response.arrayBuffer()
          statuses.push(response.status)
          if (request.expects.includes(response.status)) acknowledged += request.points
        }
        const what = `${workload.id}: ${request.name}`
        const allowed = [...request.expects, ...request.tolerates]
        assert.deepEqual(
          statuses.filter(status => !allowed.includes(status)),
          [],
          what,
        )
        assert.ok(
          statuses.some(status => request.expects.includes(status)),
          what,
        )
      }
      assert.equal(await received(weir), acknowledged, workload.id)
      assert.equal(await distinctPoints(weir), acknowledged, workload.id)
    }
  },
)

for (const tool of EXPORT_TOOLS) {
  const skip = noTool(tool)
  test(
    `${tool} runs every export, and stored is what it saw acknowledged`,
    { ...LIMIT, skip },
    async t => {
      const weir = await startWeir(t)
      let acknowledged = 0
      for (const workload of Object.values(WORKLOADS).map(small)) {
        acknowledged += await seedDevices(weir, workload)
        const options = { tool, url: weir.url, ...gentle(workload) }
        const run = await runTool(tool, written(t, workload, options)[0])
        const said = `${workload.id}: ${run.output}`
        assert.equal(run.code, 0, said)
        assert.equal(run.failures, 0, said)
        assert.ok(run.requests >= 20, said)
        acknowledged += run.acknowledgedPoints
        assert.equal(await received(weir), acknowledged, said)
        assert.equal(await distinctPoints(weir), acknowledged, said)
        const writes = workload.requests.some(request => request.points > 0)
        assert.equal(run.acknowledgedPoints > 0, writes, said)
        const tolerates = workload.requests.some(request => request.tolerates !== undefined)
        assert.equal(run.tolerated > 0, tolerates, said)
        if (workload.executor.kind !== 'reconnect-storm') continue
        assert.equal(run.requests, workload.devices * workload.executor.requestsEach, said)
      }
    },
  )

  test(`${tool} fails where a server answers with errors`, { ...LIMIT, skip }, async t => {
    const server = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(500).end())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const options = { tool, url, rate: 20, durationMs: 2000 }
    const run = await runTool(tool, written(t, small(WORKLOADS['mixed']), options)[0])
    assert.notEqual(run.code, 0, run.output)
    assert.equal(run.acknowledgedPoints, 0, run.output)
    assert.ok(run.failures > 0, run.output)
  })
}
