import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Anomaly } from '../model/anomaly.ts'
import type { SeriesTable } from '../model/series-table.ts'
import { isoFromTime } from '../model/time.ts'
import type { Logger } from '../observe/logger.ts'
import type { Anomalies } from '../ports/anomalies.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { Analytics } from '../process/analytics.ts'
import { AnomalyJournal } from '../process/anomaly-journal.ts'
import { RollingDeviation } from '../process/detectors/rolling-deviation.ts'
import type { RollingOptions } from '../process/detectors/rolling-settings.ts'
import type { Announce } from './live.ts'

interface AnalyticsParts {
  readonly log: Log
  readonly table: SeriesTable
  readonly clock: Clock
  readonly logger: Logger
  readonly announceOf: Announce
  readonly anomalies: Anomalies
}

/** The analytics as configured, not started; undefined when they are off. */
export function analyticsOf(config: Config, parts: AnalyticsParts): Analytics | undefined {
  const { enabled, maxSeries, snapshotIntervalMs, ...settings } = config.analytics
  if (!enabled) return undefined
  const { announceOf, anomalies, clock, logger, ...rest } = parts
  const { maxPerSecond, maxAnomalies, retentionMs } = settings
  const journal = new AnomalyJournal({
    ...{ anomalies, clock, maxPerSecond, retentionMs },
    maxPerTenant: maxAnomalies,
    onError: error => logger.warn({ err: error }, 'anomalies wait to be saved; it is tried again'),
  })
  return new Analytics({
    ...rest,
    ...{ clock, journal, maxSeries, snapshotIntervalMs },
    detectors: [new RollingDeviation(rollingOf(config))],
    statePath: join(config.data, 'analytics.state'),
    snapshotBytes: config.log.maxBytes / 16,
    onAnomaly: anomaly => announceOf('anomaly', anomaly, shown(anomaly)),
    onWarning: (error, message) => logger.warn({ err: error }, message),
  })
}

/** How series are judged. */
export function rollingOf({ analytics }: Config): RollingOptions {
  const { window, warmup, zScore, deviationPct, minDeviationPct, maxPerWindow, metrics } = analytics
  return { window, warmup, zScore, deviationPct, minDeviationPct, maxPerWindow, metrics }
}

/** Reads that wait until the detectors have seen what was acknowledged before. */
export function settledAnomalies(parts: {
  readonly anomalies: Anomalies
  readonly analytics: Analytics | undefined
}): Pick<Anomalies, 'find' | 'countByDevice'> {
  const { anomalies, analytics } = parts
  return {
    async find(query) {
      await analytics?.settle()
      return anomalies.find(query)
    },
    async countByDevice(tenant, devices) {
      await analytics?.settle()
      return anomalies.countByDevice(tenant, devices)
    },
  }
}

/** An anomaly in the live stream: the same fields as in `/api/v1/analytics/anomalies`. */
function shown(anomaly: Anomaly): object {
  return {
    device_id: anomaly.device,
    metric: anomaly.metric,
    timestamp: isoFromTime(anomaly.timeUs),
    value: anomaly.value,
    severity: anomaly.severity,
    score: anomaly.score,
    rolling_avg: anomaly.average,
    deviation_pct: anomaly.deviationPct ?? null,
    detector: anomaly.detector,
  }
}
