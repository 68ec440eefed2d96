import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../../config/schema.ts'
import { textWithoutSecrets } from '../../config/secrets.ts'
import { plannedServers, type PlannedServer } from '../../config/server-plan.ts'
import { readTopology } from '../../config/topology.ts'
import { PostgresPool } from '../../postgres/postgres-pool.ts'
import { titlesOfServers } from '../../provide/provide-servers.ts'
import type { MachineFacts } from '../run/record.ts'
import { configOf } from '../system/solution-config.ts'
import type { Solution } from '../system/solution.ts'
import { fsyncCost } from './fsync-cost.ts'

export interface FactsOptions {
  /** Of the run: its disk is the data's. */
  readonly directory: string
  readonly solutions: readonly Solution[]
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** On what a run is made. Takes about two seconds, for the disk; no load may run meanwhile. */
export async function machineFacts({ directory, solutions }: FactsOptions): Promise<MachineFacts> {
  const folder = resolve(directory)
  mkdirSync(folder, { recursive: true })
  const fsync = await fsyncCost(folder)
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    node: process.version,
    commit: commit(),
    fsyncP50Ms: fsync.p50Ms,
    fsyncP99Ms: fsync.p99Ms,
    servers: await serverTitles(solutions, folder),
    topologies: topologies(solutions),
  }
}

/** Of the sources, with a sign where they were changed since; of a package, its version. */
function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', ROOT, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  try {
    if (existsSync(join(ROOT, '.git'))) {
      const isChanged = git('status', '--porcelain', '--untracked-files=no') !== ''
      return `${git('rev-parse', 'HEAD')}${isChanged ? ' with changes' : ''}`
    }
  } catch {
    // No git, or not this user's folder.
  }
  const manifest = readFileSync(join(ROOT, 'package.json'), 'utf8')
  return `version ${(JSON.parse(manifest) as { version: string }).version}`
}

/** Of those that cannot be had, nothing: their solutions do not run. */
async function serverTitles(solutions: readonly Solution[], folder: string): Promise<string[]> {
  const titles = new Set<string>()
  const data = mkdtempSync(join(folder, 'facts-'))
  try {
    for (const solution of solutions) {
      const outcome = configOf(solution, process.env)
      if ('problem' in outcome) continue
      const config = { ...outcome.config, data }
      const given = plannedServers(config).filter(({ addresses }) => addresses.length > 0)
      const asked = given.map(server => givenTitle(server, config))
      for (const title of [...ownTitles(config), ...(await Promise.all(asked))]) titles.add(title)
    }
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
  return [...titles].sort()
}

function ownTitles(config: Config): string[] {
  try {
    return titlesOfServers(config)
  } catch {
    return []
  }
}

const NAMES: Readonly<Record<PlannedServer['name'], string>> = {
  postgres: 'PostgreSQL',
  redis: 'Redis',
  kafka: 'Kafka',
  nats: 'NATS',
}

/** Only PostgreSQL is asked for its version; of the others the address has to do. */
async function givenTitle({ name, addresses }: PlannedServer, config: Config): Promise<string> {
  const where = `${NAMES[name]} at ${addresses.join(', ')}`
  if (name !== 'postgres') return where
  try {
    const pool = await PostgresPool.open({
      ...{ url: config.postgres.url, schema: 'weir', poolSize: 1, connectTimeoutMs: 5000 },
      ...{ idleTimeoutMs: 1000, statementTimeoutMs: 5000 },
    })
    try {
      const { rows } = await pool.query<{ version: string }>({
        text: `SELECT current_setting('server_version') AS version`,
      })
      return `PostgreSQL ${rows[0].version}`
    } finally {
      await pool.close()
    }
  } catch {
    return where
  }
}

/**
 * By the names of the files, those that they extend too. A record of a run is shown to others: it has
 * nothing that is secret in them, and nothing of what cannot be read, which does not run.
 */
function topologies(solutions: readonly Solution[]): Record<string, string> {
  const texts: Record<string, string> = {}
  for (const solution of solutions) {
    if ('problem' in configOf(solution, process.env)) continue
    const named = { name: solution.topology, source: 'the solution', cwd: process.cwd() }
    for (const file of readTopology(named).files) {
      texts[basename(file)] = textWithoutSecrets(readFileSync(file, 'utf8'))
    }
  }
  return texts
}
