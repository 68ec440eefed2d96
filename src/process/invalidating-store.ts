import type { Batch } from '../model/batch.ts'
import { deviceScope, tenantScope } from '../model/data-scope.ts'
import type { Cache } from '../ports/cache.ts'
import type { Store, StoreEntry } from '../ports/store.ts'

/**
 * The same store, whose writes make the cache forget what was made of their devices' points. A write
 * resolves when that is done, so that the request after its acknowledgement reads it.
 */
export function invalidatingStore(store: Store, cache: Pick<Cache, 'invalidate'>): Store {
  const { capabilities, newest } = store
  return {
    capabilities,
    async write(entries) {
      const written = store.write(entries)
      const scopes = touchedScopes(entries)
      if (capabilities.readsFollowWrites) {
        // Queryable from the call on: what is read from now on may be kept.
        const [outcome] = await Promise.allSettled([written, cache.invalidate(scopes)])
        if (outcome.status === 'rejected') throw outcome.reason
        return
      }
      try {
        await written
      } finally {
        // A write that failed may have been committed all the same.
        await cache.invalidate(scopes)
      }
    },
    positions: () => store.positions(),
    onCommit: listener => store.onCommit(listener),
    flush: () => store.flush(),
    read: request => store.read(request),
    buckets: request => store.buckets(request),
    scan: request => store.scan(request),
    downsample: request => store.downsample(request),
    latest: () => store.latest(),
    ...(newest === undefined ? {} : { newest: request => newest.call(store, request) }),
    stats: () => store.stats(),
    ...(store.figures === undefined ? {} : { figures: () => store.figures!() }),
    close: () => store.close(),
  }
}

/** The scopes of all devices of which there are points, and those of their tenants. */
function touchedScopes(entries: readonly StoreEntry[]): string[] {
  const scopes = new Set<string>()
  for (const { batch } of entries) {
    scopes.add(tenantScope(batch.tenant))
    for (const device of touchedDevices(batch)) scopes.add(deviceScope(batch.tenant, device))
  }
  return [...scopes]
}

function touchedDevices({ devices, seriesDevice, seriesIndex }: Batch): string[] {
  // The dictionary may hold more than this batch has points of.
  const isTouched = new Uint8Array(devices.length)
  for (let p = 0; p < seriesIndex.length; p++) isTouched[seriesDevice[seriesIndex[p]]] = 1
  return devices.filter((_, device) => isTouched[device] === 1)
}
