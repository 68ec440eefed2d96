import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { labResults } from '../../../lab/report/results.fixture.ts'
import type { ResultOptions } from '../../../lab/report/results.fixture.ts'
import { labCompare } from './compare.ts'
import { labReport } from './report.ts'

type Run = typeof labReport

async function printed(run: Run, args: readonly string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const stdout = { write: (text: string) => out.push(text) }
  const stderr = { write: (text: string) => err.push(text) }
  const code = await run(args, { stdout, stderr, env: {}, cwd: '.' })
  return { code, out: out.join(''), err: err.join('') }
}

async function resultsIn(t: TestContext, options: ResultOptions): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-lab-'))
  t.after(() => rm(directory, { recursive: true }))
  const lines = labResults(options).map(record => `${JSON.stringify(record)}\n`)
  await writeFile(join(directory, 'results.ndjson'), lines.join(''))
  return directory
}

const small = { solutions: ['baseline', 'tune'], profiles: ['mixed'], isQuick: true }

test('report names the files that it has written', async t => {
  const directory = await resultsIn(t, small)
  const { code, out } = await printed(labReport, [directory])
  assert.equal(code, 0)
  const names = ['report.html', 'report.md', 'summary.json', 'table.csv']
  assert.deepEqual(
    out.trim().split('\n'),
    names.map(name => join(directory, name)),
  )
})

test('compare prints Markdown, or JSON that can be read', async t => {
  const a = await resultsIn(t, small)
  const b = await resultsIn(t, { ...small, speed: 2, commit: 'fedcba' })
  const { code, out } = await printed(labCompare, [a, b])
  assert.equal(code, 0)
  assert.match(out, /^# B against A\n/)
  assert.match(
    out,
    /\| baseline \| mixed \| \d+ \| \d+ \| (1\.9|2)\d*\.?\d* \| 1\.\d+ to 2\.\d+ \| faster \|/,
  )
  const json = await printed(labCompare, [a, b, '--json'])
  const { cells } = JSON.parse(json.out) as { cells: { solution: string }[] }
  assert.deepEqual(
    cells.map(({ solution }) => solution),
    ['baseline', 'tune'],
  )
})

test('what cannot be read or compared ends with a code and one line that says why', async t => {
  const a = await resultsIn(t, small)
  const b = await resultsIn(t, { ...small, profiles: ['analytics'] })
  const other = await printed(labCompare, [a, b])
  assert.equal(other.code, 7)
  assert.equal(other.out, '')
  assert.match(other.err, /^weir lab compare: these results cannot be compared: .* no profile\n$/)
  const none = await printed(labReport, [join(a, 'nothing')])
  assert.deepEqual([none.code, none.err.split('\n').length], [7, 2])
  await writeFile(join(b, 'results.ndjson'), '<html>\n{}\n')
  assert.match((await printed(labReport, [b])).err, /results.ndjson:1 is no record of the lab/)
  assert.equal((await printed(labReport, [])).code, 2)
  assert.equal((await printed(labCompare, [a])).code, 2)
  assert.equal((await printed(labCompare, [a, b, '--wrong'])).code, 2)
})
