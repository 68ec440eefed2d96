import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { testCell, testRun, testWorkload } from '../../lab/analysis/lab-records.fixture.ts'
import { cli } from '../cli.ts'

async function run(cwd: string, ...args: string[]) {
  let [out, err] = ['', '']
  const stdout = { write: (text: string) => void (out += text) }
  const stderr = { write: (text: string) => void (err += text) }
  const code = await cli(['plan', ...args], { stdout, stderr, env: {}, cwd })
  return { code, out, err }
}

/** A lab result of two solutions. */
function labResult(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-plan-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const workloads = [testWorkload('read-heavy', 0.05), testWorkload('write-heavy', 0.95)]
  const records = [
    testRun(workloads, ['baseline', 'embedded']),
    ...workloads.flatMap(workload => [
      ...testCell({ solution: 'baseline', workload, maxRate: 300, cpu: { api: 0.3, database: 1 } }),
      ...testCell({ solution: 'embedded', workload, maxRate: 20_000 }),
    ]),
  ]
  const lines = records.map(record => `${JSON.stringify(record)}\n`)
  writeFileSync(join(folder, 'results.ndjson'), lines.join(''))
  return folder
}

const EXAMPLE = ['--devices', '5000', '--rate', '1', '--metrics', '1', '--retention', '90d']

test('weir plan prints the classic plan as a table with straight columns', async () => {
  const { code, out, err } = await run('/', ...EXAMPLE)
  assert.deepEqual([code, err], [0, ''])
  assert.deepEqual(out.split('\n').slice(5, 12), [
    '            classic formula  the same, 2 × peak',
    'cores                     4                   4',
    'memory                16 GB               16 GB',
    'disk                1.94 TB             1.94 TB',
    'disk a day          21.6 GB             21.6 GB',
    'network            4 Mbit/s            8 Mbit/s',
    'topology           embedded            embedded',
  ])
  assert.match(out, /5,000 devices × 1 message a second × 1 metric, kept for 90 days/)
  assert.match(out, /^In the production phase run embedded on 4 cores/m)
  assert.match(out, /^! not measured/m)
})

test('weir plan --json prints what the API answers', async () => {
  const { out } = await run('/', ...EXAMPLE, '--json')
  const { classic, measured } = JSON.parse(out) as { classic: object; measured: null }
  assert.deepEqual(
    { ...classic, with_headroom: undefined, topology: undefined, reason: undefined },
    {
      ...{ cores: 4, memory_bytes: 16e9, disk_bytes: 1.944e12, network_bits_per_second: 4e6 },
      stored_bytes_per_day: 21.6e9,
      summary: '4 cores, 16 GB memory, 1.94 TB disk, 4 Mbit/s, 21.6 GB a day',
      ...{ with_headroom: undefined, topology: undefined, reason: undefined },
    },
  )
  assert.equal(measured, null)
})

test('weir plan --from plans with what a lab run measured, next to the formula', async t => {
  const folder = labResult(t)
  const { code, out } = await run(folder, ...EXAMPLE, '--from', '.', '--save', 'kept.json')
  assert.equal(code, 0)
  assert.match(out, /classic formula {2}the same, 2 × peak {2}measured, 2 × peak/)
  assert.match(out, /^baseline {2,}no {2,}300 {2,}33.3 × {2,}guess/m)
  assert.match(out, /^embedded {2,}yes {2,}20,000 {2,}0.5 × {2,}measured/m)
  assert.match(
    out,
    /run embedded on .*: the simplest that held it in the lab, with room for 2 times/,
  )
  assert.match(out, /Measured by lab run r1 on 2026-11-20, 1 block, commit abc:\nTest CPU, 2 cores/)
  assert.ok(readFileSync(join(folder, 'kept.json')).length < 5000)
  assert.equal((await run(folder, ...EXAMPLE, '--from', 'kept.json')).out, out)
})

test('quantities are read as people write them', async () => {
  const { out } = await run(
    ...['/', '--devices=10_000', '--rate=0.1/s', '--retention=36h', '--payload=1KB', '--json'],
    ...['--peak=4', '--queries-per-second=50', '--replicas=2'],
  )
  const { demand } = JSON.parse(out) as { demand: object }
  assert.deepEqual(demand, {
    ...{ devices: 10_000, samples_per_second: 0.1, metrics: 1, retention_days: 1.5 },
    ...{ queries_per_second: 50, peak_factor: 4, replicas: 2, payload_bytes: 1024 },
  })
  assert.match((await run('/', '--devices=1', '--retention=30', '--json')).out, /_days": 30,/)
})

test('every mistake of a command line is told at once, with exit code 2', async () => {
  const all = ['--rate', 'x', '--metrics', '0', '--retention', '90y', '--colour', '--save', 'f']
  const { code, out, err } = await run('/', ...all)
  assert.deepEqual([code, out], [2, ''])
  const expected = [
    ...[/--colour\): no such/, /--rate\): "x" is no number/, /--metrics\): must be a whole number/],
    ...[/--retention\): "90y" is no duration/, /--devices\): is missing/, /--save\): needs --from/],
  ]
  for (const pattern of expected) assert.match(err, pattern)
  const nowhere = await run('/', ...EXAMPLE, '--from', 'nowhere')
  assert.deepEqual([nowhere.code, nowhere.out], [2, ''])
  assert.match(nowhere.err, /nowhere: there is no such lab result/)
})
