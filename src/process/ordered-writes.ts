import { Backoff } from '../kit/backoff.ts'
import { WeirError } from '../ports/errors.ts'
import type { LogEntry } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'

export interface OrderedWritesOptions {
  readonly store: Pick<Store, 'write'>
  /** The store can never take this entry; those around it are stored. */
  readonly onRejected: (entry: LogEntry, error: WeirError) => void
  /** Tests hand in their own. */
  readonly backoff?: Backoff
}

interface Item {
  readonly entry: LogEntry
  /** Its place among all entries. */
  readonly place: number
  readonly done: (failure?: { readonly error: unknown }) => void
}

/**
 * Writes to a store that can be away, such as a database on another machine: each entry again until
 * it is taken. The store keeps the order: behind an entry that failed it takes none of the same
 * partition until that one comes again. So when one fails, all that are under way are waited for, and
 * those that failed are sent again, in order, before anything else. How many may wait is the
 * caller's to bound.
 *
 * Each entry is a write of its own, so that what can never be stored is known by name; the store
 * makes few transactions of many writes.
 */
export class OrderedWrites {
  readonly #options: OrderedWritesOptions
  readonly #backoff: Backoff
  #next = 0
  #running = 0
  /** Have failed, in the order in which that was told. */
  #failed: Item[] = []
  /** Came since one has failed. */
  #waiting: Item[] = []
  #isPausing = false
  #trouble: string | undefined
  #isClosed = false
  #wake = (): void => {}

  constructor(options: OrderedWritesOptions) {
    this.#options = options
    this.#backoff = options.backoff ?? new Backoff({ firstMs: 100, lastMs: 5000 })
  }

  /** Why nothing is being stored now, while the same entries are tried again. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /**
   * Resolves when the store has the entries, or has refused them for good one by one (`onRejected`).
   * Rejects when the store has failed for good, or with `closed` when nothing is tried any more: the
   * log still has the entries then.
   */
  write(entries: readonly LogEntry[]): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = entries.length
      if (left === 0) return resolve()
      const done: Item['done'] = failure => {
        if (failure !== undefined) reject(failure.error)
        else if (--left === 0) resolve()
      }
      const items = entries.map(entry => ({ entry, place: this.#next++, done }))
      if (this.#isHeld) this.#waiting.push(...items)
      else this.#send(items)
    })
  }

  /** What has failed is tried once more, then given up. */
  close(): void {
    this.#isClosed = true
    this.#wake()
  }

  get #isHeld(): boolean {
    return this.#isPausing || this.#failed.length > 0
  }

  #send(items: readonly Item[]): void {
    // All at once, which is the order in which the store is to take them.
    this.#running += items.length
    for (const item of items) {
      this.#options.store.write([item.entry]).then(
        () => this.#taken(item),
        (error: unknown) => this.#refused(item, error),
      )
    }
  }

  #taken(item: Item): void {
    if (this.#failed.length === 0) this.#isWell()
    item.done()
    this.#ended()
  }

  #refused(item: Item, error: unknown): void {
    const kind = error instanceof WeirError ? error.kind : undefined
    if (kind === 'retryable' || kind === 'overloaded') {
      // Later ones only say that this one comes first.
      if (this.#failed.length === 0) this.#trouble = (error as WeirError).message
      this.#failed.push(item)
    } else if (kind === 'rejected') {
      this.#options.onRejected(item.entry, error as WeirError)
      item.done()
    } else {
      item.done({ error })
    }
    this.#ended()
  }

  #ended(): void {
    if (--this.#running > 0 || this.#failed.length === 0 || this.#isPausing) return
    void this.#tryAgain()
  }

  async #tryAgain(): Promise<void> {
    if (this.#isClosed) return this.#giveUp()
    this.#isPausing = true
    await this.#pause()
    this.#isPausing = false
    const failed = this.#failed.sort((a, b) => a.place - b.place)
    const items = [...failed, ...this.#waiting]
    this.#failed = []
    this.#waiting = []
    this.#send(items)
  }

  #giveUp(): void {
    const error = new WeirError('closed', `not stored before the stop: ${this.#trouble}`)
    for (const { done } of [...this.#failed, ...this.#waiting]) done({ error })
    this.#failed = []
    this.#waiting = []
  }

  #isWell(): void {
    if (this.#trouble === undefined) return
    this.#trouble = undefined
    this.#backoff.reset()
  }

  #pause(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, this.#backoff.next())
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.#isClosed) this.#wake()
    })
  }
}
