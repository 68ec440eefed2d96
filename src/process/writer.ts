import { Tally } from '../kit/tally.ts'
import { pointCount, type Batch } from '../model/batch.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { Log, LogEntry, Subscription } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'

export const WRITER_GROUP = 'writer'

/**
 * Sees every durable batch once, in log order, before it is acknowledged. Synchronous: what takes
 * time keeps a queue of its own. `arrivalMs` is now, or for replayed entries the newest time in
 * them, because when they came in is not known any more.
 */
export type BatchConsumer = (entry: LogEntry, arrivalMs: number) => void

export interface WriterOptions {
  readonly log: Log
  readonly store: Store
  readonly clock: Clock
  readonly consumers: readonly BatchConsumer[]
  /** Bytes handed to the store that it has not taken yet; beyond it the log's delivery waits. */
  readonly maxPendingBytes: number
  /** The store refused for good; nothing more can be acknowledged. */
  readonly onFailure: (error: unknown) => void
  /** The store can never take these entries; they are counted, and others go on. */
  readonly onDeadLetter: (entries: readonly LogEntry[], error: WeirError) => void
  /** Seconds from hand-over until the store had the points, for each delivery. */
  readonly onFresh?: (seconds: number) => void
}

/**
 * Brings what the log has to the store and to the consumers in memory, and tells the log how far
 * the store is. Handing over is synchronous: with a store whose reads follow its writes, whatever
 * the log acknowledges after a delivery is in every query that starts later.
 */
export class Writer {
  readonly #options: WriterOptions
  #subscription: Subscription | undefined
  #replaying = true
  /** By tenant. */
  readonly #pending = new Tally()
  readonly #dead = new Tally()
  #pendingBytes = 0
  #failed: unknown
  #drained: (() => void)[] = []

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** Entries come that were in the log before this process started. */
  get isReplaying(): boolean {
    return this.#replaying
  }

  /** Points handed to the store that it has not taken yet. */
  get pendingPoints(): number {
    return this.#pending.total
  }

  /** Of all tenants, or of one; `deadLettered`: points of entries that the store can never take. */
  counts(tenant?: string): { readonly pendingPoints: number; readonly deadLettered: number } {
    const [pending, dead] = [this.#pending, this.#dead]
    return tenant === undefined
      ? { pendingPoints: pending.total, deadLettered: dead.total }
      : { pendingPoints: pending.of(tenant), deadLettered: dead.of(tenant) }
  }

  /** Replays what the store lacks and goes live; resolves when it has caught up. */
  async start(): Promise<void> {
    const { log, store } = this.#options
    store.onCommit(positions => {
      log.commit(WRITER_GROUP, positions).catch(this.#options.onFailure)
    })
    this.#subscription = await log.subscribe({
      group: WRITER_GROUP,
      from: await store.positions(),
      onAssigned: () => store.positions(),
      deliver: entries => this.#deliver(entries),
    })
    await this.#subscription.caughtUp
    this.#replaying = false
  }

  async close(): Promise<void> {
    await this.#subscription?.close()
    while (this.#pending.total > 0 && this.#failed === undefined) {
      await new Promise<void>(resolve => this.#drained.push(resolve))
    }
  }

  #deliver(entries: readonly LogEntry[]): void | Promise<void> {
    const { store, clock, consumers, maxPendingBytes } = this.#options
    const nowMs = clock.nowMs()
    let bytes = 0
    for (const entry of entries) {
      this.#pending.add(entry.batch.tenant, pointCount(entry.batch))
      bytes += entry.frame.byteLength
      const arrivalMs = this.#replaying ? Math.min(nowMs, newestMs(entry.batch)) : nowMs
      for (const consume of consumers) consume(entry, arrivalMs)
    }
    this.#pendingBytes += bytes
    const begun = performance.now()
    const taken = (): void => {
      for (const { batch } of entries) this.#pending.add(batch.tenant, -pointCount(batch))
      this.#pendingBytes -= bytes
      this.#options.onFresh?.((performance.now() - begun) / 1000)
      this.#wake()
    }
    store.write(entries).then(taken, (error: unknown) => {
      if (error instanceof WeirError && error.kind === 'rejected') {
        for (const { batch } of entries) this.#dead.add(batch.tenant, pointCount(batch))
        this.#options.onDeadLetter(entries, error)
        taken()
        return
      }
      this.#failed = error
      this.#options.onFailure(error)
      this.#wake()
    })
    return this.#pendingBytes > maxPendingBytes ? this.#room() : undefined
  }

  /** Resolves when the store has taken enough; rejects when it has failed. */
  async #room(): Promise<void> {
    while (this.#pendingBytes > this.#options.maxPendingBytes / 2) {
      if (this.#failed !== undefined) throw this.#failed
      await new Promise<void>(resolve => this.#drained.push(resolve))
    }
  }

  #wake(): void {
    for (const resolve of this.#drained.splice(0)) resolve()
  }
}

function newestMs(batch: Batch): number {
  let newest = 0
  const { timestamps } = batch
  for (let i = 0; i < timestamps.length; i++) if (timestamps[i] > newest) newest = timestamps[i]
  return Math.floor(newest / 1000)
}
