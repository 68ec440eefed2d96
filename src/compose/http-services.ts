import type { Config } from '../config/schema.ts'
import type { HttpServices } from '../http/services.ts'
import { decodeFleetRecord } from '../ingest/dialects/fleet.ts'
import { LineProtocol } from '../ingest/dialects/line-protocol.ts'
import { decodeTelemetryBatch } from '../ingest/dialects/native-batch.ts'
import { decodeTelemetry, decodeTelemetryLines } from '../ingest/dialects/native.ts'
import { decodeThingsboard } from '../ingest/dialects/thingsboard.ts'
import { decodeSensorRecord } from '../ingest/dialects/sensor-record.ts'
import { decodeStreamingMessage } from '../ingest/dialects/streaming.ts'
import type { IngestGate } from '../ingest/gate.ts'
import { tenantPoints } from '../process/ledger-report.ts'
import { decodeCursor } from '../query/cursor.ts'
import { intervalUs } from '../query/interval.ts'
import { attributeKeeper } from './attribute-keeper.ts'
import { capacityPlans } from './capacity.ts'
import type { Core } from './core.ts'
import { settledAnomalies } from './analytics.ts'
import { metricsText } from './metrics-text.ts'
import { openTransfer } from './transfer.ts'
import { version } from './version.ts'

/** What the HTTP house gets of a node. */
export function httpServices(config: Config, core: Core & { gate: IngestGate }): HttpServices {
  const { gate, registry, table, store, reads, live, metrics } = core
  const { clock, logger, queries, readiness, ring, keys } = core
  const operatorTenant = config.ingest.tenant
  const lines = new LineProtocol({ table, ...config.influx })
  const { readings, readThrough, units, locations } = core
  return {
    version,
    access: { ...core.access, openMetrics: config.auth.openMetrics },
    keys: {
      create: input => keys.create(input),
      rotate: (key, overlapMs) => keys.rotate(key, overlapMs),
      revoke: (tenant, id) => keys.revoke(tenant, id),
      list: tenant => ring.list(tenant),
      find: (tenant, id) => ring.find(tenant, id),
      refresh: () => ring.refresh(),
    },
    clock,
    logger: logger.child({ part: 'http' }),
    limits: { ...config.http, ...config.ingest, ...config.query },
    gate,
    dialects: {
      ...{ decodeTelemetry, decodeTelemetryLines, decodeTelemetryBatch, decodeFleetRecord },
      decodeLines: lines.decode.bind(lines),
      decodeThingsboard,
      ...{ decodeStreamingMessage, decodeSensorRecord },
    },
    registry,
    setAttributes: attributeKeeper(registry),
    products: registry.products,
    table,
    latest: core.latestReads,
    latestView: core.latestView,
    readSeries: read => reads.read(read),
    storeStats: async tenant => tenantPoints(await store.stats(), { tenant, operatorTenant }),
    queries,
    intervalUs,
    decodeCursor,
    ...{ anomalies: settledAnomalies(core), readings, readThrough, units, locations },
    live,
    transfer: openTransfer(config, { store, gate }),
    capacity: capacityPlans(config.plan.calibration, logger),
    ledger: core.ledgerReport,
    readiness: () => readiness.now(),
    metricsText: metricsText(metrics, core.link),
    observeRequest: metrics.observeRequest.bind(metrics),
  }
}
