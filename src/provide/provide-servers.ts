import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import { kafkaKind } from './kafka-server.ts'
import { natsKind } from './nats-server.ts'
import { postgresKind } from './postgres-server.ts'
import type { ProvidedServer, ServerKind } from './provided-server.ts'
import { redisKind } from './redis-server.ts'
import { runServer } from './server-process.ts'
import { isRunning, readState } from './server-state.ts'

interface Server {
  /** Names in `….engine` whose engines are kept in it. */
  readonly engines: readonly string[]
  readonly isGiven: (config: Config) => boolean
  readonly kind: (directory: string, config: Config) => ServerKind
  readonly withAddress: (config: Config, address: string) => Config
}

/** By the name of its folder in the data folder. */
const SERVERS: Readonly<Record<string, Server>> = {
  postgres: {
    engines: ['postgres', 'timescale'],
    isGiven: ({ postgres }) => postgres.url !== '',
    kind: directory => postgresKind(directory),
    withAddress: (config, url) => ({ ...config, postgres: { ...config.postgres, url } }),
  },
  redis: {
    engines: ['redis', 'tiered'],
    isGiven: ({ redis }) => redis.url !== '',
    kind: directory => redisKind(directory),
    withAddress: (config, url) => ({ ...config, redis: { ...config.redis, url } }),
  },
  kafka: {
    engines: ['kafka'],
    isGiven: ({ kafka }) => kafka.brokers.length > 0,
    kind: (directory, { kafka }) => kafkaKind({ directory, home: kafka.home }),
    withAddress: (config, one) => ({ ...config, kafka: { ...config.kafka, brokers: [one] } }),
  },
  nats: {
    engines: ['nats'],
    isGiven: ({ nats }) => nats.servers.length > 0,
    kind: directory => natsKind(directory),
    withAddress: (config, one) => ({ ...config, nats: { ...config.nats, servers: [one] } }),
  },
}

export interface ServersOptions {
  /** Told of each start, and when a server of an earlier run is stopped or one has ended. */
  readonly report: (message: string) => void
  /** Only what these engines need; absent: all that the configuration names. */
  readonly engines?: readonly string[]
}

export interface ProvidedServers {
  /** With the addresses. */
  readonly config: Config
  readonly servers: readonly ProvidedServer[]
}

/**
 * Starts the servers that the engines of a configuration need and for which it has no address, with
 * their data in folders of the data folder. The caller holds the data folder's lock, and stops them
 * when nothing uses them any more; they do not outlive this process in any case.
 *
 * @throws WeirError `config` when one cannot be had, saying what to install; else as `runServer`.
 *   None is left running then.
 */
export async function provideServers(
  config: Config,
  options: ServersOptions,
): Promise<ProvidedServers> {
  const needed = neededServers(config, options.engines)
  if (needed.length === 0) return { config, servers: [] }
  mkdirSync(config.data, { recursive: true })
  // What cannot be had is said before anything is started.
  const prepared = needed.map(name => {
    const directory = join(config.data, name)
    return { name, directory, kind: SERVERS[name].kind(directory, config) }
  })
  const { report } = options
  const starting = prepared.map(({ directory, kind }) => {
    report(`starting ${kind.title}`)
    return runServer(kind, { directory, report, restarts: true })
  })
  const outcomes = await Promise.allSettled(starting)
  const servers = outcomes.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = outcomes.find(one => one.status === 'rejected')
  if (failed !== undefined) {
    await stopServers(servers)
    throw failed.reason
  }
  const complete = needed.reduce(
    (before, name, i) => SERVERS[name].withAddress(before, servers[i].address),
    config,
  )
  return { config: complete, servers }
}

/**
 * What would be started: `PostgreSQL 18.4`.
 *
 * @throws WeirError `config` when one cannot be had.
 */
export function titlesOfServers(config: Config): string[] {
  mkdirSync(config.data, { recursive: true })
  return neededServers(config).map(
    name => SERVERS[name].kind(join(config.data, name), config).title,
  )
}

export async function stopServers(servers: readonly ProvidedServer[]): Promise<void> {
  await Promise.all(servers.map(server => server.stop()))
}

/**
 * The configuration with the addresses of the servers that another process has started for it.
 * Undefined where one of them does not run, or does not answer yet.
 */
export async function reachServers(
  config: Config,
  engines: readonly string[],
): Promise<Config | undefined> {
  let complete = config
  for (const name of neededServers(config, engines)) {
    const directory = join(config.data, name)
    const state = readState(directory)
    if (state?.pid === undefined || !isRunning(state)) return undefined
    const { kind, withAddress } = SERVERS[name]
    const found = kind(directory, config)
    if (!(await found.isReady(state.port, state.pid))) return undefined
    complete = withAddress(complete, found.address(state.port))
  }
  return complete
}

/** Of those that have no address. */
export function neededServers(config: Config, engines: readonly string[] = enginesOf(config)) {
  return Object.entries(SERVERS)
    .filter(([, server]) => server.engines.some(engine => engines.includes(engine)))
    .filter(([, server]) => !server.isGiven(config))
    .map(([name]) => name)
}

/** What the sections of a configuration name as `engine`. */
function enginesOf(config: Config): string[] {
  return Object.values(config).flatMap(part =>
    typeof part === 'object' && 'engine' in part ? [String(part.engine)] : [],
  )
}
