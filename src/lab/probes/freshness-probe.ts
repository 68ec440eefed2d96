import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpClient } from '../system/http-client.ts'
import { seededRandom } from '../system/seeded-random.ts'

/** No device of a workload has this name. */
export const PROBE_DEVICE = 'weir-lab-probe'
const METRIC = 'seen'
const INTERVAL_MS = 250
const FIRST_POLL_MS = 12
/** The next look at a point comes after so much of its age: late ones are not asked for all the time. */
const POLL_SHARE = 0.05
/** Points that are not visible yet. Those that would come then are late by at least their wait. */
const MAX_OPEN = 64
const SEND_TIMEOUT_MS = 10_000
const POLL_TIMEOUT_MS = 5000

interface Sent {
  /** `performance.now()`: when it was meant to be sent. */
  readonly intendedMs: number
  /** Absent: never within the time that was given. */
  visibleMs?: number
  outcome: 'open' | 'acknowledged' | 'uncertain' | 'skipped'
}

/**
 * Sends a point now and then, at times drawn before (open loop: a late one delays no other), and asks
 * for it until history has it. The latest values would not do: with a queue, gateways know those
 * long before the store.
 */
export class FreshnessProbe {
  readonly #client: HttpClient
  readonly #random: () => number
  readonly #sent: Sent[] = []
  readonly #work = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #nextMs = 0
  #lastTimeMs = 0
  #isOver = false

  constructor(client: HttpClient, seed: number) {
    this.#client = client
    this.#random = seededRandom(seed)
  }

  start(): void {
    this.#nextMs = performance.now() + this.#random() * INTERVAL_MS
    this.#arm()
  }

  /** No further points. Resolves when all are visible, or after the limit. */
  async finish(limitMs: number): Promise<void> {
    clearTimeout(this.#timer)
    const late = sleep(limitMs, undefined, { ref: false })
    await Promise.race([Promise.all(this.#work), late])
    this.stop()
    await Promise.all(this.#work)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#isOver = true
  }

  /**
   * From the intended time to visible, of points meant to be sent between these moments and taken in.
   * Of one that is not visible: until now.
   */
  latencies(fromMs: number, toMs: number): number[] {
    const nowMs = performance.now()
    return this.#sent
      .filter(({ intendedMs }) => intendedMs >= fromMs && intendedMs < toMs)
      .filter(({ outcome }) => outcome === 'acknowledged' || outcome === 'skipped')
      .map(({ intendedMs, visibleMs = nowMs }) => visibleMs - intendedMs)
  }

  counts(): { readonly acknowledged: number; readonly uncertain: number } {
    const of = (wanted: Sent['outcome']): number =>
      this.#sent.filter(({ outcome }) => outcome === wanted).length
    return { acknowledged: of('acknowledged'), uncertain: of('uncertain') + of('open') }
  }

  #arm(): void {
    const waitMs = Math.max(0, this.#nextMs - performance.now())
    this.#timer = setTimeout(() => {
      const intendedMs = this.#nextMs
      // Between a half and one and a half intervals, so that nothing periodic is met in step.
      this.#nextMs += INTERVAL_MS * (0.5 + this.#random())
      this.#arm()
      this.#begin(intendedMs)
    }, waitMs)
  }

  #begin(intendedMs: number): void {
    const sent: Sent = { intendedMs, outcome: 'open' }
    this.#sent.push(sent)
    if (this.#work.size >= MAX_OPEN) {
      sent.outcome = 'skipped'
      return
    }
    const work = this.#follow(sent).finally(() => this.#work.delete(work))
    this.#work.add(work)
  }

  async #follow(sent: Sent): Promise<void> {
    // Each has a millisecond of its own, by which it is asked for.
    const timeMs = Math.max(Date.now(), this.#lastTimeMs + 1)
    this.#lastTimeMs = timeMs
    const body = { device_id: PROBE_DEVICE, timestamp: timeMs, data: { [METRIC]: timeMs } }
    const answer = await this.#client
      .send('POST', '/api/v1/telemetry', { body, timeoutMs: SEND_TIMEOUT_MS })
      .catch(() => undefined)
    if (answer?.status !== 200) {
      sent.outcome = 'uncertain'
      return
    }
    sent.outcome = 'acknowledged'
    while (!this.#isOver) {
      if (await this.#isVisible(timeMs)) {
        sent.visibleMs = performance.now()
        return
      }
      const ageMs = performance.now() - sent.intendedMs
      await sleep(Math.max(FIRST_POLL_MS, ageMs * POLL_SHARE))
    }
  }

  async #isVisible(timeMs: number): Promise<boolean> {
    const path = `/api/v1/telemetry/${PROBE_DEVICE}?start=${timeMs}&end=${timeMs + 1}&limit=1`
    const answer = await this.#client.get(path, POLL_TIMEOUT_MS).catch(() => undefined)
    if (answer?.status !== 200) return false
    const { data } = JSON.parse(answer.text) as {
      readonly data: Readonly<Record<string, unknown>>[]
    }
    return data.some(row => row[METRIC] === timeMs)
  }
}
