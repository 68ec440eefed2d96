import type { Access } from '../model/access.ts'
import type { Clock } from '../ports/clock.ts'
import type { Bucket, Rates } from '../ports/rates.ts'

export interface RateLimitOptions {
  readonly clock: Clock
  /** Where they are counted. */
  readonly rates: Rates
  /** For keys that say nothing else; 0: no limit. */
  readonly keyRequestsPerSecond: number
  readonly keyPointsPerSecond: number
  /** What may come at once: as much as the rate brings in this time. */
  readonly burstMs: number
}

/** A limit of a key, by its configuration path, and how it stands. */
export interface LimitState {
  readonly limit: string
  /** What may come at once, and in how many seconds it is there again. */
  readonly quota: number
  readonly windowSeconds: number
  readonly left: number
  /** Until one more is there; 0: now. */
  readonly retryAfterMs: number
}

interface Buckets {
  readonly requests: Bucket | undefined
  readonly points: Bucket | undefined
}

const REQUESTS = 'limits.keyRequestsPerSecond'
const POINTS = 'limits.keyPointsPerSecond'

/**
 * How much each key may do. HTTP asks before a request (`take`) and refuses; MQTT notes what came
 * (`takeMessages`) and reads the socket no faster (`pauseMs`). The gate notes the points of both.
 */
export class RateLimits {
  readonly #options: RateLimitOptions
  /** By the access of the key, of which the ring has one as long as there is the key. */
  readonly #buckets = new WeakMap<Access, Buckets>()

  constructor(options: RateLimitOptions) {
    this.#options = options
  }

  /** Whether the key has any limit. */
  limits({ keyId, limits }: Access): boolean {
    const { keyRequestsPerSecond, keyPointsPerSecond } = this.#options
    if (keyId === undefined) return false
    const requests = limits.requestsPerSecond ?? keyRequestsPerSecond
    return requests > 0 || (limits.pointsPerSecond ?? keyPointsPerSecond) > 0
  }

  /**
   * Takes a request; undefined when it may go on. Otherwise nothing was taken, and this is why.
   * `withPoints`: the request brings points.
   */
  take(access: Access, withPoints: boolean): LimitState | undefined {
    const buckets = this.#of(access)
    if (buckets === undefined) return undefined
    const nowMs = this.#options.clock.nowMs()
    const { requests, points } = buckets
    if (requests !== undefined && requests.waitMs(1, nowMs) > 0) {
      return this.#state(REQUESTS, requests, nowMs)
    }
    if (withPoints && points !== undefined && points.waitMs(1, nowMs) > 0) {
      return this.#state(POINTS, points, nowMs)
    }
    requests?.take(1, nowMs)
    return undefined
  }

  takeMessages(access: Access, messages: number): void {
    this.#of(access)?.requests?.take(messages, this.#options.clock.nowMs())
  }

  takePoints(access: Access, points: number): void {
    this.#of(access)?.points?.take(points, this.#options.clock.nowMs())
  }

  /** How long to take nothing more from the key's client; 0: go on. */
  pauseMs(access: Access): number {
    const buckets = this.#of(access)
    if (buckets === undefined) return 0
    const nowMs = this.#options.clock.nowMs()
    const { requests, points } = buckets
    return Math.max(requests?.waitMs(1, nowMs) ?? 0, points?.waitMs(1, nowMs) ?? 0)
  }

  /** How the limits of the key stand, for the header fields of an answer. */
  states(access: Access): LimitState[] {
    const buckets = this.#of(access)
    const nowMs = this.#options.clock.nowMs()
    const states: LimitState[] = []
    if (buckets?.requests) states.push(this.#state(REQUESTS, buckets.requests, nowMs))
    if (buckets?.points) states.push(this.#state(POINTS, buckets.points, nowMs))
    return states
  }

  #state(limit: string, bucket: Bucket, nowMs: number): LimitState {
    return {
      ...{ limit, quota: Math.floor(bucket.burst) },
      windowSeconds: Math.max(1, Math.ceil(bucket.burst / bucket.perSecond)),
      left: Math.max(0, Math.floor(bucket.left(nowMs))),
      retryAfterMs: bucket.waitMs(1, nowMs),
    }
  }

  #of(access: Access): Buckets | undefined {
    if (!this.limits(access)) return undefined
    let buckets = this.#buckets.get(access)
    if (buckets === undefined) {
      const { keyRequestsPerSecond, keyPointsPerSecond, burstMs, clock, rates } = this.#options
      const nowMs = clock.nowMs()
      // Ids of keys are drawn by chance, so that no two tenants have the same.
      const make = (what: string, perSecond: number): Bucket | undefined => {
        if (perSecond <= 0) return undefined
        return rates.bucket(`${access.keyId}:${what}`, { perSecond, burstMs, nowMs })
      }
      buckets = {
        requests: make('requests', access.limits.requestsPerSecond ?? keyRequestsPerSecond),
        points: make('points', access.limits.pointsPerSecond ?? keyPointsPerSecond),
      }
      this.#buckets.set(access, buckets)
    }
    return buckets
  }
}
