import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { provideKafka as startKafka } from '../src/provide/kafka-server.ts'
import { provideNats } from '../src/provide/nats-server.ts'
import { providePostgres } from '../src/provide/postgres-server.ts'
import type { ProvidedServer, ProvideOptions } from '../src/provide/provided-server.ts'
import { provideRedis } from '../src/provide/redis-server.ts'
import { provideKafka } from './provide-kafka.ts'
import { provideTools } from './provide-tools.ts'

export type ServerName = 'postgres' | 'redis' | 'nats' | 'kafka'

interface Server {
  readonly variable: string
  /** Brings what it needs to this machine, where that is possible. */
  get(): void
  start(options: ProvideOptions): Promise<ProvidedServer>
}

export const SERVERS: Readonly<Record<ServerName, Server>> = {
  postgres: {
    variable: 'WEIR_TEST_POSTGRES_URL',
    // It comes with the dependencies.
    get() {},
    start: providePostgres,
  },
  redis: {
    variable: 'WEIR_TEST_REDIS_URL',
    get: () => provideTools(['redis-server']),
    start: provideRedis,
  },
  nats: {
    variable: 'WEIR_TEST_NATS_URL',
    get: () => provideTools(['nats-server']),
    start: provideNats,
  },
  kafka: {
    variable: 'WEIR_TEST_KAFKA_BROKERS',
    get: provideKafka,
    start: options => startKafka({ ...options, home: '' }),
  },
}

const NAMES = Object.keys(SERVERS) as ServerName[]

export interface NeededServers {
  /** To be started, for all tests together. */
  readonly shared: readonly ServerName[]
  /** To be on the machine: tests start their own. */
  readonly own: readonly ServerName[]
}

/** Which servers some test files need, by what they, and what they import, import of the fixture. */
export function serversNeeded(files: readonly string[]): NeededServers {
  const imported = new Set<string>()
  const seen = new Set<string>()
  const waiting = [...files]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file) || !existsSync(file)) continue
    seen.add(file)
    for (const [, names, path] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      waiting.push(join(dirname(file), path))
      if (!path.endsWith('/fixtures/servers.ts') && path !== './servers.ts') continue
      for (const name of names.matchAll(/\w+/g)) imported.add(name[0])
    }
  }
  const title = (name: string): string => name[0].toUpperCase() + name.slice(1)
  return {
    shared: NAMES.filter(name => imported.has(`${name}Server`)),
    own: NAMES.filter(name => imported.has(`own${title(name)}`)),
  }
}

const IMPORT = /\b(?:import|export)\b([^'"`;]*?)\bfrom '(\.[^']+\.ts)'/g

export interface TestServers {
  /** For the tests. */
  readonly env: Readonly<Record<string, string>>
  readonly servers: readonly ProvidedServer[]
  /** What was not to be had, and why. */
  readonly missing: readonly string[]
  stop(): Promise<void>
}

/**
 * Starts servers on free ports, with their data in a temporary folder. One that the environment
 * names already is used instead.
 */
export async function startTestServers(names: readonly ServerName[]): Promise<TestServers> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-test-servers-'))
  const clear = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  // Ended while they start, they end by themselves.
  process.once('exit', clear)
  const env: Record<string, string> = {}
  const servers: ProvidedServer[] = []
  const missing: string[] = []
  const start = async (name: ServerName): Promise<void> => {
    const { variable, start: provide } = SERVERS[name]
    if ((process.env[variable] ?? '') !== '') return
    const report = (message: string): void => console.error(message)
    try {
      const server = await provide({ directory: join(folder, name), report, restarts: true })
      servers.push(server)
      env[variable] = server.address
    } catch (error) {
      const { message } = error as Error
      env[`${variable}_MISSING`] = message
      missing.push(message)
    }
  }
  await Promise.all(names.map(start))
  return {
    ...{ env, servers, missing },
    async stop() {
      await Promise.allSettled(servers.map(server => server.stop()))
      process.off('exit', clear)
      clear()
    },
  }
}
