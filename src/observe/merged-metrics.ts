import { Registry } from 'prom-client'

/** The metrics of one process, as `Metrics.json` gives them. */
export interface ProcessMetrics {
  readonly process: string
  readonly metrics: readonly object[]
}

interface MetricJson {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly values: readonly {
    readonly metricName?: string
    readonly labels: Readonly<Record<string, string | number>>
    readonly value: number
  }[]
}

/** Of what all processes share, each of them would say the same: it is told once, without a label. */
const SHARED = /^weir_(store_|workers|scaling_)/

/**
 * The metrics of several processes in the Prometheus text format. Each value has a label `process`;
 * sums and maxima are the reader's to make.
 */
export function mergedMetrics(processes: readonly ProcessMetrics[]): Promise<string> {
  const merged = new Map<string, MetricJson & { readonly values: object[] }>()
  for (const { process, metrics } of processes) {
    for (const metric of metrics as readonly MetricJson[]) {
      const isShared = SHARED.test(metric.name)
      let into = merged.get(metric.name)
      if (into !== undefined && isShared) continue
      if (into === undefined) merged.set(metric.name, (into = { ...metric, values: [] }))
      for (const value of metric.values) {
        into.values.push(isShared ? value : { ...value, labels: { ...value.labels, process } })
      }
    }
  }
  const registry = new Registry()
  for (const metric of merged.values()) {
    // The registry asks a metric only for `name` and `get()`.
    const readable = { name: metric.name, get: () => Promise.resolve(metric) }
    registry.registerMetric(readable as unknown as Parameters<Registry['registerMetric']>[0])
  }
  return registry.metrics()
}
