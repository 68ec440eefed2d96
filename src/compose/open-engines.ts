import { mkdirSync } from 'node:fs'
import type { Config } from '../config/schema.ts'
import type { CacheFigures } from '../observe/cache-metrics.ts'
import type { Logger } from '../observe/logger.ts'
import { measuredCache } from '../observe/measured-cache.ts'
import { measuredLog } from '../observe/measured-log.ts'
import { measuredStore } from '../observe/measured-store.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Anomalies } from '../ports/anomalies.ts'
import type { Cache } from '../ports/cache.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Rates } from '../ports/rates.ts'
import type { Store } from '../ports/store.ts'
import type { UnitStore } from '../ports/units.ts'
import { invalidatingStore } from '../process/invalidating-store.ts'
import { relievedLog } from '../process/relieved-log.ts'
import {
  anomalyStores,
  caches,
  catalogs,
  logs,
  rates as rateEngines,
  stores,
  unitStores,
} from './engines.ts'

export interface OpenEngines {
  readonly log: Log
  readonly store: Store
  readonly catalog: Catalog
  readonly cache: Cache
  readonly anomalies: Anomalies
  readonly unitStore: UnitStore
  readonly rates: Rates
  readonly cacheFigures: () => CacheFigures
}

/** Opens what the configuration names, all at once; none stays open when one cannot be. */
export async function openEngines(
  config: Config,
  { clock, metrics, logger }: { clock: Clock; metrics: Metrics; logger: Logger },
): Promise<OpenEngines> {
  mkdirSync(config.data, { recursive: true })
  const context = { config, clock, onWarning: (message: string) => logger.warn(message) }
  const opening = [
    logs[config.log.engine](context),
    stores[config.store.engine](context),
    catalogs[config.catalog.engine](context),
    caches[config.cache.engine](context),
    anomalyStores[config.catalog.engine](context),
    unitStores[config.catalog.engine](context),
    rateEngines[config.limits.engine](context),
  ] as const
  try {
    const [log, bareStore, catalog, bareCache, ...others] = await Promise.all(opening)
    const [anomalies, unitStore, rates] = others
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
      ...{ catalog, cache, anomalies, unitStore, rates },
      cacheFigures: () => ({ ...counts(), ...cache.stats() }),
    }
  } catch (error) {
    const opened = await Promise.allSettled(opening)
    for (const engine of opened) if (engine.status === 'fulfilled') await engine.value.close()
    throw error
  }
}
