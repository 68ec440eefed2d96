import { MAX_TIME_US } from '../model/time.ts'
import type { LatestPoint, LatestReads, NewestRead, SeriesTime } from '../ports/latest.ts'
import type { Store } from '../ports/store.ts'
import { NewestSeries } from './newest-series.ts'

export interface StoreLatestOptions {
  readonly store: Pick<Store, 'read' | 'newest'>
  /** The devices of a tenant, a page at a time, for stores that do not know their newest series. */
  readonly devicePages: (tenant: string) => Iterable<readonly string[]>
}

const ALL_TIME = { start: 0, end: MAX_TIME_US }
/** Of one read of the store. */
const MAX_DEVICES = 1000

/** The newest points as the store has them: right in every process that shares it. */
export class StoreLatest implements LatestReads {
  readonly #store: StoreLatestOptions['store']
  readonly #devicePages: StoreLatestOptions['devicePages']

  constructor({ store, devicePages }: StoreLatestOptions) {
    this.#store = store
    this.#devicePages = devicePages
  }

  async devices(tenant: string, devices: readonly string[]): Promise<LatestPoint[][]> {
    const points = new Map<string, LatestPoint[]>(devices.map(id => [id, []]))
    const wanted = [...points.keys()]
    for (let i = 0; i < wanted.length; i += MAX_DEVICES) {
      const select = { tenant, devices: wanted.slice(i, i + MAX_DEVICES), metrics: [] }
      const read = { select, range: ALL_TIME, limit: 1, order: 'desc' } as const
      for (const { device, metric, timestamps, values, texts } of await this.#store.read(read)) {
        if (timestamps.length === 0) continue
        const value = texts?.[0] ?? values[0]
        points.get(device)?.push({ metric, timeUs: timestamps[0], value })
      }
    }
    return devices.map(id => points.get(id) ?? [])
  }

  async newestDevice(tenant: string): Promise<string | undefined> {
    const [newest] = await this.newestSeries({ tenant, limit: 1 })
    return newest?.device
  }

  async newestSeries(read: NewestRead): Promise<readonly SeriesTime[]> {
    const { tenant, device, metric, limit } = read
    if (device === undefined && this.#store.newest !== undefined) return this.#store.newest(read)
    const newest = new NewestSeries(limit)
    const pages = device === undefined ? this.#devicePages(tenant) : [[device]]
    for (const ids of pages) {
      const found = await this.devices(tenant, ids)
      for (const [i, points] of found.entries()) {
        for (const point of points) {
          if (metric === undefined || metric === point.metric) {
            newest.add(ids[i], point.metric, point.timeUs)
          }
        }
      }
    }
    return newest.list()
  }
}
