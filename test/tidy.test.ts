import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, matchesGlob } from 'node:path'
import { test } from 'node:test'
import { FOLDERS, zones } from '../scripts/import-rules.ts'
import { referencePages } from '../scripts/reference-pages.ts'
import { root } from '../scripts/root.ts'

// What holds for every file and no linter sees.

const MAX_LINES = 500
const MAX_TEST_LINES = 800

const CODE = ['{src,test,bench,scripts,bin}/**/*.{ts,js,mjs}', '*.ts']
const isSkipped = (name: string): boolean => name === 'node_modules' || name === 'dist'
const find = (patterns: readonly string[]): string[] =>
  globSync(patterns, { cwd: root, exclude: path => isSkipped(basename(path)) }).sort()
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

const code = find(CODE)
const pages = find(['*.md', 'docs/**/*.md'])

/** The files with the lines that match, as `file:line`. */
function linesMatching(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap(file =>
    read(file)
      .split('\n')
      .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}`] : [])),
  )
}

test('every folder of src has a rule that says what it may import', () => {
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
  assert.deepEqual(
    folders.filter(entry => !entry.isDirectory()).map(entry => entry.name),
    [],
    'src holds folders only',
  )
  const unknown = folders.map(entry => entry.name).filter(name => !(name in FOLDERS))
  assert.deepEqual(unknown, [])
})

test('the code map of ARCHITECTURE.md names the folders of src, all and no others', () => {
  const mapped = [...read('ARCHITECTURE.md').matchAll(/^\| `src\/([a-z-]+)\/`/gm)].map(
    ([, name]) => name,
  )
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).map(({ name }) => name)
  assert.deepEqual(mapped.sort(), folders.sort())
})

test('file names are kebab-case', () => {
  const good = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|contract|fixture|config|bench))?\.(ts|js|mjs)$/
  assert.deepEqual(
    code.filter(file => !good.test(basename(file))),
    [],
  )
})

test('nothing is left to do: no marks of unfinished work', () => {
  const pattern = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`)
  assert.deepEqual(linesMatching([...code, ...pages], pattern), [])
})

test('no test runs alone, and none is skipped without a reason', () => {
  const tests = code.filter(file => /\.(test|contract)\.ts$/.test(file))
  assert.deepEqual(linesMatching(tests, /\b(test|it|describe|suite)\.only\(|\bonly: true\b/), [])
  assert.deepEqual(linesMatching(tests, /\bskip: true\b|\.skip\(\s*\)/), [])
})

test('no file is longer than a reader can hold', () => {
  const tooLong = code.filter(file => {
    const isTest = /\.(test|contract)\.ts$/.test(file) || file.startsWith('test/')
    return read(file).split('\n').length > (isTest ? MAX_TEST_LINES : MAX_LINES) + 1
  })
  assert.deepEqual(tooLong, [])
})

test('what is imported lazily follows the import table too', () => {
  const refused = code.flatMap(file => {
    const zone = zones.findLast(({ files }) => files.some(glob => matchesGlob(file, glob)))
    const lazy = [...read(file).matchAll(/\bimport\(\s*'([^']+)'/g)]
    return lazy
      .map(([, specifier = '']) => specifier)
      .filter(specifier =>
        zone?.restrictions.some(({ regex }) => new RegExp(regex).test(specifier)),
      )
      .map(specifier => `${file}: ${specifier}`)
  })
  assert.deepEqual(refused, [])
})

test('the reference is what the code says now (npm run reference)', async () => {
  for (const [path, text] of await referencePages()) {
    assert.equal(existsSync(join(root, path)) ? read(path) : '', text, path)
  }
})

// `npm ci` refuses such a lock file. npm writes one where the registry lacks some platforms' packages.
test('the lock file names the optional packages of every platform', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>
  }
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      name =>
        !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
    ),
  )
  assert.deepEqual(missing, [])
})

test('links between pages lead somewhere', () => {
  const dead = pages.flatMap(page =>
    [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter(target => !existsSync(join(root, dirname(page), target)))
      .map(target => `${page}: ${target}`),
  )
  assert.deepEqual(dead, [])
})
