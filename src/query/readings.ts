import { MAX_TIME_US } from '../model/time.ts'
import type { Anomalies } from '../ports/anomalies.ts'
import type { LatestReads } from '../ports/latest.ts'
import type { Store, TimeRange } from '../ports/store.ts'
import { newestPoints, pointsOf, type Point } from './newest-points.ts'
import { newestFirst } from './newest-series.ts'
import { averagesBefore } from './rolling-average.ts'

/** A point with what the analytics say of it. */
export interface Reading extends Point {
  /** The average of the window before it; NaN for text, and where nothing is before. */
  readonly rollingAvg: number
  readonly isAnomaly: boolean
}

export interface ReadingsRequest {
  readonly tenant: string
  /** Absent: of all devices, and `range` must not end before the newest points. */
  readonly device?: string | undefined
  readonly metric?: string | undefined
  readonly range: TimeRange
  readonly limit: number
  readonly offset: number
}

export interface DeviceStats {
  readonly device: string
  /** Numbers held; text is not counted. */
  readonly count: number
  readonly sum: number
  /** Of the rolling averages of the newest readings of each metric; NaN where there is none. */
  readonly avgRollingAvg: number
  readonly anomalies: number
}

export interface ReadingsOptions {
  readonly store: Pick<Store, 'read' | 'buckets'>
  readonly anomalies: Pick<Anomalies, 'find' | 'countByDevice'>
  readonly latest: Pick<LatestReads, 'newestSeries'>
  /** Values that the rolling average of a metric is made of. */
  readonly windowOf: (metric: string) => number
  readonly longestWindow: number
}

/** All of time in one bucket. */
const FOREVER_US = MAX_TIME_US
/** Newest readings of each metric that `avgRollingAvg` is made of. */
const STATS_READINGS = 50
const MAX_ANOMALIES = 10_000
/** What is read at first of each metric of a device: how many it has is not known. */
const DEVICE_SHARE = 100

/** Readings for the streaming platform API and the sensor records: newest first, over all devices. */
export class Readings {
  readonly #options: ReadingsOptions

  constructor(options: ReadingsOptions) {
    this.#options = options
  }

  /** The newest points that fit, newest first; of one time in order of device and metric. */
  async points(request: ReadingsRequest): Promise<Point[]> {
    const { tenant, device, metric, range, offset } = request
    const limit = request.limit + offset
    const metrics = metric === undefined ? [] : [metric]
    let devices: readonly string[] = []
    let { start } = range
    let share = metric === undefined ? DEVICE_SHARE : limit
    if (device === undefined) {
      const newest = await this.#options.latest.newestSeries({ tenant, metric, limit })
      devices = [...new Set(newest.map(series => series.device))]
      share = Math.ceil(limit / newest.length)
      if (newest.length === limit) start = Math.max(start, newest[limit - 1].timeUs)
    } else devices = [device]
    if (devices.length === 0 || start >= range.end) return []
    const select = { tenant, devices, metrics }
    const within = { start, end: range.end }
    const points = await newestPoints(this.#options.store, { select, range: within, limit, share })
    return points.slice(offset)
  }

  /** The same, as readings. */
  async newest(request: ReadingsRequest): Promise<Reading[]> {
    return this.#readings(request.tenant, await this.points(request))
  }

  /** The newest reading of each series, newest first. */
  async latest(request: Omit<ReadingsRequest, 'range'>): Promise<Reading[]> {
    const { tenant, limit, offset } = request
    const most = { ...request, limit: limit + offset }
    const newest = await this.#options.latest.newestSeries(most)
    const reads = newest.slice(offset).map(async ({ device, metric, timeUs }) => {
      const select = { tenant, devices: [device], metrics: [metric] }
      const range = { start: timeUs, end: MAX_TIME_US }
      const series = await this.#options.store.read({ select, range, limit: 1, order: 'desc' })
      return series.flatMap(pointsOf)
    })
    const points = (await Promise.all(reads)).flat().sort(newestFirst)
    return this.#readings(tenant, points)
  }

  /** Of each device that has points, in the order given. */
  async stats(tenant: string, devices: readonly string[]): Promise<DeviceStats[]> {
    const { store, anomalies, longestWindow } = this.#options
    const select = { tenant, devices, metrics: [] }
    const range = { start: 0, end: MAX_TIME_US }
    const [buckets, recent, found] = await Promise.all([
      store.buckets({ select, range, intervalUs: FOREVER_US, aggregates: ['count', 'sum'] }),
      store.read({ select, range, limit: STATS_READINGS + longestWindow, order: 'desc' }),
      anomalies.countByDevice(tenant, devices),
    ])
    const totals = new Map(devices.map(device => [device, { count: 0, sum: 0, of: 0, rolling: 0 }]))
    for (const { device, columns } of buckets) {
      const total = totals.get(device)
      if (total === undefined) continue
      for (const count of columns[0]) total.count += count
      for (const sum of columns[1]) total.sum += sum
    }
    for (const { device, metric, values } of recent) {
      const total = totals.get(device)
      const from = Math.max(0, values.length - STATS_READINGS)
      const window = this.#options.windowOf(metric)
      for (const average of averagesBefore(values.toReversed(), { from, window })) {
        if (total === undefined || average !== average) continue
        total.of++
        total.rolling += average
      }
    }
    return [...totals].flatMap(([device, { count, sum, of, rolling }]) =>
      count === 0 && !recent.some(series => series.device === device)
        ? []
        : [{ device, count, sum, avgRollingAvg: rolling / of, anomalies: found.get(device) ?? 0 }],
    )
  }

  /** How many numbers are held of these devices. */
  async count(tenant: string, devices: readonly string[]): Promise<number> {
    const buckets = await this.#options.store.buckets({
      select: { tenant, devices, metrics: [] },
      range: { start: 0, end: MAX_TIME_US },
      intervalUs: FOREVER_US,
      aggregates: ['count'],
    })
    let count = 0
    for (const { columns } of buckets) for (const some of columns[0]) count += some
    return count
  }

  async #readings(tenant: string, points: readonly Point[]): Promise<Reading[]> {
    if (points.length === 0) return []
    const [averages, found] = await Promise.all([
      this.#averages(tenant, points),
      this.#anomalies(tenant, points),
    ])
    return points.map((point, i) => ({
      ...point,
      rollingAvg: typeof point.value === 'string' ? NaN : averages[i],
      isAnomaly: found.has(keyOf(point)),
    }))
  }

  /** Each series of the page once, with as many points before the page as its window takes. */
  async #averages(tenant: string, points: readonly Point[]): Promise<Float64Array> {
    const averages = new Float64Array(points.length).fill(NaN)
    const places = new Map<string, number[]>()
    points.forEach(({ device, metric }, i) => {
      const key = `${device}\0${metric}`
      const own = places.get(key)
      if (own === undefined) places.set(key, [i])
      else own.push(i)
    })
    const reads = [...places.values()].map(async own => {
      const { device, metric, timeUs } = points[own[0]]
      const window = this.#options.windowOf(metric)
      const [series] = await this.#options.store.read({
        select: { tenant, devices: [device], metrics: [metric] },
        range: { start: 0, end: timeUs + 1 },
        limit: own.length + window,
        order: 'desc',
      })
      if (series === undefined) return
      const from = Math.max(0, series.values.length - own.length)
      const before = averagesBefore(series.values.toReversed(), { from, window })
      // The page has the newest first, the averages the oldest.
      own.forEach((place, i) => (averages[place] = before[before.length - 1 - i]))
    })
    await Promise.all(reads)
    return averages
  }

  async #anomalies(tenant: string, points: readonly Point[]): Promise<ReadonlySet<string>> {
    let start = Infinity
    let end = 0
    for (const { timeUs } of points) {
      start = Math.min(start, timeUs)
      end = Math.max(end, timeUs + 1)
    }
    const devices = [...new Set(points.map(({ device }) => device))]
    const metrics = [...new Set(points.map(({ metric }) => metric))]
    const query = { tenant, devices, metrics, range: { start, end }, limit: MAX_ANOMALIES }
    return new Set((await this.#options.anomalies.find(query)).map(keyOf))
  }
}

const keyOf = ({ device, metric, timeUs }: Omit<Point, 'value'>): string =>
  `${device}\0${metric}\0${timeUs}`
