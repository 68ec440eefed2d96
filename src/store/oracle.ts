import { PointModel } from '../../test/fixtures/point-model.ts'
import type { ModelPoint, TimedValue } from '../../test/fixtures/point-model.ts'
import type { Batch } from '../model/batch.ts'
import type { SeriesSelector } from '../ports/store.ts'

interface OracleSeries {
  readonly device: string
  readonly metric: string
  /** Rising in time. */
  readonly points: readonly TimedValue[]
}

/** What a store should hold of the batches written to it: a model a tenant. For tests only. */
export class Oracle {
  readonly #tenants = new Map<string, PointModel>()
  /** Points ever written, repeated keys included. */
  written = 0

  write(batch: Batch): void {
    let model = this.#tenants.get(batch.tenant)
    if (model === undefined) this.#tenants.set(batch.tenant, (model = new PointModel()))
    for (let p = 0; p < batch.timestamps.length; p++) {
      model.set(pointAt(batch, p))
      this.written++
    }
  }

  get distinct(): number {
    return this.#sum(model => model.count)
  }

  get seriesCount(): number {
    return this.#sum(model => model.seriesCount)
  }

  /** Points of the selected series within [start, end), rising; series without any are left out. */
  select({ tenant, devices, metrics }: SeriesSelector, start: number, end: number): OracleSeries[] {
    const model = this.#tenants.get(tenant)
    const query = metrics.length > 0 ? { metrics, start, end } : { start, end }
    return [...new Set(devices)].flatMap(device =>
      (model?.series(device, query) ?? []).map(series => ({ device, ...series })),
    )
  }

  /** The newest point of each series, by `[tenant, device, metric]` as JSON. */
  newest(): Map<string, TimedValue> {
    const newest = new Map<string, TimedValue>()
    for (const [tenant, model] of this.#tenants) {
      for (const device of model.devices) {
        for (const { metric, points } of model.series(device)) {
          newest.set(JSON.stringify([tenant, device, metric]), points[points.length - 1])
        }
      }
    }
    return newest
  }

  #sum(count: (model: PointModel) => number): number {
    return [...this.#tenants.values()].reduce((sum, model) => sum + count(model), 0)
  }
}

function pointAt(batch: Batch, p: number): ModelPoint {
  const s = batch.seriesIndex[p]
  return {
    device: batch.devices[batch.seriesDevice[s]],
    metric: batch.metrics[batch.seriesMetric[s]],
    timeUs: batch.timestamps[p],
    value: batch.texts?.[p] ?? batch.values[p],
  }
}
