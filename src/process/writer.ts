import { Tally } from '../kit/tally.ts'
import { pointCount, type Batch } from '../model/batch.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { Log, LogEntry, Subscription } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { OrderedWrites } from './ordered-writes.ts'

export const WRITER_GROUP = 'writer'
/** Of the consumers in memory, where nothing but the store keeps entries. */
const MEMORY_GROUP = 'memory'

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
  /** The log could not be told how far the store is; the next commit tells it. */
  readonly onWarning: (error: unknown) => void
  /** The store can never take these entries; they are counted, and others go on. */
  readonly onDeadLetter: (entries: readonly LogEntry[], error: WeirError) => void
  /** Seconds from the append until the store had the points, for each delivery. */
  readonly onFresh?: (seconds: number) => void
}

/**
 * Brings what the log has to the store and to the consumers in memory, and tells the log how far
 * the store is. Handing over is synchronous: with a store whose reads follow its writes, whatever
 * the log acknowledges after a delivery is in every query that starts later.
 *
 * With a log that keeps entries and a store that can be away, entries wait for the store, in order
 * and within bounds, for as long as it takes. Without such a log the writer is what keeps them: an
 * append is refused with the store's error, and consumers see what has been committed.
 */
export class Writer {
  readonly #options: WriterOptions
  readonly #ordered: OrderedWrites | undefined
  #subscriptions: Subscription[] = []
  #replaying = true
  /** By tenant. */
  readonly #pending = new Tally()
  readonly #dead = new Tally()
  #pendingBytes = 0
  #failed: unknown
  #isClosing = false
  #drained: (() => void)[] = []

  constructor(options: WriterOptions) {
    this.#options = options
    const { log, store } = options
    if (!log.capabilities.keepsEntries || !store.capabilities.isShared) return
    this.#ordered = new OrderedWrites({
      store,
      onRejected: (entry, error) => this.#bury([entry], error),
    })
  }

  /** Why entries wait for the store now, and the log is not trimmed. */
  get trouble(): string | undefined {
    return this.#ordered?.trouble
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

  /** Tenants of which there are dead letters. */
  buried(): readonly string[] {
    return this.#dead.names()
  }

  /** Replays what the store lacks and goes live; resolves when it has caught up. */
  async start(): Promise<void> {
    const { log, store, onWarning, onFailure } = this.#options
    if (!log.capabilities.keepsEntries) return this.#startDirect()
    store.onCommit(positions => {
      log.commit(WRITER_GROUP, positions).catch((error: unknown) => {
        const isPassing = error instanceof WeirError && error.kind === 'retryable'
        if (isPassing) onWarning(error)
        else onFailure(error)
      })
    })
    const subscription = await log.subscribe({
      group: WRITER_GROUP,
      from: await store.positions(),
      onAssigned: () => store.positions(),
      deliver: entries => this.#deliver(entries),
    })
    this.#subscriptions = [subscription]
    await subscription.caughtUp
    this.#replaying = false
  }

  async #startDirect(): Promise<void> {
    const { log, store, clock, consumers } = this.#options
    this.#replaying = false
    const memory = await log.subscribe({
      group: MEMORY_GROUP,
      from: [],
      deliver: entries => {
        const nowMs = clock.nowMs()
        for (const entry of entries) for (const consume of consumers) consume(entry, nowMs)
        // It was in every query before it was acknowledged.
        this.#options.onFresh?.(0)
      },
    })
    const keeper = await log.subscribe({
      group: WRITER_GROUP,
      isKeeper: true,
      from: [],
      deliver: entries => store.write(entries.map(({ batch, frame }) => ({ batch, frame }))),
    })
    this.#subscriptions = [keeper, memory]
  }

  async close(): Promise<void> {
    this.#isClosing = true
    const ended = this.#subscriptions.map(subscription => subscription.close())
    this.#ordered?.close()
    await Promise.all(ended)
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
      const { appendedMs = nowMs } = entries[0]
      // Before it was delivered here, by the clocks; since then, by this process's own.
      const waitedMs = this.#replaying ? 0 : Math.max(0, nowMs - appendedMs)
      this.#options.onFresh?.((waitedMs + performance.now() - begun) / 1000)
      this.#wake()
    }
    const written =
      this.#ordered === undefined ? store.write(entries) : this.#ordered.write(entries)
    written.then(taken, (error: unknown) => {
      if (error instanceof WeirError && error.kind === 'rejected') {
        this.#bury(entries, error)
        taken()
        return
      }
      this.#failed = error
      if (!this.#isClosing) this.#options.onFailure(error)
      this.#wake()
    })
    return this.#pendingBytes > maxPendingBytes ? this.#room() : undefined
  }

  #bury(entries: readonly LogEntry[], error: WeirError): void {
    for (const { batch } of entries) this.#dead.add(batch.tenant, pointCount(batch))
    this.#options.onDeadLetter(entries, error)
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
