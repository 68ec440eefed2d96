// `npm run check [types|lint|format|unused …]`: everything that is judged without running the code.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from './root.ts'

const bin = (path: string): string => join(root, 'node_modules', path)

// tsgolint and oxlint, tsc and knip each use several threads; all at once is still the quickest.
const CHECKS: Readonly<Record<string, readonly string[]>> = {
  types: [bin('typescript/bin/tsc'), '--noEmit'],
  lint: [bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings'],
  format: [bin('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'],
  unused: [bin('knip/bin/knip.js'), '--no-progress'],
}

interface Outcome {
  readonly name: string
  readonly passed: boolean
  readonly output: string
  readonly seconds: number
}

function run(name: string, args: readonly string[]): Promise<Outcome> {
  const started = performance.now()
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, NO_COLOR: '1' } })
  const chunks: Buffer[] = []
  const finish = (passed: boolean): void => {
    const seconds = (performance.now() - started) / 1000
    resolve({ name, passed, output: Buffer.concat(chunks).toString(), seconds })
  }
  child.stdout.on('data', chunk => chunks.push(chunk))
  child.stderr.on('data', chunk => chunks.push(chunk))
  child.on('error', error => {
    chunks.push(Buffer.from(error.message))
    finish(false)
  })
  child.on('close', code => finish(code === 0))
  return promise
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !(name in CHECKS))
if (unknown.length > 0) {
  console.error(`no such check: ${unknown.join(', ')}; there are ${Object.keys(CHECKS).join(', ')}`)
  process.exit(2)
}
const chosen = Object.entries(CHECKS).filter(
  ([name]) => wanted.length === 0 || wanted.includes(name),
)
const outcomes = await Promise.all(chosen.map(([name, args]) => run(name, args)))
for (const { name, output, passed } of outcomes) {
  if (!passed) console.log(`── ${name}\n${output.trim()}\n`)
}
for (const { name, passed, seconds } of outcomes) {
  console.log(`${passed ? '✔' : '✖'} ${name.padEnd(8)} ${seconds.toFixed(1)} s`)
}
process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1
