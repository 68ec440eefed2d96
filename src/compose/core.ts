import { mkdirSync } from 'node:fs'
import { KeyRing } from '../access/key-ring.ts'
import { Keys } from '../access/keys.ts'
import type { Config } from '../config/schema.ts'
import type { Ledger } from '../ingest/ledger.ts'
import { plainEventIds, sealedEventIds } from '../live/event-id.ts'
import { LiveHub } from '../live/live-hub.ts'
import { closeAll } from '../kit/close-all.ts'
import { pointCount } from '../model/batch.ts'
import { SeriesTable, type DeviceEntry } from '../model/series-table.ts'
import { isoFromTime } from '../model/time.ts'
import type { Logger } from '../observe/logger.ts'
import { measuredCache } from '../observe/measured-cache.ts'
import { measuredLog } from '../observe/measured-log.ts'
import { measuredStore } from '../observe/measured-store.ts'
import { Metrics } from '../observe/metrics.ts'
import type { CacheFigures } from '../observe/cache-metrics.ts'
import type { Anomalies } from '../ports/anomalies.ts'
import type { Cache } from '../ports/cache.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import type { LatestPoint } from '../ports/latest.ts'
import type { Log, LogPosition } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import type { UnitStore } from '../ports/units.ts'
import { bury } from '../process/bury.ts'
import { invalidatingStore } from '../process/invalidating-store.ts'
import { LatestTable } from '../process/latest.ts'
import { relievedLog } from '../process/relieved-log.ts'
import { Writer, WRITER_GROUP } from '../process/writer.ts'
import { CachedQueries } from '../query/cached-queries.ts'
import { Queries } from '../query/queries.ts'
import { Locations } from '../registry/locations.ts'
import { Registry } from '../registry/registry.ts'
import { Units } from '../registry/units.ts'
import { nodeAccess } from './access.ts'
import { analyticsOf } from './analytics.ts'
import {
  anomalyStores,
  caches,
  catalogs,
  ledgerBooks,
  logs,
  stores,
  unitStores,
} from './engines.ts'
import { latestReadsOf } from './latest.ts'
import { openLedger } from './ledger.ts'
import { nodeSecret } from './node-secret.ts'
import { readingsOf } from './readings.ts'
import { watchReadiness } from './readiness.ts'
import { healthOf, unreachable } from './server-health.ts'

export interface CoreOptions {
  readonly logger: Logger
  readonly clock: Clock
  /** Something failed for good: the node is to be stopped. */
  readonly onFailure: (error: unknown) => void
}

/** Everything between the doors and the disk. */
export type Core = Awaited<ReturnType<typeof openCore>>

/** How long what devices cause may stay in memory before the catalog has it. */
const REGISTRY_FLUSH_INTERVAL_MS = 1000

interface Closeable {
  close(): Promise<unknown>
}

/** Opens the engines, restores what is kept in memory, and replays what the store lacks. */
export async function openCore(config: Config, options: CoreOptions) {
  const metrics = new Metrics()
  const engines = await openEngines(config, { clock: options.clock, metrics })
  const { log, store, catalog, cache, anomalies, unitStore } = engines
  const parts: Closeable[] = [store, log, catalog, anomalies, unitStore, cache]
  const close = (): Promise<void> => closeAll(parts.splice(0).map(part => () => part.close()))
  // Closed in front of the engines, last opened first.
  const closing = <T extends Closeable>(part: T): T => {
    parts.unshift(part)
    return part
  }
  try {
    return { ...(await startCore(config, { ...options, metrics, engines, closing })), close }
  } catch (error) {
    // What made the start fail is what counts.
    await close().catch(() => {})
    throw error
  }
}

interface CoreParts extends CoreOptions {
  readonly metrics: Metrics
  readonly engines: Engines
  readonly closing: <T extends Closeable>(part: T) => T
}

async function startCore(config: Config, parts: CoreParts) {
  const { logger, clock, onFailure, metrics, closing } = parts
  const { log, store, catalog, cache, anomalies, unitStore } = parts.engines
  const table = new SeriesTable()
  const onError = (error: unknown): void => {
    logger.warn({ err: error }, 'the catalog failed; it is tried again')
  }
  const units = closing(await Units.open({ store: unitStore, clock, onError }))
  const opening = openRegistry(config, {
    ...{ catalog, table, clock, onError },
    newestPointMs: device => newestMs(latest.device(device)),
    toldUnit: (device, metric) => units.get(device.tenant, device.name, metric),
  })
  const registry = closing(await opening)
  const { ring, keys } = await openKeys(config, { catalog, clock, onError })
  closing(ring)
  const locations = closing(new Locations({ registry, clock, onError }))
  const latest: LatestTable = await restoreLatest(store, table, registry)
  const live = openLive(config, registry, await firstOf(log, store))
  const openBook = () => ledgerBooks[config.catalog.engine]({ config, clock })
  const nodeLedger = closing(await openLedger(config, { log, store, clock, logger, openBook }))
  const ledger = nodeLedger.counts
  const writer = openWriter(config, {
    ...{ log, store, clock, logger, latest, registry, ledger, live, onFailure },
    onFresh: metrics.observeFresh,
  })
  const analytics = analyticsOf(config, { log, table, clock, logger, live, anomalies })
  const readiness = watchReadiness({
    ...{ log, store, clock },
    onDamage: blocks => {
      logger.error({ blocks }, 'blocks of the store are damaged: reads go on without their points')
    },
  })
  if (analytics !== undefined) closing(analytics)
  closing(writer)
  closing({ close: async () => readiness.stop() })
  const serverHealth = healthOf({ cache })
  readiness.note(() => unreachable(serverHealth()))
  const { queryTtlMs } = config.cache
  const asked = new Queries(store, registry.unitOf.bind(registry))
  const queries = new CachedQueries({ queries: asked, cache, ttlMs: queryTtlMs })
  const latestReads = latestReadsOf(config, { log, store, cache, table, latest, registry })
  const readings = readingsOf(config, {
    ...{ store, anomalies, analytics, cache, latest: latestReads.latestReads },
  })
  await analytics?.start()
  await writer.start()
  await nodeLedger.start(writer)
  await analytics?.catchUp()
  return {
    ...{ log, store, table, registry, latest, live, ledger, writer, queries, readiness },
    ledgerReport: nodeLedger.report,
    ...{ analytics, anomalies, units, locations, ...readings, ...latestReads },
    ...{ cacheFigures: parts.engines.cacheFigures, serverHealth },
    ...{ metrics, clock, logger, ring, keys },
    access: nodeAccess(config, { ring, clock }),
  }
}

interface Engines {
  readonly log: Log
  readonly store: Store
  readonly catalog: Catalog
  readonly cache: Cache
  readonly anomalies: Anomalies
  readonly unitStore: UnitStore
  readonly cacheFigures: () => CacheFigures
}

async function openEngines(
  config: Config,
  { clock, metrics }: { clock: Clock; metrics: Metrics },
): Promise<Engines> {
  mkdirSync(config.data, { recursive: true })
  const context = { config, clock }
  const opening = [
    logs[config.log.engine](context),
    stores[config.store.engine](context),
    catalogs[config.catalog.engine](context),
    caches[config.cache.engine](context),
    anomalyStores[config.catalog.engine](context),
    unitStores[config.catalog.engine](context),
  ] as const
  try {
    const [log, bareStore, catalog, bareCache, anomalies, unitStore] = await Promise.all(opening)
    const measured = measuredLog(log, metrics.observeAppend)
    const { cache, counts } = measuredCache(bareCache)
    const store = measuredStore(bareStore, {
      onWrite: metrics.observeWrite,
      onQuery: metrics.observeQuery,
    })
    const isCaching = config.cache.queryTtlMs > 0 || config.cache.latestTtlMs > 0
    return {
      // Without entries of its own there is nothing in it that a flush could make room of.
      log: log.capabilities.keepsEntries
        ? relievedLog(measured, { clock, relieve: () => store.flush() })
        : measured,
      // Nothing else that is kept is forgotten by a write.
      store: isCaching ? invalidatingStore(store, cache) : store,
      ...{ catalog, cache, anomalies, unitStore },
      cacheFigures: () => ({ ...counts(), ...cache.stats() }),
    }
  } catch (error) {
    const opened = await Promise.allSettled(opening)
    for (const engine of opened) if (engine.status === 'fulfilled') await engine.value.close()
    throw error
  }
}

interface WriterParts extends CoreOptions {
  readonly log: Log
  readonly store: Store
  readonly latest: LatestTable
  readonly registry: Registry
  readonly ledger: Ledger
  readonly live: LiveHub
  readonly onFresh: (seconds: number) => void
}

function openWriter(config: Config, parts: WriterParts): Writer {
  const { log, store, clock, logger, latest, registry, ledger, live } = parts
  const { onFailure, onFresh } = parts
  const writer: Writer = new Writer({
    ...{ log, store, clock, onFailure, onFresh },
    consumers: [
      ({ batch }) => {
        if (!log.capabilities.deliversBeforeAck || writer.isReplaying) return
        ledger.handOver(batch.tenant, pointCount(batch))
      },
      entry => latest.update(entry.batch),
      ({ batch }, arrivalMs) =>
        writer.isReplaying ? registry.replay(batch, arrivalMs) : registry.see(batch, arrivalMs),
      entry => live.publish(entry),
    ],
    maxPendingBytes: config.store.maxPendingBytes,
    onDeadLetter: (entries, error) => {
      const positions = entries.map(({ position }) => position)
      logger.error({ err: error, positions }, 'entries of the log can never be stored')
      if (log.deadLetters === undefined) return
      void bury(
        log.deadLetters,
        { entries, reason: error.message },
        {
          group: WRITER_GROUP,
          onError: (err, isLast) => {
            const what = isLast ? 'they are only in the log' : 'it is tried again'
            logger.error({ err }, `entries cannot be put among the dead letters; ${what}`)
          },
        },
      )
    },
  })
  return writer
}

interface RegistryParts {
  readonly catalog: Catalog
  readonly table: SeriesTable
  readonly clock: Clock
  readonly newestPointMs: (device: DeviceEntry) => number | undefined
  readonly toldUnit: (device: DeviceEntry, metric: string) => string | undefined
  readonly onError: (error: unknown) => void
}

function openRegistry(config: Config, parts: RegistryParts): Promise<Registry> {
  return Registry.open({
    ...parts,
    ...config.devices,
    autoCreate: config.ingest.autoCreateDevices,
    flushIntervalMs: REGISTRY_FLUSH_INTERVAL_MS,
    maxDevices: config.ingest.maxDevices,
  })
}

async function openKeys(
  config: Config,
  parts: Pick<RegistryParts, 'catalog' | 'clock' | 'onError'>,
): Promise<{ ring: KeyRing; keys: Keys }> {
  const { catalog, clock } = parts
  const ring = await KeyRing.open({ ...parts, operatorTenant: config.ingest.tenant })
  return { ring, keys: new Keys({ catalog, clock, ring, maxKeys: config.auth.maxKeys }) }
}

/** The newest points that the store has; what only the log has comes with the replay. */
async function restoreLatest(
  store: Store,
  table: SeriesTable,
  registry: Registry,
): Promise<LatestTable> {
  const latest = new LatestTable(table)
  for await (const columns of store.latest()) {
    latest.restore(columns)
    const { tenants, devices, timestamps } = columns
    for (let i = 0; i < devices.length; i++) {
      registry.adopt(tenants[i], devices[i], timestamps[i] / 1000)
    }
  }
  return latest
}

/** Where the writer's subscription begins: what the store has, it does not see again. */
async function firstOf(log: Log, store: Store): Promise<LogPosition[]> {
  const { keepsEntries } = log.capabilities
  const positions = keepsEntries ? await store.positions() : []
  const stored = new Map(positions.map(row => [row.partition, row.offset]))
  return log.status().partitions.map(({ partition, first }) => {
    return { partition, offset: stored.get(partition) ?? first }
  })
}

function openLive(config: Config, registry: Registry, begins: readonly LogPosition[]): LiveHub {
  // With keys there are tenants, who are not to count each other's batches.
  const ids = config.auth.mode === 'keys' ? sealedEventIds(nodeSecret(config.data)) : plainEventIds
  const live = new LiveHub({ ...config.live, begins, ids })
  registry.onStatusChange(({ tenant, id, from, to, atMs }) => {
    const timestamp = new Date(atMs).toISOString()
    live.announce('status', tenant, { device_id: id, from, status: to, timestamp })
  })
  registry.onViolations(({ tenant, device, timeUs, ...news }) => {
    const timestamp = isoFromTime(timeUs)
    live.announce('violation', tenant, { device_id: device, ...news, timestamp })
  })
  return live
}

function newestMs(points: readonly LatestPoint[]): number | undefined {
  if (points.length === 0) return undefined
  return points.reduce((newest, { timeUs }) => Math.max(newest, timeUs), 0) / 1000
}
