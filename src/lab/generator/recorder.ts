import type { RequestKind } from '../workloads/workload.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import type { EndpointResult, LoadPlan, Tick } from './load.ts'

/** In place of a status. */
export const BROKEN = 0
export const TIMED_OUT = -1

/** A request that has come to its end, one way or the other. */
export interface Settled {
  readonly kind: number
  readonly intendedMs: number
  readonly nowMs: number
  /** Of the answer, or BROKEN or TIMED_OUT. */
  readonly status: number
  /** False: it has waited for a connection until nobody would have waited longer. */
  readonly wasSent: boolean
}

/** What an end means for its kind. */
export type Meaning = 'success' | 'tolerated' | 'failure'

class Endpoint {
  readonly kind: RequestKind
  readonly statuses = new Map<number, number>()
  readonly latency = new LatencyHistogram()
  successes = 0
  tolerated = 0
  failures = 0
  timeouts = 0

  constructor(kind: RequestKind) {
    this.kind = kind
  }

  meaningOf(status: number): Meaning {
    if (this.kind.expects.includes(status)) return 'success'
    return this.kind.tolerates?.includes(status) === true ? 'tolerated' : 'failure'
  }
}

/** Counts what comes of requests, over the run and since the last tick. */
export class Recorder {
  readonly sendLag = new LatencyHistogram()
  /** Of the measured time. */
  requests = 0
  achieved = 0
  failures = 0
  acknowledgedPoints = 0
  uncertainPoints = 0
  firstFailure: string | undefined
  /** No answer after it is achieved; known when the run ends before its time. */
  endMs: number
  readonly #warmUpMs: number
  readonly #endpoints: readonly Endpoint[]
  readonly #second = { achieved: 0, failures: 0, latency: new LatencyHistogram() }

  constructor({ workload, warmUpMs }: Pick<LoadPlan, 'workload' | 'warmUpMs'>, endMs: number) {
    this.#endpoints = workload.requests.map(kind => new Endpoint(kind))
    this.#warmUpMs = warmUpMs
    this.endMs = endMs
  }

  settle(settled: Settled): Meaning {
    const { kind, intendedMs, nowMs, status, wasSent } = settled
    const endpoint = this.#endpoints[kind]
    const meaning = endpoint.meaningOf(status)
    const latencyMs = nowMs - intendedMs
    const { points } = endpoint.kind
    if (meaning === 'success') this.acknowledgedPoints += points
    // What a tolerated answer did with points, nobody knows either.
    else if (wasSent) this.uncertainPoints += points
    if (meaning === 'failure') this.#second.failures++
    else this.#second.achieved++
    this.#second.latency.record(latencyMs)
    if (intendedMs >= this.#warmUpMs) this.#measured(endpoint, settled, meaning)
    return meaning
  }

  /** `how` is not about requests that are not measured only: it may explain why there are none. */
  failed(how: string): void {
    this.firstFailure ??= how
  }

  tick(): Pick<Tick, 'achieved' | 'failures' | 'p50Ms' | 'p95Ms' | 'p99Ms'> {
    const { achieved, failures, latency } = this.#second
    const { p50Ms, p95Ms, p99Ms } = latency.latency()
    this.#second.achieved = this.#second.failures = 0
    latency.reset()
    return { achieved, failures, p50Ms, p95Ms, p99Ms }
  }

  /** Of all endpoints together. */
  overall(): LatencyHistogram {
    const all = new LatencyHistogram()
    for (const { latency } of this.#endpoints) all.add(latency)
    return all
  }

  endpoints(): Promise<EndpointResult[]> {
    return Promise.all(
      this.#endpoints.map(async ({ kind, latency, statuses, ...counts }) => ({
        name: kind.name,
        requests: counts.successes + counts.tolerated + counts.failures,
        ...counts,
        statuses: Object.fromEntries(statuses),
        latency: latency.latency(),
        histogram: await latency.encoded(),
      })),
    )
  }

  #measured(endpoint: Endpoint, { intendedMs, nowMs, status }: Settled, meaning: Meaning): void {
    this.requests++
    endpoint.latency.record(nowMs - intendedMs)
    if (meaning === 'success') endpoint.successes++
    else if (meaning === 'tolerated') endpoint.tolerated++
    else {
      endpoint.failures++
      this.failures++
    }
    if (meaning !== 'failure' && nowMs <= this.endMs) this.achieved++
    if (status === TIMED_OUT) endpoint.timeouts++
    else endpoint.statuses.set(status, (endpoint.statuses.get(status) ?? 0) + 1)
  }
}
