import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { once } from 'node:events'
import type { BrokerElsewhere } from '../compose/node.ts'
import { nodeSecret } from '../compose/node-secret.ts'
import { formatAddress, parseAddress, type Address } from '../config/address.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../observe/logger.ts'
import { systemClock } from '../ports/clock.ts'
import { forkWorkers } from '../workers/child.ts'
import { Supervisor, type GroupPlan } from '../workers/supervisor.ts'

/** What `weir up` has started, in one process or several. */
export interface RunningWeir {
  readonly http?: Address | undefined
  readonly mqtt?: Address | undefined
  readonly mqtts?: Address | undefined
  /** Its worker processes, for people. */
  readonly workers?: string
  readonly failed: Promise<Error>
  failure(): string | undefined
  stop(): Promise<void>
}

/** What a worker is told to run. */
export interface WorkerPlan {
  readonly config: Config
  readonly broker?: BrokerElsewhere | undefined
}

/** What a worker says when it is ready. */
export type WorkerFacts = Pick<RunningWeir, 'http' | 'mqtt' | 'mqtts'>

/** Replaces the workers, one after the other. SIGHUP is what a closed terminal sends: it stops. */
const RESTART_SIGNAL = 'SIGUSR2'

/** Starts the worker processes of a configuration and what supervises them, in this process. */
export async function startWorkers(
  given: Config,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<RunningWeir> {
  const config = await withPorts(given)
  const { drainMs } = config.processes
  const supervisor = new Supervisor({
    groups: groupsOf(config),
    fork: forkWorkers(new URL(`./node-worker${extname(import.meta.url)}`, import.meta.url)),
    clock: systemClock,
    logger: logger.child({ part: 'supervisor' }),
    ...{ drainMs, stopTimeoutMs: config.shutdownTimeoutMs },
  })
  // Workers that are still starting end at once.
  const giveUp = (): void => void supervisor.stop()
  signal.addEventListener('abort', giveUp)
  const facts = await supervisor.start()
  signal.removeEventListener('abort', giveUp)
  const restart = (): void => {
    logger.info(`${RESTART_SIGNAL}: replacing the workers one after the other`)
    supervisor.restart().then(
      () => logger.info('all workers are replaced'),
      (error: Error) =>
        logger.error({ reason: error.message }, 'the restart ended: a new worker did not start'),
    )
  }
  process.on(RESTART_SIGNAL, restart)
  return {
    ...(facts.get('gateway') as WorkerFacts | undefined),
    workers: groupsOf(config).map(described).join(', '),
    failed: supervisor.failed,
    failure: () => undefined,
    async stop() {
      process.off(RESTART_SIGNAL, restart)
      if (!(await supervisor.stop())) throw new Error('a worker did not stop as it was asked to')
    },
  }
}

function described({ kind, scaling: { min, max } }: GroupPlan): string {
  return `${min === max ? min : `${min} to ${max}`} × ${kind}`
}

function groupsOf(config: Config): GroupPlan[] {
  const { role, processes } = config
  const { min, max, targetCpuPct, cooldownMs, processors } = processes
  const gateways: GroupPlan = {
    kind: 'gateway',
    scaling: { min, max, targetCpuPct, cooldownMs },
    planOf: place => planOf(config, { kind: 'gateway', place }),
    overlaps: true,
  }
  const others: GroupPlan = {
    kind: 'processor',
    scaling: { min: processors, max: processors, targetCpuPct, cooldownMs },
    planOf: place => planOf(config, { kind: 'processor', place }),
    // Nobody waits at its door, and its successor goes on from what it leaves behind.
    overlaps: false,
  }
  const groups =
    role === 'gateway' ? [gateways] : role === 'processor' ? [others] : [gateways, others]
  return groups.filter(({ scaling }) => scaling.max > 0)
}

/**
 * A worker's own configuration: one process, in a folder of its own. The first gateway has what
 * cannot be divided: the broker, whose sessions and subscriptions are in memory, and the bridges.
 */
function planOf(
  config: Config,
  { kind, place }: { readonly kind: 'gateway' | 'processor'; readonly place: number },
): WorkerPlan {
  const data = join(config.data, 'workers', `${kind}-${place + 1}`)
  shareSecret(config.data, data)
  const { role, mqtt, processes } = config
  const isApart = role !== 'all' || processes.processors > 0
  const hasBroker = place === 0 && kind === 'gateway'
  const isBehind = kind === 'gateway' && !hasBroker && mqtt.enabled
  return {
    ...(isBehind ? { broker: { address: mqtt.plain ? localEnd(mqtt.address) : undefined } } : {}),
    config: {
      ...{ ...config, data },
      role: isApart ? kind : 'all',
      processes: { ...processes, min: 1, max: 1, processors: 0 },
      mqtt: hasBroker ? mqtt : { ...mqtt, enabled: false, bridges: [] },
    },
  }
}

/** How the other processes of this machine reach what listens there. */
function localEnd(text: string): Address | undefined {
  const address = parseAddress(text)
  if (address?.host === '0.0.0.0') return { ...address, host: '127.0.0.1' }
  return address?.host === '::' ? { ...address, host: '::1' } : address
}

/** What is sealed by one worker is opened by the others. */
function shareSecret(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  nodeSecret(from)
  if (!existsSync(join(to, 'secret'))) copyFileSync(join(from, 'secret'), join(to, 'secret'))
}

/** Workers share addresses by their names, so a free port is chosen before they start. */
async function withPorts(config: Config): Promise<Config> {
  const { http, mqtt } = config
  return {
    ...config,
    http: { ...http, address: await withPort(http.address) },
    mqtt: {
      ...mqtt,
      address: await withPort(mqtt.address),
      tls: { ...mqtt.tls, address: await withPort(mqtt.tls.address) },
    },
  }
}

async function withPort(text: string): Promise<string> {
  const address = parseAddress(text)
  if (address === undefined || address.port !== 0) return text
  const server = createServer().listen(address)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return formatAddress({ ...address, port })
}
