import { Server as TlsServer, type TlsOptions } from 'node:tls'
import type { Address } from '../config/address.ts'
import type { Config } from '../config/schema.ts'
import type { HttpApp } from '../http/app.ts'
import { createHttpHost } from '../http/host.ts'
import { IngestGate } from '../ingest/gate.ts'
import { openMqttDoor, type MqttDoor } from '../mqtt/door.ts'
import { attachWebSocketRelay } from '../mqtt/websocket-relay.ts'
import { closeAll } from '../kit/close-all.ts'
import type { Logger } from '../observe/logger.ts'
import { systemClock, type Clock } from '../ports/clock.ts'
import { ANALYTICS_GROUP } from '../process/analytics.ts'
import { WRITER_GROUP } from '../process/writer.ts'
import { attributeKeeper } from './attribute-keeper.ts'
import { openBridges, type Bridges } from './bridges.ts'
import { openCore, type Core, type CoreOptions } from './core.ts'
import { patientStart } from './patient-start.ts'
import { readCertificates, watchCertificates } from './certificates.ts'
import { DeviceRates } from '../ingest/device-rates.ts'
import { httpServices } from './http-services.ts'
import type { Link } from '../workers/link.ts'
import { addressOf, listenHttp } from './listen.ts'
import { mqttIngest } from './mqtt-ingest.ts'
import { startProcessor } from './processor.ts'
import { siteKeeper } from './site-keeper.ts'
import type { WeirNode } from './weir-node.ts'

export interface NodeOptions {
  readonly logger: Logger
  readonly clock?: Clock
  /** To the supervisor, in a worker process. */
  readonly link?: Link
  /** Ends a start that waits for its servers. */
  readonly signal?: AbortSignal
  /** The broker is in another process, which shares the HTTP address. */
  readonly broker?: BrokerElsewhere | undefined
}

export interface BrokerElsewhere {
  /** Where it listens without TLS, if it does. */
  readonly address: Address | undefined
}

/**
 * The composition root: composes the parts of the role that the configuration names. The caller
 * holds the data folder's lock.
 */
export function startNode(config: Config, options: NodeOptions): Promise<WeirNode> {
  const { logger, link, signal, broker, clock = systemClock } = options
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>()
  const onFailure = (error: unknown): void => {
    logger.error({ err: error }, 'Weir cannot go on')
    fail(error instanceof Error ? error : new Error(String(error)))
  }
  const parts = { logger, clock, link, onFailure, failed }
  const timeoutMs = config.startTimeoutMs
  return config.role === 'processor'
    ? patientStart(() => startProcessor(config, parts), { logger, timeoutMs, signal })
    : startDoors(config, { ...parts, signal, broker })
}

/**
 * Opens the engines, brings the log's points to memory (and, unless other processes do, to the
 * store), then opens the doors.
 */
async function startDoors(
  config: Config,
  options: CoreOptions & {
    readonly failed: Promise<Error>
    readonly signal: AbortSignal | undefined
    readonly broker: BrokerElsewhere | undefined
  },
): Promise<WeirNode> {
  const { logger, clock, failed, signal, broker } = options
  const timeoutMs = config.startTimeoutMs
  const core = await patientStart(() => openCore(config, options), {
    ...{ logger, timeoutMs, signal },
  })
  const closers: (() => Promise<unknown>)[] = [core.close]
  const stop = (): Promise<void> => closeAll(closers.splice(0))
  const failure = (): string | undefined => core.log.status().failure
  const patienceMs = config.shutdownTimeoutMs / 2
  try {
    const gate = openGate(config, core)
    closers.unshift(() => gate.close())
    const mqtt = config.mqtt.enabled ? await openBroker(config, core, gate) : undefined
    if (mqtt !== undefined) closers.unshift(() => mqtt.close(patienceMs))
    const bridges = await openBridges(config, core, gate)
    closers.unshift(() => bridges.close(patienceMs))
    attachMetrics(core, mqtt, bridges)
    const app = createHttpHost(
      httpServices(config, { ...core, gate }),
      readCertificates(config.http.tls),
    )
    // Together: HTTP waits for its WebSockets, which are MQTT's to end.
    const closeMqtt = async (): Promise<void> => {
      endRelay?.()
      await mqtt?.close(patienceMs)
    }
    closers.unshift(() => Promise.all([app.close(), closeMqtt()]))
    mqtt?.attachWebSocket(app.server)
    const endRelay =
      broker &&
      attachWebSocketRelay(app.server, {
        ...{ maxPacketBytes: config.mqtt.maxPacketBytes, broker: broker.address },
        isForeign: core.access.isForeign,
      })
    const http = await listenHttp(config, app)
    closers.unshift(followCertificates(config, { clock, logger, app, mqtt }))
    return {
      ...{ http, ...mqttAddresses(config, mqtt), failed, failure, stop },
      release: () => bridges.close(patienceMs),
      regain: () => bridges.reopen(),
      drain: async timeoutMs => void (await Promise.all([app.drain(timeoutMs), closeMqtt()])),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function mqttAddresses(
  { mqtt: { address, plain, tls } }: Config,
  door: MqttDoor | undefined,
): Pick<WeirNode, 'mqtt' | 'mqtts'> {
  if (door === undefined) return {}
  const mqtts = door.tlsAddress && { host: addressOf(tls.address).host, port: door.tlsAddress.port }
  return {
    ...(plain ? { mqtt: { host: addressOf(address).host, port: door.address.port } } : {}),
    ...(mqtts === undefined ? {} : { mqtts }),
  }
}

interface Doors {
  readonly clock: Clock
  readonly logger: Logger
  readonly app: HttpApp
  readonly mqtt: MqttDoor | undefined
}

/** Renewed certificates are for the connections to come. Returns what ends it. */
function followCertificates(config: Config, doors: Doors): () => Promise<void> {
  const { clock, logger, app, mqtt } = doors
  const { server } = app as { server: object }
  const renewHttp = (tls: TlsOptions): void => {
    if (server instanceof TlsServer) server.setSecureContext(tls)
  }
  const stops = [
    watchCertificates(config.http.tls, { clock, logger, renew: renewHttp }),
    watchCertificates(config.mqtt.tls, {
      ...{ clock, logger },
      renew: tls => mqtt?.renewCertificates(tls),
    }),
  ]
  return async () => {
    for (const stop of stops) stop()
  }
}

function openGate(config: Config, core: Core): IngestGate {
  const { log, table, ledger, clock, registry, access } = core
  const { devicePointsPerSecond: pointsPerSecond, burstMs } = config.limits
  const devices = {
    admits: registry.admits.bind(registry),
    admitsNew: registry.admitsNew.bind(registry),
  }
  return new IngestGate({
    ...{ log, table, ledger, clock, devices },
    limits: { ...config.ingest, maxTenantSeries: config.limits.maxTenantSeries },
    ...{ rules: registry.rules, onViolations: registry.countViolations.bind(registry) },
    maxAppends: config.ingest.commit === 'single' ? config.ingest.maxAppends : undefined,
    rates: pointsPerSecond > 0 ? new DeviceRates({ pointsPerSecond, burstMs }) : undefined,
    onPoints: (sender, points) => access.limits.takePoints(sender, points),
  })
}

function openBroker(config: Config, core: Core, gate: IngestGate): Promise<MqttDoor> {
  const { maxConnections, maxPacketBytes, topics } = config.mqtt
  const { registry, logger } = core
  const certificates = readCertificates(config.mqtt.tls)
  return openMqttDoor({
    ...addressOf(config.mqtt.address),
    topics: topics.map(({ template, path }) =>
      path === undefined ? { template } : { template, path },
    ),
    plain: config.mqtt.plain,
    ...(certificates === undefined
      ? {}
      : { tls: { ...addressOf(config.mqtt.tls.address), options: certificates } }),
    limits: { maxConnections, maxPacketBytes },
    log: logger.child({ part: 'mqtt' }),
    access: core.access,
    ingest: mqttIngest({
      ...{ gate, units: core.units, onSite: siteKeeper(registry, logger) },
      setAttributes: attributeKeeper(registry),
    }),
  })
}

function attachMetrics(core: Core, mqtt: MqttDoor | undefined, bridges: Bridges): void {
  const { metrics, ledger, writer, log, store, registry, analytics } = core
  metrics.attach({
    doors: () => ledger.byDoor(),
    mqtt: () => mqtt?.stats() ?? { clients: 0, messages: new Map() },
    log: () => log.status(),
    lagPoints: () =>
      new Map([
        [WRITER_GROUP, writer.pendingPoints],
        [ANALYTICS_GROUP, analytics?.pendingPoints ?? 0],
      ]),
    analytics: () => analytics?.counts(),
    cache: core.cacheFigures,
    servers: core.serverHealth,
    devices: () => ({ ...registry.counts() }),
    violations: () => registry.violationTotals(),
    store: () => store.stats(),
    bridges: () => bridges.all.map(bridge => bridge.stats()),
  })
  if (store.figures !== undefined) metrics.attachDatabase(() => store.figures!())
}
