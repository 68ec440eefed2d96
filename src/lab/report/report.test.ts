import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { analyse } from '../analysis/analysis.ts'
import type { LabRecord } from '../run/record.ts'
import { comparisonTable, rowTexts, TABLE_COLUMNS } from '../analysis/table.ts'
import { csvCell } from './csv.ts'
import { escapeMarkdown, reportMarkdown } from './markdown.ts'
import { writeReport } from './report.ts'
import { labResults } from './results.fixture.ts'
import type { ResultOptions } from './results.fixture.ts'
import type { Summary } from './summary.ts'

const HEADER =
  'Solution ID,Test Profile,p95 Latency (ms),Error Rate (%),Max Sustainable RPS,DB CPU Max (%),' +
  'API CPU Max (%),SLO Status,Notes'

async function reportOf(t: TestContext, options: ResultOptions) {
  const directory = await mkdtemp(join(tmpdir(), 'weir-report-'))
  t.after(() => rm(directory, { recursive: true }))
  const lines = labResults(options).map(record => `${JSON.stringify(record)}\n`)
  await writeFile(join(directory, 'results.ndjson'), lines.join(''))
  const paths = await writeReport(directory)
  const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8')
  return {
    directory,
    names: paths.map(path => basename(path)).sort(),
    markdown: await read('report.md'),
    csv: await read('table.csv'),
    summary: JSON.parse(await read('summary.json')) as Summary,
  }
}

test('the report has its files, and the table its columns exactly, in each form', async t => {
  const { directory, names, markdown, csv, summary } = await reportOf(t, { blocks: 1 })
  assert.deepEqual(names, ['report.html', 'report.md', 'summary.json', 'table.csv'])
  assert.deepEqual((await readdir(directory)).sort(), [...names, 'results.ndjson'].sort())
  assert.equal(csv.split('\r\n')[0], HEADER)
  assert.ok(markdown.includes(`| ${HEADER.split(',').join(' | ')} |\n`))
  assert.deepEqual(Object.keys(summary.table[0]), HEADER.split(','))
  // A header, 8 solutions × 4 profiles, and the end of the last line.
  assert.equal(csv.split('\r\n').length, 1 + 32 + 1)
  assert.equal(summary.cells.length, 32)
})

test('the figures are medians of the confirmations, with interval and every value', () => {
  const options = { solutions: ['baseline', 'tune'], profiles: ['mixed'] }
  const records = labResults(options)
  const rates = records.flatMap(record =>
    record.kind === 'cell' && record.cell.solution === 'tune' ? [record.maxRate] : [],
  )
  const [, row] = comparisonTable(records)
  assert.deepEqual(row.maxRate?.values, rates)
  assert.equal(row.maxRate?.median, [...rates].sort((a, b) => a - b)[1])
  const low = Math.min(...rates)
  const high = Math.max(...rates)
  assert.equal(row.notes[0], `RPS ${low}–${high} (${rates.join(', ')})`)
  assert.match(row.notes[1], /^1\.\d+ × baseline \(1\.\d+–1\.\d+\), faster$/)
  assert.match(row.notes[2], /^limit: /)
})

test('a missing cell is a row that says why, with no empty cell', () => {
  const faults = {
    'queue mixed': 'missing',
    'tune mixed': 'unstarted',
    'cache mixed': 'invalid',
    'scale mixed': 'not met',
    'cluster mixed 2': 'void',
  } as const
  const rows = comparisonTable(labResults({ profiles: ['mixed'], faults }))
  const texts = rows.map(rowTexts)
  assert.equal(texts.length, 8)
  assert.ok(texts.flat().every(text => text !== ''))
  const row = (id: string): string[] => texts.find(([solution]) => solution === id)!
  const none = Array<string>(5).fill('missing')
  assert.deepEqual(row('queue').slice(2, 8), [...none, 'missing'])
  assert.match(row('queue')[8], /blocks 1, 2, 3: no Kafka on this machine/)
  assert.match(row('tune')[8], /not run, the run ended before/)
  assert.deepEqual(row('cache').slice(2, 8), [...none, 'invalid'])
  assert.match(row('cache')[8], /12 acknowledged points are not stored/)
  assert.equal(row('scale')[7], 'not met')
  assert.equal(row('cluster')[7], 'partly')
  assert.match(row('cluster')[8], /block 2: every try was void/)
  assert.equal(row('embedded')[5], 'no database process')
})

test('a rate that only the generator, or the search, ended is a lower bound', () => {
  const notes = (detail: string): string | undefined => {
    const records = labResults({ solutions: ['tune'], profiles: ['mixed'], blocks: 1 })
    const limit = [{ rule: 'generator-cpu' as const, detail }]
    const bounded = records.map(record => (record.kind === 'cell' ? { ...record, limit } : record))
    return comparisonTable(bounded)[0].notes.at(-1)
  }
  const used = 'the generator used 85 % of its core, at most 80 %'
  assert.equal(
    notes(`at least; the generator's limit at 9000/s: ${used}`),
    "at least: the generator's limit",
  )
  assert.equal(
    notes('at least 5000/s: no higher rate was tried (5000/s)'),
    'at least: no higher rate was tried',
  )
  assert.match(notes('p99 of GET latest 412 ms, at most 300 ms') ?? '', /^limit: /)
})

test('one block has no intervals, and the report says so', async t => {
  const { markdown, summary } = await reportOf(t, { blocks: 1, profiles: ['mixed'] })
  assert.match(markdown, /One block: every cell was run once, so there are no intervals/)
  assert.ok(summary.ratios.every(({ difference }) => difference === 'unknown'))
  assert.ok(summary.cells.every(({ maxRate }) => maxRate?.interval === undefined))
})

test('the report says what weakens it', () => {
  const remarks = (options: ResultOptions): string =>
    analyse(labResults({ profiles: ['mixed'], ...options })).remarks.join('\n')
  const few = remarks({ isQuick: true, faults: { 'queue mixed': 'missing', 'tune mixed': 'void' } })
  assert.match(few, /A quick run/)
  assert.match(few, /3 blocks: .* 75 % of cases with so few/)
  assert.match(few, /scale and cluster measure what further processes cost/)
  assert.match(few, /The generator and all servers share the machine’s cores/)
  assert.match(few, /embedded has no database process/)
  assert.match(few, /Noise floor [\d.]+ %: baseline against itself/)
  assert.match(few, /No result for 2 of 8 cells: tune \/ mixed, queue \/ mixed/)
  assert.match(few, /6 of \d+ steps were void/)
  const many = remarks({ cores: 16, blocks: 10, solutions: ['baseline', 'scale'] })
  assert.doesNotMatch(many, /quick|blocks:|what further processes cost|No result|void|embedded/)
  assert.match(many, /No A\/A control/)
})

test('a rate whose overload held is named', () => {
  const all = labResults({ profiles: ['mixed'] })
  const held = all.map((record): LabRecord => {
    if (record.kind !== 'step' || record.phase !== 'overload') return record
    const { solution, block } = record.cell
    if (solution !== 'tune' || block !== 2) return record
    return { ...record, verdict: { outcome: 'pass', breaches: [] } }
  })
  const about = (records: readonly LabRecord[]): string[] =>
    analyse(records).remarks.filter(remark => remark.includes('the found rate held'))
  assert.deepEqual(about(all), [])
  assert.match(about(held).join(), /^In 1 of 24 results 1.5 × .* tune \/ mixed \(block 2\)\./)
})

test('the Markdown tells machine, command, seed, versions, topologies, overload and bottlenecks', () => {
  const text = reportMarkdown(analyse(labResults({ blocks: 2 })))
  for (const part of [
    '| Command | weir lab run --blocks 2 --seed 7 |',
    '| Seed | 7 |',
    '| Commit | 0123456789abcdef0123456789abcdef01234567 |',
    '| fsync of 4 KB | 0.21 ms (p50), 1.4 ms (p99) |',
    'Node v24.1.0, PostgreSQL 18.4, Redis 7.0.15, Kafka 4.1.0',
    '```yaml\n# The baseline with the database used well',
    '## Beyond the limit',
    '### One change at a time',
    'baseline → tune → cluster: each against the one before it.',
    '### mixed, baseline at ',
    '**To test:** With writes that are merged: ',
    'errors below 1 %; achieved ≥ 99 % of offered',
    'Held: tune sustained ',
  ]) {
    assert.ok(text.includes(part), part)
  }
})

test('only the first explanation is called the limit', () => {
  const records = labResults({ solutions: ['baseline'], profiles: ['mixed'], blocks: 1 })
  const waiting = records.map((record): LabRecord => {
    if (record.kind !== 'step') return record
    const node = { poolSize: 15, poolBusyMean: 15, poolWaitingMean: 40 }
    return { ...record, probes: { ...record.probes!, node } }
  })
  const text = reportMarkdown(analyse(waiting))
  assert.equal(text.split('- **Limit:** the machine’s cores.').length, 2)
  assert.equal(text.split('- **Close behind:** the pool of connections.').length, 2)
})

test('what a result file says can be no formula, markup, link or further cell', () => {
  assert.equal(csvCell('=HYPERLINK("http://x")'), `"'=HYPERLINK(""http://x"")"`)
  assert.equal(csvCell('+1'), "'+1")
  assert.equal(csvCell('@SUM(A1)'), "'@SUM(A1)")
  assert.equal(csvCell(' \t=1'), "' \t=1")
  assert.equal(csvCell('-1.5'), '-1.5')
  assert.equal(csvCell('a,b'), '"a,b"')
  assert.equal(
    escapeMarkdown('a|b\n<img src=x> ![x](http://y)'),
    'a\\|b &lt;img src=x> !\\[x\\](http://y)',
  )
})

test('the columns are those of the comparison', () => {
  assert.equal(TABLE_COLUMNS.join(','), HEADER)
})

test('a folder without results is refused', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'weir-report-'))
  t.after(() => rm(directory, { recursive: true }))
  await assert.rejects(writeReport(directory), /no results in/)
})
