// `npm test [-- FILTER… --name PATTERN --failed]`: provides what the tests need, real servers too,
// runs them, says what was skipped. `--failed` runs again the files that failed the last time.
// A filter is a part of a test file's path. With CI=true a skipped test is a failure, unless its
// reason begins with "optional:".
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, constants } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { parseArgs } from 'node:util'
import { provideTools, toolsNamed } from './provide-tools.ts'
import { root } from './root.ts'
import { SERVERS, serversNeeded, startTestServers } from './test-servers.ts'

const TIMEOUT_MS = 10 * 60_000
const CLOSING_LINE = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string', multiple: true }, failed: { type: 'boolean' } },
})

const all = globSync(['{src,test,bench}/**/*.test.ts'], { cwd: root }).sort()
const FAILED_LIST = join(root, 'node_modules/.cache/failed-tests.json')
const before = new Set(
  values.failed === true && existsSync(FAILED_LIST)
    ? (JSON.parse(readFileSync(FAILED_LIST, 'utf8')) as string[])
    : all,
)
const files = all.filter(
  file =>
    before.has(file) &&
    (positionals.length === 0 || positionals.some(filter => file.includes(filter))),
)
if (files.length === 0) {
  console.error(`No test file matches ${positionals.join(', ')}.`)
  process.exit(2)
}
provideTools(toolsNamed(files.map(file => readFileSync(join(root, file), 'utf8'))))
const { shared, own } = serversNeeded(files.map(file => join(root, file)))
for (const name of new Set([...shared, ...own])) SERVERS[name].get()
let stopServers = (): Promise<void> => Promise.resolve()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    void stopServers().finally(() => process.exit(128 + constants.signals[signal]))
  })
}
const servers = await startTestServers(shared)
stopServers = servers.stop
Object.assign(process.env, servers.env)

const skipped: string[] = []
const closing: string[] = []
const failed = new Set<string>()

const stream = run({
  cwd: root,
  files: files.map(file => join(root, file)),
  concurrency: Math.max(2, availableParallelism()),
  timeout: TIMEOUT_MS,
  ...(values.name === undefined
    ? {}
    : { testNamePatterns: values.name.map(name => new RegExp(name)) }),
})

Readable.from(withoutTotals(stream as AsyncIterable<Event>))
  .pipe(new spec())
  .on('data', (text: Buffer) => process.stdout.write(text))
  .on('end', () => void conclude())

async function* withoutTotals(events: AsyncIterable<Event>): AsyncIterable<Event> {
  for await (const event of events) if (!withhold(event)) yield event
}

interface Event {
  readonly type: string
  readonly data: {
    readonly name?: string
    readonly file?: string
    readonly nesting?: number
    readonly skip?: string | boolean
    readonly message?: string
  }
}

/** Notes what the end needs; the totals are withheld, to be the last lines. */
function withhold({ type, data }: Event): boolean {
  if (type === 'test:fail') failed.add(relative(root, data.file ?? data.name ?? 'unknown'))
  if (type === 'test:pass' && data.skip !== undefined && data.skip !== false) {
    const reason = typeof data.skip === 'string' && data.skip !== '' ? data.skip : 'no reason given'
    skipped.push(`${data.name} — ${reason}`)
  }
  const isTotal =
    type === 'test:diagnostic' && data.nesting === 0 && CLOSING_LINE.test(data.message ?? '')
  if (isTotal) closing.push(data.message ?? '')
  return isTotal
}

async function conclude(): Promise<void> {
  await servers.stop()
  if (servers.missing.length > 0) {
    console.log(`\nServers that could not be had:\n  ${servers.missing.join('\n  ')}`)
  }
  if (skipped.length > 0) {
    console.log(`\nSkipped:\n${skipped.map(line => `  ﹣ ${line}`).join('\n')}\n`)
  }
  const missed = skipped.filter(line => !line.includes('— optional:'))
  const skipFails = process.env['CI'] === 'true' && missed.length > 0
  if (skipFails) console.log(`${missed.length} skipped, which in CI is a failure.\n`)
  for (const line of closing) console.log(`ℹ ${line}`)
  mkdirSync(dirname(FAILED_LIST), { recursive: true })
  writeFileSync(FAILED_LIST, JSON.stringify([...failed]))
  process.exitCode = failed.size > 0 || skipFails ? 1 : 0
}
