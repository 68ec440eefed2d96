import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpClient } from '../system/http-client.ts'
import { backlogOf, readLedger } from '../system/ledger.ts'
import type { BacklogFigures } from './figures.ts'
import { most, slopePerSecond, type Reading } from './summary.ts'

/** From one question to the next; a late answer delays it. */
const INTERVAL_MS = 500
const DRAIN_INTERVAL_MS = 50
const TIMEOUT_MS = 10_000

/** Points that were taken in and are not stored, by the ledger, again and again. */
export class BacklogProbe {
  readonly #client: HttpClient
  readonly #readings: Reading[] = []
  #running: Promise<void> = Promise.resolve()
  #intervalMs = INTERVAL_MS
  #waiting = new AbortController()
  #isOver = false

  constructor(client: HttpClient) {
    this.#client = client
  }

  start(): void {
    this.#running = this.#run()
  }

  /** The last one; 0 before the first. */
  get points(): number {
    return this.#readings.at(-1)?.value ?? 0
  }

  /**
   * Looks more often until it is empty, or the limit is over.
   *
   * @returns when it was seen empty first at or after `fromMs`, by `performance.now()`.
   */
  async drain(fromMs: number, limitMs: number): Promise<number | undefined> {
    this.#intervalMs = DRAIN_INTERVAL_MS
    this.#waiting.abort()
    const deadlineMs = Math.max(performance.now(), fromMs) + limitMs
    for (;;) {
      const empty = this.#readings.find(({ atMs, value }) => atMs >= fromMs && value === 0)
      if (empty !== undefined || performance.now() > deadlineMs) return empty?.atMs
      await sleep(DRAIN_INTERVAL_MS)
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true
    this.#waiting.abort()
    await this.#running
  }

  /** Of the readings between these moments. */
  figures(fromMs: number, toMs: number): BacklogFigures {
    const readings = this.#readings.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
    return {
      slopePerSecond: slopePerSecond(readings),
      maxPoints: most(readings.map(({ value }) => value)),
    }
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const startedMs = performance.now()
      await this.#ask()
      this.#waiting = new AbortController()
      const waitMs = startedMs + this.#intervalMs - performance.now()
      const { signal } = this.#waiting
      if (!this.#isOver) await sleep(Math.max(1, waitMs), undefined, { signal }).catch(() => {})
    }
  }

  async #ask(): Promise<void> {
    const ledger = await readLedger(this.#client, TIMEOUT_MS).catch(() => undefined)
    // Of when it is told: it may be some time on its way.
    if (ledger !== undefined) {
      this.#readings.push({ atMs: performance.now(), value: backlogOf(ledger) })
    }
  }
}
