import type { Anomaly } from '../model/anomaly.ts'
import { SEVERITIES, type Severity } from '../model/anomaly.ts'
import type { Anomalies } from '../ports/anomalies.ts'
import type { Clock } from '../ports/clock.ts'

const SAVE_INTERVAL_MS = 1000
const TRIM_INTERVAL_MS = 60_000

export interface AnomalyJournalOptions {
  readonly anomalies: Anomalies
  readonly clock: Clock
  /** Anomalies taken in one second; further ones are counted only. */
  readonly maxPerSecond: number
  readonly maxPerTenant: number
  readonly retentionMs: number
  /** What was to be saved is kept and tried again. */
  readonly onError: (error: unknown) => void
}

/**
 * Anomalies on their way to where they are kept: gathered, written a batch a second, trimmed to
 * their bounds. What waits is bounded too (ten seconds of the rate), should writing fail for long.
 */
export class AnomalyJournal {
  readonly #options: AnomalyJournalOptions
  readonly #found = new Map<Severity, number>(SEVERITIES.map(severity => [severity, 0]))
  #waiting: Anomaly[] = []
  #suppressed = 0
  #second = -1
  #taken = 0
  #unsynced = false
  #saving: Promise<void> = Promise.resolve()
  readonly #stops: (() => void)[]

  constructor(options: AnomalyJournalOptions) {
    this.#options = options
    const { clock } = options
    const report = (work: () => Promise<unknown>) => (): void => {
      work().catch(options.onError)
    }
    this.#stops = [
      clock.every(
        SAVE_INTERVAL_MS,
        report(() => this.save()),
      ),
      clock.every(
        TRIM_INTERVAL_MS,
        report(() => this.trim()),
      ),
    ]
  }

  /** Taken since the process started, by severity. */
  get found(): ReadonlyMap<Severity, number> {
    return this.#found
  }

  get suppressed(): number {
    return this.#suppressed
  }

  /**
   * Whether one more may be taken now; if not, it is counted as suppressed. What is replayed has
   * been through the limit once and comes faster than it came in.
   */
  admits(live: boolean): boolean {
    const { clock, maxPerSecond } = this.#options
    if (!live) return true
    const second = Math.floor(clock.nowMs() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#taken = 0
    }
    if (this.#taken < maxPerSecond && this.#waiting.length < 10 * maxPerSecond) return true
    this.#suppressed++
    return false
  }

  /** Takes an anomaly that was admitted. */
  add(anomaly: Anomaly): void {
    this.#taken++
    this.#found.set(anomaly.severity, (this.#found.get(anomaly.severity) ?? 0) + 1)
    this.#waiting.push(anomaly)
  }

  /** Saves all that was taken before the call; rejects when it could not. */
  save(): Promise<void> {
    const saving = this.#saving.then(() => this.#saveWaiting())
    this.#saving = saving.catch(() => {})
    return saving
  }

  /** As `save`, and what is saved survives a power cut when it resolves. */
  async sync(): Promise<void> {
    await this.save()
    if (!this.#unsynced) return
    this.#unsynced = false
    try {
      await this.#options.anomalies.sync()
    } catch (error) {
      this.#unsynced = true
      throw error
    }
  }

  async trim(): Promise<void> {
    const { anomalies, clock, retentionMs, maxPerTenant } = this.#options
    const beforeUs = (clock.nowMs() - retentionMs) * 1000
    while ((await anomalies.trim({ beforeUs, maxPerTenant })) > 0);
  }

  /** No more ticks. The caller has saved. */
  stop(): void {
    for (const stop of this.#stops) stop()
  }

  async #saveWaiting(): Promise<void> {
    const anomalies = this.#waiting
    if (anomalies.length === 0) return
    this.#waiting = []
    try {
      await this.#options.anomalies.save(anomalies)
      this.#unsynced = true
    } catch (error) {
      this.#waiting = anomalies.concat(this.#waiting)
      throw error
    }
  }
}
