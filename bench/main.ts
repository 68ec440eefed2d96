/** `npm run bench [-- NAME… --quick --json FILE]`: what the README quotes, measured. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { verdictOf, worst, type BenchContext, type Figure } from './figure.ts'
import { historyFigures, type HistoryPart } from './figures/history.ts'
import {
  binaryFigure,
  columnarFigure,
  influxFigure,
  jsonFigure,
  mqttFigure,
  singleFigure,
} from './figures/ingest.ts'
import { latestFigure } from './figures/latest.ts'
import { postgresFigures } from './figures/postgres.ts'
import { startFigures } from './figures/start.ts'
import { transferFigures } from './figures/transfer.ts'
import { describeMachine } from './machine.ts'
import { report } from './report.ts'

type Step = (context: BenchContext) => Promise<Figure[]>
const one =
  (figure: (context: BenchContext) => Promise<Figure>): Step =>
  async context => [await figure(context)]

const STEPS: Readonly<Record<string, Step>> = {
  start: startFigures,
  json: one(jsonFigure),
  columnar: one(columnarFigure),
  influx: one(influxFigure),
  binary: one(binaryFigure),
  single: one(singleFigure),
  mqtt: one(mqttFigure),
  latest: one(latestFigure),
  transfer: transferFigures,
  postgres: postgresFigures,
}
const HISTORY: readonly HistoryPart[] = ['size', 'queries', 'recovery']
const NAMES = [...Object.keys(STEPS), ...HISTORY]

// What is measured by itself has a file of its own, takes what comes behind its name, and tells its
// figures by itself: `kafka` is in kafka.bench.ts.
const [first = ''] = process.argv.slice(2)
const own = `./${first}.bench.ts`
if (/^[\w-]+$/.test(first) && existsSync(join(import.meta.dirname, own))) {
  process.argv.splice(2, 1)
  await import(own)
  process.exit(0)
}

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    points: { type: 'string' },
    data: { type: 'string' },
  },
  allowPositionals: true,
})
const unknown = positionals.filter(name => !NAMES.includes(name))
if (unknown.length > 0) {
  console.error(`no such figure: ${unknown.join(', ')} (there are ${NAMES.join(', ')})`)
  process.exit(2)
}
const wanted = new Set(positionals.length > 0 ? positionals : NAMES)

// The data belongs on a real disk: in many systems the temporary folder is memory.
const root = mkdtempSync(join(values.data ?? tmpdir(), 'weir-bench-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
let folders = 0
const context: BenchContext = {
  quick: values.quick,
  historyPoints: Number(values.points ?? (values.quick ? 2e6 : 20e6)),
  folder(name) {
    const path = join(root, `${name.replaceAll(/\W+/g, '-')}-${++folders}`, 'data')
    mkdirSync(path, { recursive: true })
    return path
  },
  say: line => console.error(line),
}

const figures: Figure[] = []
let broken = 0
async function run(name: string, step: Step): Promise<void> {
  console.error(name)
  try {
    figures.push(...(await step(context)))
  } catch (error) {
    broken++
    console.error(`${name} could not be measured:`, error)
  }
}
for (const [name, step] of Object.entries(STEPS)) if (wanted.has(name)) await run(name, step)
const parts = new Set(HISTORY.filter(part => wanted.has(part)))
if (parts.size > 0) await run('history', () => historyFigures(context, parts))

figures.push(...worst(figures))
const machine = describeMachine()
console.log(report(machine, figures, values.quick))
if (values.json !== undefined) {
  const results = figures.map(figure => ({ ...figure, result: verdictOf(figure) }))
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, quick: values.quick, figures: results }, undefined, 2)}\n`,
  )
}
process.exitCode = broken > 0 || figures.some(figure => figure.problems.length > 0) ? 1 : 0
