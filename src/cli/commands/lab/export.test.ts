import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { labExport } from './export.ts'

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let [stdout, stderr] = ['', '']
  const code = await labExport(args, {
    stdout: { write: text => (stdout += text) },
    stderr: { write: text => (stderr += text) },
    env,
    cwd: tmpdir(),
  })
  return { code, stdout, stderr }
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-lab-export-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('a workload is printed as a script of k6, with its thresholds from the SLO', async () => {
  const args = ['--workload', 'write-heavy', '--tool', 'k6', '--url', 'http://weir.example:8080/']
  const { code, stdout } = await run(args)
  assert.equal(code, 0)
  assert.match(stdout, /BASE_URL = __ENV\.BASE_URL \|\| "http:\/\/weir\.example:8080"/)
  const options = /export const options = (\{[\s\S]*?\n\})\n/.exec(stdout)
  const { scenarios, thresholds } = JSON.parse(options![1]) as {
    scenarios: { load: { executor: string; stages: unknown[] } }
    thresholds: Record<string, { threshold: string; abortOnFail: boolean }[]>
  }
  assert.equal(scenarios.load.executor, 'ramping-arrival-rate')
  const rules = thresholds['http_req_duration{name:POST telemetry}']
  assert.deepEqual(
    rules.map(({ threshold, abortOnFail }) => [threshold, abortOnFail]),
    [
      ['p(99)<=300', true],
      ['p(95)<=150', true],
    ],
  )
})

test('a rate makes it constant, and is never given up early', async () => {
  const args = ['--workload', 'burst', '--tool', 'k6', '--rate', '200/s', '--duration', '45s']
  const { stdout } = await run(args)
  assert.match(stdout, /"executor": "constant-arrival-rate",\s+"rate": 200,/)
  assert.match(stdout, /"duration": "45000ms"/)
  assert.doesNotMatch(stdout, /abortOnFail/)
})

test('a duration scales the stages of a burst', async () => {
  const args = ['--workload', 'burst', '--tool', 'artillery', '--duration', '30s']
  const { stdout } = await run(args)
  const phases = [...stdout.matchAll(/- duration: (\d+)\n\s+arrivalRate: (\d+)/g)]
  assert.deepEqual(
    phases.map(([, lasts, rate]) => [Number(lasts), Number(rate)]),
    [
      [10, 10],
      [10, 1000],
      [10, 10],
    ],
  )
})

test("Artillery's functions are written beside its script, and named in it", async t => {
  const folder = folderOf(t)
  const out = join(folder, 'storm.yml')
  const args = ['--workload', 'reconnect-storm', '--tool', 'artillery', '--out', out]
  const { code, stderr } = await run(args)
  assert.equal(code, 0)
  assert.deepEqual(readdirSync(folder).sort(), ['storm.cjs', 'storm.yml'])
  assert.match(readFileSync(out, 'utf8'), /processor: "\.\/storm\.cjs"/)
  assert.ok(stderr.includes(`artillery run ${out}`), stderr)
})

test('what is wrong is said, with what there is', async t => {
  const wrong: readonly (readonly [args: readonly string[], expected: RegExp])[] = [
    [['--tool', 'k6'], /--workload must be one of read-heavy, write-heavy/],
    [['--workload', 'toString', '--tool', 'k6'], /--workload must be one of/],
    [['--workload', 'mixed', '--tool', 'jmeter'], /--tool must be one of k6, locust, artillery/],
    [['--workload', 'mixed', '--tool', 'k6', '--rate', '0'], /--rate must be/],
    [['--workload', 'mixed', '--tool', 'k6', '--duration', '1ms'], /--duration must be/],
    [['--workload', 'mixed', '--tool', 'k6', '--url', 'ftp://x'], /--url must be/],
    [['--workload', 'mixed', '--tool', 'k6', '--speed', '1'], /--speed/],
    [
      ['--workload', 'mixed', '--tool', 'k6', '--out', join(folderOf(t), 'none', 'x.js')],
      /no such file or directory/,
    ],
  ]
  for (const [args, expected] of wrong) {
    const { code, stderr } = await run(args)
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, expected)
  }
})
