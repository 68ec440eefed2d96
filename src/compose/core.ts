import { KeyRing } from '../access/key-ring.ts'
import { Keys } from '../access/keys.ts'
import type { Config } from '../config/schema.ts'
import { closeAll } from '../kit/close-all.ts'
import { SeriesTable, type DeviceEntry } from '../model/series-table.ts'
import type { Logger } from '../observe/logger.ts'
import { Metrics } from '../observe/metrics.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import type { LatestPoint } from '../ports/latest.ts'
import type { Store } from '../ports/store.ts'
import { LatestTable } from '../process/latest.ts'
import { BoundedReads } from '../query/bounded-reads.ts'
import { CachedQueries } from '../query/cached-queries.ts'
import { Queries } from '../query/queries.ts'
import { Locations } from '../registry/locations.ts'
import { Registry } from '../registry/registry.ts'
import { Units } from '../registry/units.ts'
import type { Link } from '../workers/link.ts'
import { nodeAccess } from './access.ts'
import { noConsumers, openConsumers } from './consumers.ts'
import { ledgerBooks } from './engines.ts'
import { latestReadsOf } from './latest.ts'
import { openLedger } from './ledger.ts'
import { openLive } from './live.ts'
import { memoryConsumers, memoryTail } from './memory.ts'
import { openEngines, type OpenEngines } from './open-engines.ts'
import { readingsOf } from './readings.ts'
import { watchReadiness } from './readiness.ts'
import { healthOf, unreachable } from './server-health.ts'

export interface CoreOptions {
  readonly logger: Logger
  readonly clock: Clock
  /** Something failed for good: the node is to be stopped. */
  readonly onFailure: (error: unknown) => void
  /** To the supervisor, in a worker process. */
  readonly link?: Link | undefined
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
  const engines = await openEngines(config, { ...options, metrics })
  const { log, store, catalog, cache, anomalies, unitStore, rates } = engines
  const parts: Closeable[] = [store, log, catalog, anomalies, unitStore, cache, rates]
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
  readonly engines: OpenEngines
  readonly closing: <T extends Closeable>(part: T) => T
}

async function startCore(config: Config, parts: CoreParts) {
  const { logger, clock, onFailure, metrics, closing, link } = parts
  const { log, store, catalog, cache, anomalies, unitStore, rates } = parts.engines
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
  const { keepsEntries, isShared } = log.capabilities
  // Before the newest points are read: what is committed in between comes with the log again.
  const from = keepsEntries ? await store.positions() : []
  const latest: LatestTable = await restoreLatest(store, table, registry)
  const { live, publish, announceOf } = openLive(config, { log, registry, from, link })
  const openBook = () => ledgerBooks[config.catalog.engine]({ config, clock })
  const nodeLedger = closing(await openLedger(config, { log, store, clock, logger, openBook }))
  const ledger = nodeLedger.counts
  const memory = { latest, registry, ledger, publish }
  const onFresh = metrics.observeFresh
  const consumers =
    config.role === 'gateway'
      ? noConsumers
      : openConsumers(config, {
          ...{ log, store, anomalies, table, clock, logger, announceOf, onFresh, onFailure },
          memory: writer => (isShared ? [] : memoryConsumers(writer, memory)),
        })
  const tail = isShared ? memoryTail({ log, clock, from, onFresh, ...memory }) : undefined
  const { writer, analytics } = consumers
  const readiness = watchReadiness({
    ...{ log, store, clock, logger },
    onDamage: blocks => {
      logger.error({ blocks }, 'blocks of the store are damaged: reads go on without their points')
    },
  })
  for (const part of consumers.parts.toReversed()) closing(part)
  if (tail !== undefined) closing(tail)
  closing({ close: async () => readiness.stop() })
  const serverHealth = healthOf({ cache, limits: rates })
  readiness.note(() => unreachable(serverHealth()))
  const { queryTtlMs } = config.cache
  const reads = new BoundedReads(store, config.query)
  const asked = new Queries(reads, registry.unitOf.bind(registry))
  const queries = new CachedQueries({ queries: asked, cache, ttlMs: queryTtlMs })
  const latestReads = latestReadsOf(config, { log, store, cache, table, latest, registry })
  const readings = readingsOf(config, {
    ...{ store, anomalies, analytics, cache, latest: latestReads.latestReads },
  })
  await consumers.start()
  await tail?.start()
  await nodeLedger.start(writer, tail)
  await consumers.catchUp()
  return {
    ...{ log, store, reads, table, registry, latest, live, ledger, writer, queries, readiness },
    ledgerReport: nodeLedger.report,
    ...{ analytics, anomalies, units, locations, ...readings, ...latestReads },
    ...{ cacheFigures: parts.engines.cacheFigures, serverHealth },
    ...{ metrics, clock, logger, ring, keys, link },
    access: nodeAccess(config, { ring, clock, rates }),
  }
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

export async function openKeys(
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

function newestMs(points: readonly LatestPoint[]): number | undefined {
  if (points.length === 0) return undefined
  return points.reduce((newest, { timeUs }) => Math.max(newest, timeUs), 0) / 1000
}
