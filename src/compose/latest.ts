import type { Config } from '../config/schema.ts'
import type { SeriesTable } from '../model/series-table.ts'
import type { Cache } from '../ports/cache.ts'
import type { LatestReads, LatestView } from '../ports/latest.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import type { LatestTable } from '../process/latest.ts'
import { CachedLatest } from '../query/cached-latest.ts'
import { StoreLatest } from '../query/store-latest.ts'
import { TableLatest } from '../query/table-latest.ts'
import type { Registry } from '../registry/registry.ts'

export interface LatestParts {
  readonly log: Log
  readonly store: Store
  readonly cache: Cache
  readonly table: SeriesTable
  readonly latest: LatestTable
  readonly registry: Registry
}

const PAGE = 1000

/**
 * Where latest values are read. Where all points come through a log, or nobody else writes to the
 * store, this process has them in memory; else the store does, and a cache in front of it.
 */
export function latestReadsOf(
  { cache: { latestTtlMs: ttlMs } }: Config,
  { log, store, cache, table, latest: view, registry }: LatestParts,
): { readonly latestReads: LatestReads; readonly latestView: LatestView | undefined } {
  if (log.capabilities.keepsEntries || !store.capabilities.isShared) {
    return { latestReads: new TableLatest({ table, view }), latestView: view }
  }
  const latest = new StoreLatest({ store, devicePages: tenant => devicePages(registry, tenant) })
  const latestReads = ttlMs === 0 ? latest : new CachedLatest({ latest, cache, ttlMs })
  return { latestReads, latestView: undefined }
}

function* devicePages(registry: Registry, tenant: string): Iterable<string[]> {
  for (let after: string | undefined; ;) {
    const { devices, next } = registry.list(tenant, {}, { limit: PAGE, after })
    yield devices.map(({ id }) => id)
    if (next === undefined) return
    after = next
  }
}
