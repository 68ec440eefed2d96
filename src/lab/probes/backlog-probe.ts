import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpClient } from '../system/http-client.ts'
import { backlogOf, readLedger } from '../system/ledger.ts'
import type { BacklogFigures } from './figures.ts'
import { most, slopePerSecond, type Reading } from './summary.ts'

/** From one question to the next; a late answer delays it. */
const INTERVAL_MS = 500
const DRAIN_INTERVAL_MS = 50
const TIMEOUT_MS = 10_000

interface BacklogReading extends Reading {
  /** `atMs` is when the answer came: it may have been some time on its way. */
  readonly askedMs: number
}

/** Points that were taken in and are not stored, by the ledger, again and again. */
export class BacklogProbe {
  readonly #client: HttpClient
  readonly #readings: BacklogReading[] = []
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
   * Looks more often until it is empty, or the limit is over. Call it when all answers have come:
   * whatever was read before may have been followed by more points.
   *
   * @returns since when it is empty, at or after `fromMs`, by `performance.now()`.
   */
  async drain(fromMs: number, limitMs: number): Promise<number | undefined> {
    this.#intervalMs = DRAIN_INTERVAL_MS
    this.#waiting.abort()
    const sinceMs = Math.max(performance.now(), fromMs)
    const deadlineMs = sinceMs + limitMs
    for (;;) {
      const last = this.#readings.at(-1)
      if (last !== undefined && last.askedMs >= sinceMs && last.value === 0) break
      if (performance.now() > deadlineMs) return undefined
      await sleep(DRAIN_INTERVAL_MS)
    }
    const empty = this.#readings.slice(this.#readings.findLastIndex(({ value }) => value > 0) + 1)
    return empty.find(({ atMs }) => atMs >= fromMs)?.atMs
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
    const askedMs = performance.now()
    const ledger = await readLedger(this.#client, TIMEOUT_MS).catch(() => undefined)
    if (ledger !== undefined) {
      this.#readings.push({ askedMs, atMs: performance.now(), value: backlogOf(ledger) })
    }
  }
}
