import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { HotHistogram } from './hot-histogram.ts'

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
  readonly cache: () => { readonly hits: number; readonly requests: number }
  readonly devices: () => Readonly<Record<string, number>>
  readonly store: () => Promise<{
    readonly stored: number
    readonly duplicate: number
    readonly unsettled: number
    readonly diskBytes: number
    readonly memoryBytes: number
  }>
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
  observeRequest(method: string, route: string, status: number, seconds: number): void {
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

  /** Says where the values come from that other parts count; called once by the composition. */
  attach(sources: MetricSources): void {
    this.#attachCounters(sources)
    this.#gauge('mqtt_connected_clients', 'MQTT clients connected now', [], gauge => {
      gauge.set(sources.mqtt().clients)
    })
    this.#gauge('log_lag_points', 'Points in the log that a group has not taken', ['group'], g => {
      for (const [group, points] of sources.lagPoints()) g.set({ group }, points)
    })
    this.#gauge('weir_devices', 'Registered devices by status', ['status'], gauge => {
      for (const [status, count] of Object.entries(sources.devices())) gauge.set({ status }, count)
    })
    this.#gauge('weir_store_points', 'Points written to the store by state', ['state'], async g => {
      const { stored, duplicate, unsettled } = await sources.store()
      g.set({ state: 'stored' }, stored)
      g.set({ state: 'duplicate' }, duplicate)
      g.set({ state: 'unsettled' }, unsettled)
    })
    this.#gauge('weir_store_bytes', 'Bytes of the store by place', ['place'], async gauge => {
      const { diskBytes, memoryBytes } = await sources.store()
      gauge.set({ place: 'disk' }, diskBytes)
      gauge.set({ place: 'memory' }, memoryBytes)
    })
  }

  /** The Prometheus text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #attachCounters(sources: MetricSources): void {
    this.#counter('telemetry_points_total', 'Points by door', ['door', 'outcome'], counter => {
      for (const [door, { accepted, rejected }] of sources.doors()) {
        counter.inc({ door, outcome: 'accepted' }, accepted)
        counter.inc({ door, outcome: 'rejected' }, rejected)
      }
    })
    this.#counter('mqtt_messages_total', 'MQTT messages by kind', ['kind'], counter => {
      for (const [kind, count] of sources.mqtt().messages) counter.inc({ kind }, count)
    })
    this.#counter('cache_requests_total', 'Look-ups in the cache', [], counter => {
      counter.inc(sources.cache().requests)
    })
    this.#counter('cache_hits_total', 'Look-ups that the cache answered', [], counter => {
      counter.inc(sources.cache().hits)
    })
    const names = ['method', 'route', 'status']
    this.#counter('http_requests_total', 'HTTP requests by route', names, counter => {
      for (const { labels, count } of this.#requestCells.values()) counter.inc(labels, count)
    })
  }

  /** A counter that is read at each scrape from the part that counts. */
  #counter(name: string, help: string, labels: string[], read: (counter: Counter) => void): void {
    const options = { name, help, labelNames: labels, registers: [this.#registry] }
    new Counter({
      ...options,
      collect() {
        this.reset()
        read(this)
      },
    })
  }

  #gauge(
    name: string,
    help: string,
    labelNames: string[],
    collect: (gauge: Gauge) => void | Promise<void>,
  ): void {
    const registers = [this.#registry]
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        return collect(this)
      },
    })
  }
}
