import type { DeviceEntry } from '../model/series-table.ts'

/** The newest value of one metric of one device. */
export interface LatestPoint {
  readonly metric: string
  readonly timeUs: number
  readonly value: number | string
}

/** A series and the time of its newest point. */
export interface SeriesTime {
  readonly device: string
  readonly metric: string
  readonly timeUs: number
}

export interface NewestRead {
  readonly tenant: string
  /** Absent: of all devices, or of all metrics. */
  readonly device?: string | undefined
  readonly metric?: string | undefined
  /** 1 or more. */
  readonly limit: number
}

/**
 * The newest points by device time, wherever they are known: in this process, in the store, or in a
 * cache in front of it. A point that was acknowledged by this process before a call is in its
 * answer. Called by requests, from the doors' thread; errors are the store's.
 */
export interface LatestReads {
  /**
   * Of each of the devices, in that order, the newest point of every metric; empty of a device that
   * has none.
   */
  devices(tenant: string, devices: readonly string[]): Promise<readonly (readonly LatestPoint[])[]>
  /** The device of the tenant's newest point. */
  newestDevice(tenant: string): Promise<string | undefined>
  /** The `limit` series with the newest points, newest first; of one time by device and metric. */
  newestSeries(read: NewestRead): Promise<readonly SeriesTime[]>
}

/** The same in this process, where it sees every batch before it is acknowledged. */
export interface LatestView {
  newestDevice(tenant: string): DeviceEntry | undefined
  /** The time of the series' newest point, -1 when there is none. */
  timeOf(series: number): number
  point(series: number): LatestPoint | undefined
  device(device: DeviceEntry, metrics?: readonly string[]): LatestPoint[]
}
