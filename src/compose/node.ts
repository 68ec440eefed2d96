import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { Config } from '../config/schema.ts'
import { parseAddress, type Address } from '../config/address.ts'
import { createHttpHost } from '../http/host.ts'
import { IngestGate } from '../ingest/gate.ts'
import { Ledger } from '../ingest/ledger.ts'
import { LiveHub } from '../live/live-hub.ts'
import { SeriesTable } from '../model/series-table.ts'
import { openMqttDoor, type MqttDoor } from '../mqtt/door.ts'
import type { Logger } from '../observe/logger.ts'
import { measuredLog } from '../observe/measured-log.ts'
import { measuredStore } from '../observe/measured-store.ts'
import { Metrics } from '../observe/metrics.ts'
import { systemClock, type Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import { LatestTable } from '../process/latest.ts'
import { Writer, WRITER_GROUP } from '../process/writer.ts'
import { CachedQueries } from '../query/cached-queries.ts'
import { Queries } from '../query/queries.ts'
import { Registry } from '../registry/registry.ts'
import { caches, catalogs, logs, stores } from './engines.ts'
import { httpServices } from './http-services.ts'
import { mqttIngest } from './mqtt-ingest.ts'
import { watchReadiness } from './readiness.ts'
import { siteKeeper } from './site-keeper.ts'

/** A running Weir. */
export interface WeirNode {
  readonly http: Address
  readonly mqtt?: Address
  /** Resolves with the reason when the node cannot go on; the caller then stops it. */
  readonly failed: Promise<Error>
  /** Takes nothing new, makes durable and stores what it has, releases everything. */
  stop(): Promise<void>
}

/** Everything between the doors and the disk, as the doors see it. */
export type Core = Awaited<ReturnType<typeof openCore>>

/**
 * The composition root: opens the engines that the configuration names, brings the log's points
 * to the store and to memory, then opens the doors. The caller holds the data folder's lock.
 */
export async function startNode(
  config: Config,
  { logger, clock = systemClock }: { logger: Logger; clock?: Clock },
): Promise<WeirNode> {
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>()
  const onFailure = (error: unknown): void => {
    logger.error({ err: error }, 'Weir cannot go on')
    fail(error instanceof Error ? error : new Error(String(error)))
  }
  const core = await openCore(config, { logger, clock, onFailure })
  const closers: (() => Promise<unknown>)[] = [core.close]
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0)) await close()
  }
  try {
    const gate = openGate(config, core)
    closers.unshift(() => gate.close())
    const mqtt = config.mqtt.enabled
      ? await openBroker(config, { ...core, gate, logger })
      : undefined
    if (mqtt !== undefined) closers.unshift(() => mqtt.close(config.shutdownTimeoutMs / 2))
    attachMetrics(core, mqtt)
    const app = createHttpHost(httpServices(config, { ...core, gate }))
    closers.unshift(() => app.close())
    mqtt?.attachWebSocket(app.server)
    const address = addressOf(config.http.address)
    await app.listen({ ...address, backlog: 4096 })
    const http = { host: address.host, port: (app.server.address() as AddressInfo).port }
    const stoppable = { http, failed, stop }
    if (mqtt === undefined) return stoppable
    const mqttHost = addressOf(config.mqtt.address).host
    return { ...stoppable, mqtt: { host: mqttHost, port: mqtt.address.port } }
  } catch (error) {
    await stop()
    throw error
  }
}

interface CoreOptions {
  readonly logger: Logger
  readonly clock: Clock
  readonly onFailure: (error: unknown) => void
}

async function openCore(config: Config, { logger, clock, onFailure }: CoreOptions) {
  mkdirSync(config.data, { recursive: true })
  const context = { config, clock }
  const metrics = new Metrics()
  const [plainLog, plainStore, catalog, cache] = await Promise.all([
    logs[config.log.engine](context),
    stores[config.store.engine](context),
    catalogs[config.catalog.engine](context),
    caches[config.cache.engine](context),
  ])
  const log = measuredLog(plainLog, metrics.observeAppend)
  const store = measuredStore(plainStore, {
    onWrite: metrics.observeWrite,
    onQuery: metrics.observeQuery,
  })
  const table = new SeriesTable()
  const registry = await Registry.open({
    catalog,
    table,
    clock,
    defaultTenant: config.ingest.tenant,
    autoCreate: config.ingest.autoCreateDevices,
    expectedIntervalMs: config.devices.expectedIntervalMs,
    offlineAfterIntervals: config.devices.offlineAfterIntervals,
    startupGraceMs: config.devices.startupGraceMs,
    flushIntervalMs: 1000,
    maxDevices: config.ingest.maxDevices,
    onError: error => logger.warn({ err: error }, 'the catalog failed; it is tried again'),
  })
  const latest = new LatestTable(table)
  for await (const columns of store.latest()) {
    latest.restore(columns)
    for (let i = 0; i < columns.devices.length; i++) {
      registry.adopt(columns.tenants[i], columns.devices[i], columns.timestamps[i] / 1000)
    }
  }
  const live = new LiveHub(config.live)
  registry.onStatusChange(({ tenant, id, from, to, atMs }) => {
    const at = new Date(atMs).toISOString()
    live.announce('status', tenant, { device_id: id, from, status: to, timestamp: at })
  })
  const ledger = new Ledger(log.status().pointsAppended)
  const writer = new Writer({
    log,
    store,
    clock,
    consumers: [
      entry => latest.update(entry.batch),
      (entry, arrivalMs) => registry.see(entry.batch, arrivalMs),
      entry => live.publish(entry),
    ],
    maxPendingBytes: config.ingest.maxPendingBytes,
    onFailure,
    onFresh: metrics.observeFresh,
  })
  const readiness = watchReadiness({ log, store, clock })
  const queries = new CachedQueries({
    queries: new Queries(store),
    cache,
    ttlMs: config.cache.queryTtlMs,
  })
  const close = async (): Promise<void> => {
    readiness.stop()
    await writer.close()
    await store.close()
    await log.close()
    await registry.close()
    await catalog.close()
    await cache.close()
  }
  const core = {
    ...{
      queries,
      readiness,
      log,
      store,
      cache,
      table,
      registry,
      latest,
      live,
      ledger,
      writer,
      metrics,
    },
    ...{ clock, logger, close },
  }
  try {
    await writer.start()
    return core
  } catch (error) {
    await close()
    throw error
  }
}

function openGate(config: Config, { log, table, ledger, clock, registry }: Core): IngestGate {
  const devices = {
    admits: registry.admits.bind(registry),
    admitsNew: registry.admitsNew.bind(registry),
  }
  return new IngestGate({ log, table, ledger, clock, limits: config.ingest, devices })
}

function openBroker(config: Config, core: Core & { gate: IngestGate }): Promise<MqttDoor> {
  const { host, port } = addressOf(config.mqtt.address)
  const { maxConnections, maxPacketBytes, topics } = config.mqtt
  const { gate, registry, logger } = core
  const tenant = config.ingest.tenant
  return openMqttDoor({
    host,
    port,
    topics: topics.map(({ template, path }) =>
      path === undefined ? { template } : { template, path },
    ),
    limits: { maxConnections, maxPacketBytes },
    log: logger.child({ part: 'mqtt' }),
    ingest: mqttIngest({ gate, tenant, onSite: siteKeeper(registry, tenant, logger) }),
  })
}

function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new WeirError('config', `${text} is no HOST:PORT`)
  return address
}

function attachMetrics(core: Core, mqtt: MqttDoor | undefined): void {
  const { metrics, ledger, writer, store, registry, queries } = core
  metrics.attach({
    doors: () => ledger.byDoor(),
    mqtt: () => mqtt?.stats() ?? { clients: 0, messages: new Map() },
    lagPoints: () => new Map([[WRITER_GROUP, writer.pendingPoints]]),
    cache: () => queries.counts(),
    devices: () => ({ ...registry.counts() }),
    store: () => store.stats(),
  })
}
