import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Anomalies } from '../ports/anomalies.ts'
import type { Cache, SharedCache } from '../ports/cache.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import type { LedgerBook } from '../ports/ledger-book.ts'
import type { Log } from '../ports/log.ts'
import type { Rates } from '../ports/rates.ts'
import type { Store } from '../ports/store.ts'
import type { UnitStore } from '../ports/units.ts'
import { logIdentity } from './log-identity.ts'

export interface EngineContext {
  readonly config: Config
  readonly clock: Clock
  /** What people should know of a server, although everything works. */
  readonly onWarning?: ((message: string) => void) | undefined
}

type Engines<Port, Name extends string> = Record<Name, (context: EngineContext) => Promise<Port>>

/**
 * The registry: one line an engine, by the name that the configuration gives it. Imports are lazy,
 * so that a node loads the client libraries of the engines that it runs and no others.
 */
export const logs: Engines<Log, Config['log']['engine']> = {
  embedded: async ({ config: { data, log } }) =>
    (await import('../log/embedded/embedded-log.ts')).EmbeddedLog.open({
      directory: join(data, 'log'),
      maxBytes: log.maxBytes,
    }),
  nats: async ({ config, onWarning }) =>
    (await import('./nats-log.ts')).openNatsLog(config, onWarning),
  kafka: async ({ config }) => (await import('./kafka-log.ts')).openKafkaLog(config),
  none: async ({ clock }) => new (await import('../log/direct/direct-log.ts')).DirectLog({ clock }),
}

export const stores: Engines<Store, Config['store']['engine']> = {
  blocks: async ({ config: { data, store } }) =>
    (await import('../store/blocks/blocks-store.ts')).BlocksStore.open({
      directory: join(data, 'store'),
      headBytes: store.headBytes,
      flushIntervalMs: store.flushIntervalMs,
      partitionMs: store.partitionMs,
    }),
  postgres: async ({ config, onWarning }) =>
    (await import('../store/postgres/postgres-store.ts')).PostgresStore.open({
      postgres: { ...config.postgres, applicationName: 'weir store' },
      ...config.store.postgres,
      partitionMs: config.store.partitionMs,
      maxPendingBytes: config.store.maxPendingBytes,
      log: logIdentity(config),
      onWarning,
    }),
}

export const catalogs: Engines<Catalog, Config['catalog']['engine']> = {
  sqlite: async ({ config: { data } }) =>
    (await import('../catalog/sqlite/sqlite-catalog.ts')).openSqliteCatalog({
      path: join(data, 'catalog.sqlite'),
    }),
  postgres: async ({ config }) =>
    (await import('../catalog/postgres/postgres-catalog.ts')).openPostgresCatalog(config.postgres),
}

/** In the catalog. */
export const anomalyStores: Engines<Anomalies, Config['catalog']['engine']> = {
  sqlite: async ({ config: { data } }) =>
    (await import('../catalog/sqlite/sqlite-anomalies.ts')).openSqliteAnomalies({
      path: join(data, 'catalog.sqlite'),
    }),
  postgres: async ({ config }) =>
    (await import('../catalog/postgres/postgres-anomalies.ts')).openPostgresAnomalies(
      config.postgres,
    ),
}

/** In the catalog. */
export const unitStores: Engines<UnitStore, Config['catalog']['engine']> = {
  sqlite: async ({ config: { data } }) =>
    (await import('../catalog/sqlite/sqlite-units.ts')).openSqliteUnits({
      path: join(data, 'catalog.sqlite'),
    }),
  postgres: async ({ config }) =>
    (await import('../catalog/postgres/postgres-units.ts')).openPostgresUnits(config.postgres),
}

/** In the catalog. */
export const ledgerBooks: Engines<LedgerBook, Config['catalog']['engine']> = {
  sqlite: async ({ config: { data } }) =>
    (await import('../catalog/sqlite/sqlite-ledger.ts')).openSqliteLedger({
      path: join(data, 'catalog.sqlite'),
    }),
  postgres: async ({ config }) =>
    (await import('../catalog/postgres/postgres-ledger.ts')).openPostgresLedger(config.postgres),
}

export const caches: Engines<Cache, Config['cache']['engine']> = {
  memory: context => memoryCache(context),
  redis: context => redisCache(context),
  tiered: async context => {
    const { TieredCache } = await import('../cache/tiered/tiered-cache.ts')
    return new TieredCache({ near: await memoryCache(context), far: await redisCache(context) })
  },
}

/** Where limits are counted. */
export const rates: Engines<Rates, Config['limits']['engine']> = {
  memory: async () => (await import('../rates/memory/memory-rates.ts')).memoryRates,
  redis: async ({ config: { redis }, clock }) =>
    (await import('../rates/redis/redis-rates.ts')).RedisRates.open({ ...redis, clock }),
}

async function memoryCache({ config: { cache }, clock }: EngineContext): Promise<Cache> {
  const { MemoryCache } = await import('../cache/memory/memory-cache.ts')
  return new MemoryCache({ maxBytes: cache.maxBytes, clock })
}

async function redisCache({ config: { redis } }: EngineContext): Promise<SharedCache> {
  const { RedisCache } = await import('../cache/redis/redis-cache.ts')
  return RedisCache.open(redis)
}
