import type { Config } from '../config/schema.ts'
import type { Anomalies } from '../ports/anomalies.ts'
import type { Cache } from '../ports/cache.ts'
import type { LatestReads } from '../ports/latest.ts'
import type { Store } from '../ports/store.ts'
import type { Analytics } from '../process/analytics.ts'
import { SettingsByMetric } from '../process/detectors/rolling-settings.ts'
import { BoundedReads } from '../query/bounded-reads.ts'
import { ReadThrough } from '../query/read-through.ts'
import { Readings } from '../query/readings.ts'
import { rollingOf, settledAnomalies } from './analytics.ts'

/** What the streaming platform API promises of its cached answers. */
const KEPT_MS = 30_000

interface ReadingParts {
  readonly store: Store
  readonly anomalies: Anomalies
  readonly analytics: Analytics | undefined
  readonly cache: Cache
  readonly latest: LatestReads
}

/** Readings with what the analytics say of them, and what keeps answers for a while. */
export function readingsOf(config: Config, parts: ReadingParts) {
  const { latest, cache } = parts
  // How much they read follows from what is asked of them.
  const unbounded = { maxPoints: Infinity, maxBuckets: Infinity }
  const store = new BoundedReads(parts.store, { ...config.query, ...unbounded })
  const settings = new SettingsByMetric(rollingOf(config))
  const readings = new Readings({
    store,
    anomalies: settledAnomalies(parts),
    windowOf: metric => settings.all[Math.max(0, settings.placeOf(metric))].window,
    longestWindow: Math.max(...settings.all.map(({ window }) => window)),
    latest,
  })
  return { readings, readThrough: new ReadThrough(cache, KEPT_MS) }
}
