import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { StartLoad } from '../generator/load.ts'
import { judge } from '../search/verdict.ts'
import { INGEST_MESSAGE } from '../workloads/ingest-message.ts'
import { benchmarkOf } from './benchmark-request.ts'
import { BenchmarkRunner } from './benchmark-runner.ts'
import { ResultBook } from './result-book.ts'

async function runnerWith(
  t: TestContext,
  { startLoad, target }: { startLoad: StartLoad; target: string },
): Promise<BenchmarkRunner> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-runner-'))
  const book = await ResultBook.open(join(folder, 'results.ndjson'), { keep: 10 })
  t.after(async () => {
    await book.close()
    rmSync(folder, { recursive: true })
  })
  const report = (line: string): void => t.diagnostic(line)
  return new BenchmarkRunner({ target, workload: INGEST_MESSAGE, startLoad, judge, book, report })
}

/** A generator that waits for its connections until it is killed. */
const connecting: StartLoad = (_plan, _onTick, signal) =>
  new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('it has ended by SIGKILL')))
  })

test('a stop is bounded while the generator connects', async t => {
  const runner = await runnerWith(t, { startLoad: connecting, target: 'http://127.0.0.1:1' })
  const { ended } = runner.start(benchmarkOf('baseline-suite', undefined))
  const record = await runner.stop(20)
  assert.equal(record, await ended)
  const { status, tests, problem } = record ?? assert.fail()
  assert.deepEqual(
    { status, tests, problem },
    { status: 'stopped', tests: 0, problem: 'it has ended by SIGKILL' },
  )
  assert.equal(runner.status.status, 'idle')
})

test('a stop is bounded while answers are waited for', async t => {
  const startLoad: StartLoad = (_plan, _onTick, signal) => {
    const { promise: result, reject } = Promise.withResolvers<never>()
    signal?.addEventListener('abort', () => reject(new Error('it has ended by SIGKILL')))
    return Promise.resolve({ pid: 0, result, stop() {} })
  }
  const runner = await runnerWith(t, { startLoad, target: 'http://127.0.0.1:1' })
  runner.start(benchmarkOf('run-benchmark', undefined))
  assert.equal((await runner.stop(20))?.status, 'stopped')
})
