import type { Batch } from '../model/batch.ts'
import type { Aggregate, SeriesSelector } from '../ports/store.ts'

export interface OraclePoint {
  readonly time: number
  readonly value: number
  readonly text: string | undefined
}

interface OracleSeries {
  readonly device: string
  readonly metric: string
  readonly points: OraclePoint[]
}

/**
 * What a store should hold, computed in the simplest way there is: a map from key to the last
 * write. For tests only; it shares no code with any engine.
 */
export class Oracle {
  readonly #series = new Map<string, Map<number, OraclePoint>>()
  /** Points ever written, repeated keys included. */
  written = 0

  write(batch: Batch): void {
    for (let p = 0; p < batch.timestamps.length; p++) {
      const s = batch.seriesIndex[p]
      const device = batch.devices[batch.seriesDevice[s]]
      const metric = batch.metrics[batch.seriesMetric[s]]
      const key = JSON.stringify([batch.tenant, device, metric])
      let points = this.#series.get(key)
      if (points === undefined) this.#series.set(key, (points = new Map()))
      const time = batch.timestamps[p]
      points.set(time, { time, value: batch.values[p], text: batch.texts?.[p] })
      this.written++
    }
  }

  get distinct(): number {
    let count = 0
    for (const points of this.#series.values()) count += points.size
    return count
  }

  get seriesCount(): number {
    return this.#series.size
  }

  /** Points of the selected series within [start, end), rising; series without any are left out. */
  select(select: SeriesSelector, start: number, end: number): OracleSeries[] {
    const found: OracleSeries[] = []
    for (const [key, all] of this.#series) {
      const [tenant, device, metric] = JSON.parse(key) as [string, string, string]
      if (tenant !== select.tenant || !select.devices.includes(device)) continue
      if (select.metrics.length > 0 && !select.metrics.includes(metric)) continue
      const points = [...all.values()].filter(({ time }) => time >= start && time < end)
      points.sort((a, b) => a.time - b.time)
      if (points.length > 0) found.push({ device, metric, points })
    }
    return found
  }

  /** The newest point of each series, by name. */
  newest(): Map<string, OraclePoint> {
    const newest = new Map<string, OraclePoint>()
    for (const [key, points] of this.#series) {
      newest.set(key, points.get(Math.max(...points.keys()))!)
    }
    return newest
  }
}

/** The buckets of some points: their starts, and the numbers in each, in order of time. */
export function bucketsOf(
  points: readonly OraclePoint[],
  intervalUs: number,
): Map<number, number[]> {
  const buckets = new Map<number, number[]>()
  for (const { time, value, text } of points) {
    if (text !== undefined) continue
    const start = Math.floor(time / intervalUs) * intervalUs
    const values = buckets.get(start)
    if (values === undefined) buckets.set(start, [value])
    else values.push(value)
  }
  return buckets
}

export function aggregateOf(values: readonly number[], aggregate: Aggregate): number {
  const sum = values.reduce((a, b) => a + b, 0)
  const sorted = values.toSorted((a, b) => a - b)
  switch (aggregate) {
    case 'avg':
      return sum / values.length
    case 'min':
      return sorted[0]
    case 'max':
      return sorted[sorted.length - 1]
    case 'count':
      return values.length
    case 'sum':
      return sum
    case 'first':
      return values[0]
    case 'last':
      return values[values.length - 1]
    default: {
      const rank = Math.ceil((Number(aggregate.slice(1)) / 100) * sorted.length)
      return sorted[Math.max(0, rank - 1)]
    }
  }
}
