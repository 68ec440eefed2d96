import type { SeriesTable } from '../model/series-table.ts'
import type {
  LatestPoint,
  LatestReads,
  LatestView,
  NewestRead,
  SeriesTime,
} from '../ports/latest.ts'
import { NewestSeries } from './newest-series.ts'

export interface TableLatestOptions {
  readonly table: Pick<SeriesTable, 'findDevice' | 'devicesOf'>
  readonly view: LatestView
}

/** The newest points as this process has them in memory. */
export class TableLatest implements LatestReads {
  readonly #table: TableLatestOptions['table']
  readonly #view: LatestView

  constructor({ table, view }: TableLatestOptions) {
    this.#table = table
    this.#view = view
  }

  devices(tenant: string, devices: readonly string[]): Promise<LatestPoint[][]> {
    const points = devices.map(id => {
      const device = this.#table.findDevice(tenant, id)
      return device === undefined ? [] : this.#view.device(device)
    })
    return Promise.resolve(points)
  }

  newestDevice(tenant: string): Promise<string | undefined> {
    return Promise.resolve(this.#view.newestDevice(tenant)?.name)
  }

  newestSeries({ tenant, device, metric, limit }: NewestRead): Promise<readonly SeriesTime[]> {
    const newest = new NewestSeries(limit)
    for (const { name, series } of this.#table.devicesOf(tenant).values()) {
      if (device !== undefined && device !== name) continue
      for (const [ofMetric, id] of series) {
        if (metric !== undefined && metric !== ofMetric) continue
        const timeUs = this.#view.timeOf(id)
        if (timeUs >= 0) newest.add(name, ofMetric, timeUs)
      }
    }
    return Promise.resolve(newest.list())
  }
}
