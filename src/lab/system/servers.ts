import { mkdirSync } from 'node:fs'
import type { Config } from '../../config/schema.ts'
import { plannedServers, type PlannedServer } from '../../config/server-plan.ts'
import { neededServers, provideServers, stopServers } from '../../provide/provide-servers.ts'
import type { ProvidedServer } from '../../provide/provided-server.ts'
import { listeningProcess } from './listening-process.ts'
import type { Role, SystemProcess } from './system.ts'

export type ServerName = PlannedServer['name']

/** A server that steps use, until the house closes. */
export interface LabServer {
  readonly name: ServerName
  /** As the configuration takes it. A secret. */
  readonly address: string
  /** Whether the lab has started it and may do there what it likes. */
  readonly isOwn: boolean
  /** Absent where it runs on another machine. */
  process(): SystemProcess | undefined
}

export const ROLES: Readonly<Record<ServerName, Role>> = {
  postgres: 'database',
  redis: 'cache',
  kafka: 'queue',
  nats: 'queue',
}

/** The servers of a lab run: those that its configurations name, and the others started here. */
export class LabServers {
  readonly #directory: string
  readonly #report: (line: string) => void
  readonly #opened = new Map<string, Promise<LabServer>>()
  readonly #provided: ProvidedServer[] = []

  constructor(directory: string, report: (line: string) => void) {
    this.#directory = directory
    this.#report = report
  }

  /**
   * All that this configuration needs; each server is started once.
   *
   * @throws Error that says what is missing.
   */
  open(config: Config): Promise<readonly LabServer[]> {
    const missing = new Set<string>(neededServers(config))
    return Promise.all(
      plannedServers(config).map(({ name }) => {
        const key = missing.has(name) ? name : `${name} ${addressIn(config, name)}`
        let opened = this.#opened.get(key)
        if (opened === undefined) {
          opened = missing.has(name) ? this.#provide(name, config) : given(name, config)
          opened.catch(() => {})
          this.#opened.set(key, opened)
        }
        return opened
      }),
    )
  }

  async #provide(name: ServerName, config: Config): Promise<LabServer> {
    mkdirSync(this.#directory, { recursive: true })
    const own = { ...config, data: this.#directory }
    const { servers } = await provideServers(own, { report: this.#report, engines: [name] })
    this.#provided.push(...servers)
    const [server] = servers
    this.#report(`${server.describe()}`)
    return {
      ...{ name, address: server.address, isOwn: true },
      process: () => ({ pid: server.pid, role: ROLES[name] }),
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#opened.values())
    await stopServers(this.#provided)
  }
}

async function given(name: ServerName, config: Config): Promise<LabServer> {
  const address = addressIn(config, name)
  const pid = localProcess(address, name)
  const found = pid === undefined ? undefined : { pid, role: ROLES[name] }
  return { name, address, isOwn: false, process: () => found }
}

function addressIn(config: Config, name: ServerName): string {
  if (name === 'postgres') return config.postgres.url
  if (name === 'redis') return config.redis.url
  return (name === 'kafka' ? config.kafka.brokers : config.nats.servers).join(',')
}

const PORTS: Readonly<Record<ServerName, number>> = {
  postgres: 5432,
  redis: 6379,
  kafka: 9092,
  nats: 4222,
}

function localProcess(address: string, name: ServerName): number | undefined {
  const [first] = address.split(',')
  const text = first.includes('://') ? first : `tcp://${first}`
  if (!URL.canParse(text)) return undefined
  // Only of special schemes is the host what one expects.
  const { hostname, port } = new URL(text)
  const isLocal = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
  return isLocal ? listeningProcess(port === '' ? PORTS[name] : Number(port)) : undefined
}
