import type { EncodedBatch } from '../model/batch.ts'
import type { Log } from '../ports/log.ts'

/**
 * Each request as an append of its own, a bounded number of them at once; those beyond wait in the
 * order of their arrival. Which of two that run at once is stored first is the store's affair.
 */
export class SeparateAppends {
  readonly #log: Log
  readonly #maxAppends: number
  #running = 0
  #waiting: (() => void)[] = []
  #idle: (() => void)[] = []

  constructor(log: Log, maxAppends: number) {
    this.#log = log
    this.#maxAppends = maxAppends
  }

  /** Bytes that the log does not have yet. */
  bytes = 0

  /** Resolves when they are durable; rejects with the log's error. */
  async append(entries: readonly EncodedBatch[]): Promise<void> {
    let bytes = 0
    for (const { frame } of entries) bytes += frame.byteLength
    this.bytes += bytes
    // Who is woken takes over the place of the one that has ended: nobody comes in between.
    if (this.#running < this.#maxAppends) this.#running++
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    try {
      await this.#log.append(entries)
    } finally {
      this.bytes -= bytes
      const next = this.#waiting.shift()
      if (next === undefined) this.#leave()
      else next()
    }
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>(resolve => this.#idle.push(resolve))
  }

  #leave(): void {
    if (--this.#running > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
