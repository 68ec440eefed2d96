import { TokenBucket } from '../kit/token-bucket.ts'
import type { DeviceEntry } from '../model/series-table.ts'

export interface DeviceRateOptions {
  readonly pointsPerSecond: number
  readonly burstMs: number
}

/**
 * How many points each device may send, over all doors and keys. A message that finds room is taken
 * whole; what it has too much is owed by those that follow.
 */
export class DeviceRates {
  readonly pointsPerSecond: number
  readonly #burstMs: number
  /** By `DeviceEntry.id`. */
  readonly #buckets: (TokenBucket | undefined)[] = []

  constructor({ pointsPerSecond, burstMs }: DeviceRateOptions) {
    this.pointsPerSecond = pointsPerSecond
    this.#burstMs = burstMs
  }

  /** Milliseconds until the device may send again; 0: now. */
  waitMs(device: DeviceEntry, nowMs: number): number {
    return this.#buckets[device.id]?.waitMs(1, nowMs) ?? 0
  }

  take(device: DeviceEntry, points: number, nowMs: number): void {
    let bucket = this.#buckets[device.id]
    if (bucket === undefined) {
      bucket = new TokenBucket(this.pointsPerSecond, { burstMs: this.#burstMs, nowMs })
      this.#buckets[device.id] = bucket
    }
    bucket.take(points, nowMs)
  }
}
