import type { Registry } from 'prom-client'

/** Upper bounds in seconds, fine where the promises are (5 and 10 ms). */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface Cell {
  readonly labels: Record<string, string>
  readonly buckets: Float64Array
  count: number
  sum: number
}

/**
 * A Prometheus histogram for hot paths: the caller keeps the cell of its labels, and an
 * observation is a few additions. prom-client's own hashes its labels each time, about 1 µs, which
 * at 40 000 requests a second is a tenth of the server.
 */
export class HotHistogram {
  readonly name: string
  readonly help: string
  readonly #cells = new Map<string, Cell>()

  constructor(name: string, help: string, registry: Registry) {
    this.name = name
    this.help = help
    // The registry asks a metric only for `name` and `get()`.
    registry.registerMetric(this as unknown as Parameters<Registry['registerMetric']>[0])
  }

  cell(labels: Record<string, string>): Cell {
    const key = Object.values(labels).join('\n')
    let cell = this.#cells.get(key)
    if (cell === undefined) {
      cell = { labels, buckets: new Float64Array(BOUNDS.length + 1), count: 0, sum: 0 }
      this.#cells.set(key, cell)
    }
    return cell
  }

  observe(cell: Cell, seconds: number): void {
    let bucket = 0
    while (bucket < BOUNDS.length && seconds > BOUNDS[bucket]) bucket++
    cell.buckets[bucket]++
    cell.count++
    cell.sum += seconds
  }

  get(): Promise<object> {
    const values = []
    for (const { labels, buckets, count, sum } of this.#cells.values()) {
      let below = 0
      for (let b = 0; b <= BOUNDS.length; b++) {
        below += buckets[b]
        const le = b < BOUNDS.length ? BOUNDS[b] : '+Inf'
        values.push({ metricName: `${this.name}_bucket`, labels: { ...labels, le }, value: below })
      }
      values.push({ metricName: `${this.name}_sum`, labels, value: sum })
      values.push({ metricName: `${this.name}_count`, labels, value: count })
    }
    const { name, help } = this
    return Promise.resolve({ name, help, type: 'histogram', values, aggregator: 'sum' })
  }

  reset(): void {
    this.#cells.clear()
  }
}
