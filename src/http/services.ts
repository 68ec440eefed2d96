import type { decodeFleetRecord } from '../ingest/dialects/fleet.ts'
import type { LineProtocol } from '../ingest/dialects/line-protocol.ts'
import type { decodeTelemetryBatch } from '../ingest/dialects/native-batch.ts'
import type { decodeTelemetry, decodeTelemetryLines } from '../ingest/dialects/native.ts'
import type { decodeThingsboard } from '../ingest/dialects/thingsboard.ts'
import type { decodeSensorRecord } from '../ingest/dialects/sensor-record.ts'
import type { decodeStreamingMessage } from '../ingest/dialects/streaming.ts'
import type { KeyRing } from '../access/key-ring.ts'
import type { RateLimits } from '../access/rate-limits.ts'
import type { Keys } from '../access/keys.ts'
import type { IngestGate } from '../ingest/gate.ts'
import type { IsForeign } from '../kit/foreign-pages.ts'
import type { Access } from '../model/access.ts'
import type { Attributes } from '../model/device.ts'
import type { DemandInput } from '../model/demand.ts'
import type { SeriesTable } from '../model/series-table.ts'
import type { Anomalies } from '../ports/anomalies.ts'
import type { Clock } from '../ports/clock.ts'
import type { LatestReads, LatestView } from '../ports/latest.ts'
import type { RawRead, SeriesPoints, TenantPoints } from '../ports/store.ts'
import type { LiveHub } from '../live/live-hub.ts'
import type { LedgerReport } from '../process/ledger-report.ts'
import type { decodeCursor } from '../query/cursor.ts'
import type { intervalUs } from '../query/interval.ts'
import type { QueryService } from '../query/cached-queries.ts'
import type { Products } from '../registry/products.ts'
import type { ReadThrough } from '../query/read-through.ts'
import type { Readings } from '../query/readings.ts'
import type { Locations } from '../registry/locations.ts'
import type { Registry } from '../registry/registry.ts'
import type { Units } from '../registry/units.ts'
import type { exportPoints } from '../transfer/export-points.ts'
import type { Importer } from '../transfer/importer.ts'
import type { Slots } from '../transfer/slots.ts'

/**
 * Everything that the composition hands to the HTTP house. Routes reach the stages and engines
 * through this alone; fakes of it are what the route tests run on.
 */
export interface HttpServices {
  /** Weir's version, for the OpenAPI document and the landing page. */
  readonly version: string
  readonly access: HttpAccess
  readonly keys: Pick<Keys, 'create' | 'rotate' | 'revoke'> &
    Pick<KeyRing, 'list' | 'find' | 'refresh'>
  readonly clock: Clock
  readonly logger: HttpLogger
  readonly limits: HttpLimits
  readonly gate: Pick<IngestGate, 'ingest' | 'ingestFrame'>
  readonly dialects: {
    readonly decodeTelemetry: typeof decodeTelemetry
    readonly decodeTelemetryLines: typeof decodeTelemetryLines
    readonly decodeTelemetryBatch: typeof decodeTelemetryBatch
    readonly decodeFleetRecord: typeof decodeFleetRecord
    readonly decodeLines: LineProtocol['decode']
    readonly decodeThingsboard: typeof decodeThingsboard
    readonly decodeStreamingMessage: typeof decodeStreamingMessage
    readonly decodeSensorRecord: typeof decodeSensorRecord
  }
  /** Merges what a device says of itself into the registry; errors are the registry's. */
  readonly setAttributes: (tenant: string, device: string, attributes: Attributes) => Promise<void>
  readonly registry: Pick<
    Registry,
    'get' | 'list' | 'create' | 'update' | 'remove' | 'metricsOf' | 'unitOf' | 'refresh'
  >
  readonly products: Pick<Products, 'get' | 'list' | 'create' | 'update' | 'replace' | 'remove'>
  readonly table: Pick<SeriesTable, 'findDevice' | 'devicesOf'>
  readonly latest: LatestReads
  /**
   * What `latest` answers from where that is this process's memory: for requests that are to be
   * answered without a promise. Undefined: others write what is read here, too.
   */
  readonly latestView: LatestView | undefined
  /** `store.read` within the bounds of queries, for the dialects; errors are the store's. */
  readonly readSeries: (read: RawRead) => Promise<SeriesPoints[]>
  /** What the store has of a tenant. */
  readonly storeStats: (tenant: string) => Promise<TenantPoints>
  readonly queries: QueryService
  readonly intervalUs: typeof intervalUs
  readonly decodeCursor: typeof decodeCursor
  /**
   * What the detectors found. Reads know of every point that was acknowledged before; they may
   * fail with `retryable` while anomalies cannot be saved.
   */
  readonly anomalies: Pick<Anomalies, 'find' | 'countByDevice'>
  readonly readings: Pick<Readings, 'points' | 'newest' | 'latest' | 'stats' | 'count'>
  /** Keeps an answer for 30 s. */
  readonly readThrough: Pick<ReadThrough, 'get'>
  readonly units: Pick<Units, 'get' | 'tell'>
  readonly locations: Pick<Locations, 'get' | 'tell'>
  readonly live: Pick<LiveHub, 'subscribe'>
  readonly transfer: Transfer
  readonly capacity: {
    /** A plan as JSON; throws WeirError `rejected`. */
    readonly plan: (demand: DemandInput) => Promise<object>
  }
  /** Of a tenant; undefined: of all. */
  readonly ledger: (tenant: string | undefined) => Promise<LedgerReport>
  /** Called for each `/ready`: cheap, and never throws. */
  readonly readiness: () => Readiness
  /** The Prometheus text format. */
  readonly metricsText: () => Promise<string>
  /** Called once a response, with the route's pattern (`unmatched` where there is none). */
  readonly observeRequest: (request: AnsweredRequest, seconds: number) => void
}

/** What every host needs, whatever its routes are. */
export type HostServices = Pick<
  HttpServices,
  'access' | 'clock' | 'logger' | 'limits' | 'observeRequest'
>

/** What a host needs that only tells how the process is. */
export type ProbeServices = HostServices &
  Pick<HttpServices, 'version' | 'readiness' | 'metricsText'>

export interface HttpAccess {
  /** What everybody may do; undefined: keys are asked for. */
  readonly open: Access | undefined
  /** Whether the page of another site asks, which may not; absent: nobody looks. */
  readonly isForeign?: IsForeign | undefined
  /** What a key allows; undefined for anything that is no key that works now. */
  readonly verify: (key: string) => Access | undefined
  /** Resolves when a key that another process has just issued would be known; undefined: it is none. */
  readonly learn: (key: string) => Promise<void> | undefined
  readonly limits: Pick<RateLimits, 'take' | 'states'>
  /** Whether `/metrics` needs no key. */
  readonly openMetrics: boolean
}

/** Files out and in. */
export interface Transfer {
  readonly exportPoints: (
    request: Parameters<typeof exportPoints>[1],
  ) => ReturnType<typeof exportPoints>
  readonly importer: Pick<Importer, 'run'>
  readonly slots: Pick<Slots, 'take'>
}

export interface AnsweredRequest {
  readonly method: string
  readonly route: string
  readonly status: number
}

/** What of pino is used. */
export interface HttpLogger {
  isLevelEnabled(level: string): boolean
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** By their configuration paths, which errors name. */
export interface HttpLimits {
  /** `http.maxConnections` */
  readonly maxConnections: number
  /** `ingest.maxBodyBytes`: a body as sent. */
  readonly maxBodyBytes: number
  /** `ingest.maxDecompressedBytes`: a gzip body once unpacked. */
  readonly maxDecompressedBytes: number
  /** `http.maxBufferedBytes`: bodies being received or unpacked, over all requests. */
  readonly maxBufferedBytes: number
  /** `query.defaultLimit`, `query.maxLimit`, `query.maxDevices`. */
  readonly defaultLimit: number
  readonly maxLimit: number
  readonly maxDevices: number
}

export interface Readiness {
  readonly ready: boolean
  /** Why not, each a sentence for people; empty when ready. */
  readonly reasons: readonly string[]
}
