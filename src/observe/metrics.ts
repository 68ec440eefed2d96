import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import type { LogStatus } from '../ports/log.ts'
import type { ServerHealth } from '../ports/server-health.ts'
import type { DatabaseFigures } from '../ports/store.ts'
import { databaseMetrics } from './database-metrics.ts'
import { HotHistogram } from './hot-histogram.ts'
import { bridgeMetrics, type BridgeFigures } from './bridge-metrics.ts'
import { cacheMetrics, serverMetrics, type CacheFigures } from './cache-metrics.ts'

/** What is read at each scrape; counters count since the process started, in points or messages. */
export interface MetricSources {
  readonly doors: () => ReadonlyMap<
    string,
    { readonly accepted: number; readonly rejected: number }
  >
  readonly mqtt: () => {
    readonly clients: number
    readonly messages: ReadonlyMap<string, number>
  }
  readonly lagPoints: () => ReadonlyMap<string, number>
  readonly log: () => Pick<LogStatus, 'lag' | 'expired'>
  readonly cache: () => CacheFigures
  readonly servers: () => ReadonlyMap<string, ServerHealth>
  readonly devices: () => Readonly<Record<string, number>>
  /** Values that are not as their product declares them. */
  readonly violations: () => readonly {
    readonly outcome: string
    readonly reason: string
    readonly count: number
  }[]
  /** Undefined when the analytics are off. */
  readonly analytics: () => AnalyticsFigures | undefined
  readonly store: () => Promise<{
    readonly stored: number
    readonly duplicate: number
    readonly unsettled: number
    readonly diskBytes: number
    readonly damagedBlocks?: number
    readonly memoryBytes: number
  }>
  readonly bridges: () => readonly BridgeFigures[]
}

/** Without doors there are none of their values. */
export type ProcessSources = Partial<MetricSources> &
  Pick<MetricSources, 'lagPoints' | 'log' | 'analytics' | 'store' | 'cache'>

const noDoors: Omit<MetricSources, 'lagPoints' | 'log' | 'analytics' | 'store' | 'cache'> = {
  doors: () => new Map(),
  mqtt: () => ({ clients: 0, messages: new Map() }),
  servers: () => new Map(),
  devices: () => ({}),
  violations: () => [],
  bridges: () => [],
}

interface AnalyticsFigures {
  /** By severity. */
  readonly found: ReadonlyMap<string, number>
  readonly suppressed: number
  readonly points: number
  readonly late: number
  readonly repeated: number
  readonly series: number
  readonly evicted: number
}

export interface AnsweredRequest {
  readonly method: string
  readonly route: string
  readonly status: number
}

/** Every metric of Weir, with the names of the API's contract. One registry a node. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #requests: HotHistogram
  readonly #requestCells = new Map<string, ReturnType<HotHistogram['cell']>>()
  readonly #append: HotHistogram
  readonly #write: HotHistogram
  readonly #query: HotHistogram
  readonly #fresh: HotHistogram

  constructor() {
    const registry = this.#registry
    collectDefaultMetrics({ register: registry })
    const histogram = (name: string, help: string): HotHistogram =>
      new HotHistogram(name, help, registry)
    this.#requests = histogram('http_request_duration_seconds', 'HTTP requests by route')
    this.#append = histogram('log_append_duration_seconds', 'Until an append was durable')
    this.#write = histogram('store_write_duration_seconds', 'Until the store had taken a write')
    this.#query = histogram('store_query_duration_seconds', 'Until the store answered a read')
    this.#fresh = histogram('freshness_seconds', 'From durable in the log to visible in queries')
  }

  /** `route` is the pattern, never the path: device ids are not labels. */
  observeRequest({ method, route, status }: AnsweredRequest, seconds: number): void {
    const key = `${method} ${route} ${status}`
    let cell = this.#requestCells.get(key)
    if (cell === undefined) {
      cell = this.#requests.cell({ method, route, status: String(status) })
      this.#requestCells.set(key, cell)
    }
    this.#requests.observe(cell, seconds)
  }

  observeAppend = (seconds: number): void => {
    this.#append.observe(this.#append.cell({}), seconds)
  }

  observeWrite = (seconds: number): void => {
    this.#write.observe(this.#write.cell({}), seconds)
  }

  observeQuery = (kind: string, seconds: number): void => {
    this.#query.observe(this.#query.cell({ kind }), seconds)
  }

  observeFresh = (seconds: number): void => {
    this.#fresh.observe(this.#fresh.cell({}), seconds)
  }

  /**
   * Says where the values come from that other parts count; called once by the composition. What a
   * process has not got has no values.
   */
  attach(given: ProcessSources): void {
    const sources: MetricSources = { ...noDoors, ...given }
    this.#attachCounters(sources)
    bridgeMetrics(this.#registry, sources.bridges)
    cacheMetrics(this.#registry, sources.cache)
    serverMetrics(this.#registry, sources.servers)
    this.#gauge(named('mqtt_connected_clients', 'MQTT clients connected now'), gauge => {
      gauge.set(sources.mqtt().clients)
    })
    const lag = named('log_lag_points', 'Points in the log that a group has not taken', 'group')
    this.#gauge(lag, gauge => {
      for (const [group, points] of sources.lagPoints()) gauge.set({ group }, points)
    })
    this.#sharedLog(sources.log)
    this.#gauge(named('weir_devices', 'Registered devices by status', 'status'), gauge => {
      for (const [status, count] of Object.entries(sources.devices())) gauge.set({ status }, count)
    })
    this.#attachStore(sources.store)
  }

  /** What a store that is away cannot say is not told; everything else is. */
  #attachStore(stats: MetricSources['store']): void {
    let asked: ReturnType<MetricSources['store']> | undefined
    // Once a scrape, for all of them.
    const ask = () => (asked ??= stats().finally(() => (asked = undefined)))
    type Stats = Awaited<ReturnType<MetricSources['store']>>
    const gauge = (name: MetricName, tell: (gauge: Gauge, stats: Stats) => void): void => {
      this.#gauge(name, async each => {
        each.reset()
        const known = await ask().catch(() => undefined)
        if (known !== undefined) tell(each, known)
      })
    }
    const points = named('weir_store_points', 'Points written to the store by state', 'state')
    gauge(points, (each, { stored, duplicate, unsettled }) => {
      each.set({ state: 'stored' }, stored)
      each.set({ state: 'duplicate' }, duplicate)
      each.set({ state: 'unsettled' }, unsettled)
    })
    const damaged = named('weir_store_damaged_blocks', 'Damaged blocks that reads go on without')
    gauge(damaged, (each, { damagedBlocks }) => each.set(damagedBlocks ?? 0))
    const bytes = named('weir_store_bytes', 'Bytes of the store by place', 'place')
    gauge(bytes, (each, { diskBytes, memoryBytes }) => {
      each.set({ place: 'disk' }, diskBytes)
      each.set({ place: 'memory' }, memoryBytes)
    })
  }

  /** Likewise, of the store's database. */
  attachDatabase(read: () => Promise<DatabaseFigures>): void {
    databaseMetrics(this.#registry, read)
  }

  /** The Prometheus text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** The same as data, for processes that show theirs together. */
  json(): Promise<object[]> {
    return this.#registry.getMetricsAsJSON()
  }

  #attachCounters(sources: MetricSources): void {
    const points = named('telemetry_points_total', 'Points by door', 'door', 'outcome')
    this.#counter(points, counter => {
      for (const [door, { accepted, rejected }] of sources.doors()) {
        counter.inc({ door, outcome: 'accepted' }, accepted)
        counter.inc({ door, outcome: 'rejected' }, rejected)
      }
    })
    const broken = ['telemetry_violations_total', 'Values not as their product declares'] as const
    this.#counter(named(...broken, 'outcome', 'reason'), counter => {
      for (const { count, ...labels } of sources.violations()) counter.inc(labels, count)
    })
    this.#counter(named('mqtt_messages_total', 'MQTT messages by kind', 'kind'), counter => {
      for (const [kind, count] of sources.mqtt().messages) counter.inc({ kind }, count)
    })
    this.#attachAnalytics(sources)
    const labels = ['method', 'route', 'status']
    this.#counter(named('http_requests_total', 'HTTP requests by route', ...labels), counter => {
      for (const { labels, count } of this.#requestCells.values()) counter.inc(labels, count)
    })
  }

  #sharedLog(log: MetricSources['log']): void {
    const lag = 'Entries of a shared log that a group has not committed, of its partitions here'
    this.#gauge(named('log_lag_entries', lag, 'group'), gauge => {
      for (const [group, entries] of log().lag ?? []) gauge.set({ group }, entries)
    })
    const expired = 'Entries of a shared log that were removed before a group here had them'
    this.#counter(named('log_expired_entries_total', expired), counter => {
      counter.inc(log().expired ?? 0)
    })
  }

  #attachAnalytics({ analytics }: MetricSources): void {
    this.#counter(named('anomalies_total', 'Anomalies found by severity', 'severity'), counter => {
      for (const [severity, count] of analytics()?.found ?? []) counter.inc({ severity }, count)
    })
    const suppressed = 'Anomalies beyond the bounds on how many are told'
    this.#counter(named('weir_anomalies_suppressed_total', suppressed), counter => {
      counter.inc(analytics()?.suppressed ?? 0)
    })
    const points = named('weir_analytics_points_total', 'Points looked at', 'outcome')
    this.#counter(points, counter => {
      const { points: all = 0, late = 0, repeated = 0 } = analytics() ?? {}
      counter.inc({ outcome: 'taken' }, all - late - repeated)
      counter.inc({ outcome: 'late' }, late)
      counter.inc({ outcome: 'repeated' }, repeated)
    })
    this.#gauge(named('weir_analytics_series', 'Series that are watched'), gauge => {
      gauge.set(analytics()?.series ?? 0)
    })
    const evicted = 'Series that gave up their place to newer ones'
    this.#counter(named('weir_analytics_series_evicted_total', evicted), counter => {
      counter.inc(analytics()?.evicted ?? 0)
    })
  }

  /** A counter that is read at each scrape from the part that counts. */
  #counter(name: MetricName, read: (counter: Counter) => void): void {
    new Counter({
      ...name,
      registers: [this.#registry],
      collect() {
        this.reset()
        read(this)
      },
    })
  }

  #gauge(name: MetricName, collect: (gauge: Gauge) => void | Promise<void>): void {
    new Gauge({
      ...name,
      registers: [this.#registry],
      collect() {
        return collect(this)
      },
    })
  }
}

interface MetricName {
  readonly name: string
  readonly help: string
  readonly labelNames: string[]
}

function named(name: string, help: string, ...labelNames: string[]): MetricName {
  return { name, help, labelNames }
}
