import { Counter, Gauge, type Registry } from 'prom-client'
import type { CacheStats } from '../ports/cache.ts'
import type { ServerHealth } from '../ports/server-health.ts'
import type { CacheCounts } from './measured-cache.ts'

export interface CacheFigures extends CacheCounts, CacheStats {}

/** Reads `counter` at each scrape from the part that counts. */
function counted(
  registry: Registry,
  { name, help, labels = [] }: { name: string; help: string; labels?: string[] },
  read: (counter: Counter) => void,
): void {
  new Counter({
    ...{ name, help, labelNames: labels, registers: [registry] },
    collect() {
      this.reset()
      read(this)
    },
  })
}

export function cacheMetrics(registry: Registry, read: () => CacheFigures): void {
  counted(registry, { name: 'cache_requests_total', help: 'Look-ups in the cache' }, counter =>
    counter.inc(read().requests),
  )
  const hits = { name: 'cache_hits_total', help: 'Look-ups that the cache answered' }
  counted(registry, hits, counter => {
    for (const count of read().hits.values()) counter.inc(count)
  })
  const tiers = {
    name: 'weir_cache_tier_hits_total',
    help: 'Look-ups that the cache answered, by where: in this process, or at a shared server',
    labels: ['tier'],
  }
  counted(registry, tiers, counter => {
    for (const tier of ['memory', 'shared'] as const) {
      counter.inc({ tier }, read().hits.get(tier) ?? 0)
    }
  })
  const invalidations = {
    name: 'weir_cache_invalidations_total',
    help: 'Devices and tenants whose answers were forgotten because of a write',
  }
  counted(registry, invalidations, counter => counter.inc(read().invalidations))
  counted(
    registry,
    { name: 'weir_cache_evictions_total', help: 'Answers that made room in memory' },
    counter => counter.inc(read().evictions),
  )
  new Gauge({
    ...{ name: 'weir_cache_entries', help: 'Answers in memory', registers: [registry] },
    collect() {
      this.set(read().entries)
    },
  })
  new Gauge({
    ...{ name: 'weir_cache_bytes', help: 'Bytes of answers in memory', registers: [registry] },
    collect() {
      this.set(read().bytes)
    },
  })
}

/** The servers that Weir can go without, by what they are for (`cache`, `limits`). */
export function serverMetrics(
  registry: Registry,
  read: () => ReadonlyMap<string, ServerHealth>,
): void {
  new Gauge({
    name: 'weir_redis_up',
    help: '1: Redis answers',
    ...{ labelNames: ['use'], registers: [registry] },
    collect() {
      for (const [use, { isUp }] of read()) this.set({ use }, Number(isUp))
    },
  })
  const commands = {
    name: 'weir_redis_commands_total',
    help: 'Commands to Redis by outcome; skipped: not sent, because it does not answer',
    labels: ['use', 'outcome'],
  }
  counted(registry, commands, counter => {
    for (const [use, { answered, timeouts, errors, skipped }] of read()) {
      counter.inc({ use, outcome: 'answered' }, answered)
      counter.inc({ use, outcome: 'timeout' }, timeouts)
      counter.inc({ use, outcome: 'error' }, errors)
      counter.inc({ use, outcome: 'skipped' }, skipped)
    }
  })
}
