import type { AddressInfo } from 'node:net'
import { parseAddress, type Address } from '../config/address.ts'
import type { Config } from '../config/schema.ts'
import { createHttpHost } from '../http/host.ts'
import { IngestGate } from '../ingest/gate.ts'
import { openMqttDoor, type MqttDoor } from '../mqtt/door.ts'
import { closeAll } from '../kit/close-all.ts'
import type { Logger } from '../observe/logger.ts'
import { systemClock, type Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import { ANALYTICS_GROUP } from '../process/analytics.ts'
import { WRITER_GROUP } from '../process/writer.ts'
import { attributeKeeper } from './attribute-keeper.ts'
import { openBridges, type Bridges } from './bridges.ts'
import { openCore, type Core } from './core.ts'
import { httpServices } from './http-services.ts'
import { mqttIngest } from './mqtt-ingest.ts'
import { siteKeeper } from './site-keeper.ts'
import { tokenResolver } from './token-resolver.ts'

/** A running Weir. */
export interface WeirNode {
  readonly http: Address
  readonly mqtt?: Address
  /** Resolves with the reason when the node cannot go on; the caller then stops it. */
  readonly failed: Promise<Error>
  /** Why it takes no more points until a restart, although it answers; undefined while it does. */
  failure(): string | undefined
  /** Takes nothing new, makes durable and stores what it has, releases everything. */
  stop(): Promise<void>
}

export interface NodeOptions {
  readonly logger: Logger
  readonly clock?: Clock
}

/**
 * The composition root: opens the engines that the configuration names, brings the log's points
 * to the store and to memory, then opens the doors. The caller holds the data folder's lock.
 */
export async function startNode(config: Config, options: NodeOptions): Promise<WeirNode> {
  const { logger, clock = systemClock } = options
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>()
  const onFailure = (error: unknown): void => {
    logger.error({ err: error }, 'Weir cannot go on')
    fail(error instanceof Error ? error : new Error(String(error)))
  }
  const core = await openCore(config, { logger, clock, onFailure })
  const closers: (() => Promise<unknown>)[] = [core.close]
  const stop = (): Promise<void> => closeAll(closers.splice(0))
  const failure = (): string | undefined => core.log.status().failure
  try {
    const gate = openGate(config, core)
    closers.unshift(() => gate.close())
    const mqtt = config.mqtt.enabled ? await openBroker(config, core, gate) : undefined
    if (mqtt !== undefined) closers.unshift(() => mqtt.close(config.shutdownTimeoutMs / 2))
    const bridges = await openBridges(config, core, gate)
    closers.unshift(() => bridges.close(config.shutdownTimeoutMs / 2))
    attachMetrics(core, mqtt, bridges)
    const app = createHttpHost(httpServices(config, { ...core, gate }))
    closers.unshift(() => app.close())
    mqtt?.attachWebSocket(app.server)
    const address = addressOf(config.http.address)
    await app.listen({ ...address, backlog: 4096 })
    const http = { host: address.host, port: (app.server.address() as AddressInfo).port }
    if (mqtt === undefined) return { http, failed, failure, stop }
    const mqttHost = addressOf(config.mqtt.address).host
    const mqttAt = { host: mqttHost, port: mqtt.address.port }
    return { http, mqtt: mqttAt, failed, failure, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function openGate(config: Config, { log, table, ledger, clock, registry }: Core): IngestGate {
  const devices = {
    admits: registry.admits.bind(registry),
    admitsNew: registry.admitsNew.bind(registry),
  }
  const rules = { rules: registry.rules, onViolations: registry.countViolations.bind(registry) }
  return new IngestGate({ log, table, ledger, clock, limits: config.ingest, devices, ...rules })
}

function openBroker(config: Config, core: Core, gate: IngestGate): Promise<MqttDoor> {
  const { maxConnections, maxPacketBytes, topics } = config.mqtt
  const { registry, logger } = core
  const tenant = config.ingest.tenant
  return openMqttDoor({
    ...addressOf(config.mqtt.address),
    topics: topics.map(({ template, path }) =>
      path === undefined ? { template } : { template, path },
    ),
    limits: { maxConnections, maxPacketBytes },
    log: logger.child({ part: 'mqtt' }),
    ingest: mqttIngest({
      ...{ gate, tenant, units: core.units, onSite: siteKeeper(registry, tenant, logger) },
      resolveToken: tokenResolver(config),
      setAttributes: attributeKeeper(registry),
    }),
  })
}

function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new WeirError('config', `${text} is no HOST:PORT`)
  return address
}

function attachMetrics(core: Core, mqtt: MqttDoor | undefined, bridges: Bridges): void {
  const { metrics, ledger, writer, store, registry, queries, analytics } = core
  metrics.attach({
    doors: () => ledger.byDoor(),
    mqtt: () => mqtt?.stats() ?? { clients: 0, messages: new Map() },
    lagPoints: () =>
      new Map([
        [WRITER_GROUP, writer.pendingPoints],
        [ANALYTICS_GROUP, analytics?.pendingPoints ?? 0],
      ]),
    analytics: () => analytics?.counts(),
    cache: () => sumCounts(queries.counts(), core.readThrough.counts()),
    devices: () => ({ ...registry.counts() }),
    violations: () => registry.violationTotals(),
    store: () => store.stats(),
    bridges: () => bridges.all.map(bridge => bridge.stats()),
  })
}

type CacheCounts = ReturnType<Core['queries']['counts']>

function sumCounts(a: CacheCounts, b: CacheCounts): CacheCounts {
  return { requests: a.requests + b.requests, hits: a.hits + b.hits }
}
