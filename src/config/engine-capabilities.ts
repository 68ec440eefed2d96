import type { LogCapabilities } from '../ports/log.ts'
import type { StoreCapabilities } from '../ports/store.ts'

// What engines can do, by the names that the configuration gives them: `weir check` says whether a
// composition works without opening anything. A test holds it against the engines themselves.

export const LOG_CAPABILITIES: Readonly<Record<string, LogCapabilities>> = {
  embedded: { deliversBeforeAck: true, keepsEntries: true, isShared: false },
  none: { deliversBeforeAck: true, keepsEntries: false, isShared: false },
  kafka: { deliversBeforeAck: false, keepsEntries: true, isShared: true },
  nats: { deliversBeforeAck: false, keepsEntries: true, isShared: true },
}

export const STORE_CAPABILITIES: Readonly<Record<string, StoreCapabilities>> = {
  blocks: { readsFollowWrites: true, commitsOnWrite: false, isShared: false },
  postgres: { readsFollowWrites: false, commitsOnWrite: true, isShared: true },
}

/** Engines that are for several processes at once, of the parts that can do nothing else. */
const SHARED: Readonly<Record<'catalog' | 'cache', readonly string[]>> = {
  catalog: ['postgres'],
  cache: ['redis', 'tiered'],
}

/** Names of the engines of a part that several processes may have open at once. */
export function sharedEngines(part: 'log' | 'store' | 'catalog' | 'cache'): readonly string[] {
  if (part === 'catalog' || part === 'cache') return SHARED[part]
  const all = part === 'log' ? LOG_CAPABILITIES : STORE_CAPABILITIES
  return Object.keys(all).filter(name => all[name].isShared)
}
