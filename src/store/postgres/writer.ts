import { pointCount } from '../../model/batch.ts'
import { postgresError } from '../../postgres/postgres-error.ts'
import { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'
import type { Committer, Item } from './committer.ts'
import { WriteOrder } from './write-order.ts'

/** Brings entries to the committer, in the way that the configuration says. */
export interface Writer {
  write(entries: readonly StoreEntry[]): Promise<void>
  /** Resolves when what was called before has been answered. */
  drained(): Promise<void>
  readonly order: WriteOrder
  readonly pendingBytes: number
}

export interface WriterOptions {
  readonly committer: Committer
  /** After each commit. */
  readonly onCommit: () => void
  readonly maxPendingBytes: number
}

interface Write {
  readonly entries: readonly StoreEntry[]
  readonly points: number
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: WeirError) => void
  /** Of an entry of it that can never be stored. */
  refusal: WeirError | undefined
}

/** Bounds of what one transaction writes: long ones would make everybody wait. */
const MERGE_POINTS = 50_000
const MERGE_BYTES = 16 << 20
const RETRY_AFTER_MS = 1000

/** Counts what is under way, and refuses what is too much. */
class Pending {
  readonly order = new WriteOrder()
  readonly #maxBytes: number
  bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** @throws WeirError */
  take(entries: readonly StoreEntry[]): number {
    this.order.admit(entries)
    if (this.bytes > this.#maxBytes) {
      throw new WeirError('overloaded', 'the database takes less than is sent', {
        ...{ limit: 'store.maxPendingBytes', retryAfterMs: RETRY_AFTER_MS },
      })
    }
    const bytes = entries.reduce((sum, { frame }) => sum + frame.byteLength, 0)
    this.bytes += bytes
    return bytes
  }
}

/** All that waits goes into one transaction; while it runs, more gathers for the next. */
export class MergedWriter implements Writer {
  readonly #options: WriterOptions
  readonly #pending: Pending
  #queue: Write[] = []
  #running: Promise<void> | undefined = undefined

  constructor(options: WriterOptions) {
    this.#options = options
    this.#pending = new Pending(options.maxPendingBytes)
  }

  get order(): WriteOrder {
    return this.#pending.order
  }

  get pendingBytes(): number {
    return this.#pending.bytes
  }

  async write(entries: readonly StoreEntry[]): Promise<void> {
    const bytes = this.#pending.take(entries)
    const points = entries.reduce((sum, { batch }) => sum + pointCount(batch), 0)
    return new Promise((resolve, reject) => {
      this.#queue.push({ entries, points, bytes, resolve, reject, refusal: undefined })
      this.#running ??= this.#run()
    })
  }

  async drained(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    // What is called in the same turn comes along.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const writes = this.#take()
      try {
        await this.#options.committer.commit(writes.flatMap(itemsOf))
        this.#end(writes)
        this.#options.onCommit()
      } catch (error) {
        this.#fail(writes, postgresError(error))
      }
    }
    this.#running = undefined
  }

  #take(): Write[] {
    let points = 0
    let bytes = 0
    const end = this.#queue.findIndex(write => {
      points += write.points
      bytes += write.bytes
      return points > MERGE_POINTS || bytes > MERGE_BYTES
    })
    return this.#queue.splice(0, end === -1 ? this.#queue.length : Math.max(1, end))
  }

  #end(writes: readonly Write[]): void {
    for (const { bytes, resolve, reject, refusal } of writes) {
      this.#pending.bytes -= bytes
      if (refusal === undefined) resolve()
      else reject(refusal)
    }
  }

  /** With what waits behind it in the same partitions of the log. */
  #fail(writes: readonly Write[], error: WeirError): void {
    const failed = [...writes]
    for (const { entries } of writes) this.order.failed(entries)
    this.#queue = this.#queue.filter(write => {
      if (write.entries.every(({ position }) => position === undefined)) return true
      this.order.failed(write.entries)
      failed.push(write)
      return false
    })
    for (const { bytes, reject } of failed) {
      this.#pending.bytes -= bytes
      reject(error)
    }
  }
}

/**
 * The plain way, to compare with: a statement and a commit for each entry, as many at once as there are connections.
 * Only entries of the same device, or of the same partition of a log, wait for each other.
 */
export class SingleWriter implements Writer {
  readonly #options: WriterOptions
  readonly #pending: Pending
  /** The last entry of each device or log partition that is under way. */
  readonly #last = new Map<string, Promise<void>>()

  constructor(options: WriterOptions) {
    this.#options = options
    this.#pending = new Pending(options.maxPendingBytes)
  }

  get order(): WriteOrder {
    return this.#pending.order
  }

  get pendingBytes(): number {
    return this.#pending.bytes
  }

  async write(entries: readonly StoreEntry[]): Promise<void> {
    const bytes = this.#pending.take(entries)
    let refusal: WeirError | undefined
    const items = entries.map(entry => ({
      entry,
      refuse: (error: WeirError) => void (refusal = error),
    }))
    // All of them are started before the first wait, so that they keep their order.
    const results = await Promise.allSettled(items.map(item => this.#inOrder(item)))
    this.#pending.bytes -= bytes
    this.#options.onCommit()
    for (const result of results) if (result.status === 'rejected') throw result.reason
    if (refusal !== undefined) throw refusal
  }

  async drained(): Promise<void> {
    await Promise.allSettled(this.#last.values())
  }

  #inOrder(item: Item): Promise<void> {
    const keys = keysOf(item.entry)
    const before = new Set(keys.flatMap(key => this.#last.get(key) ?? []))
    const done = Promise.allSettled(before)
      .then(() => this.#commit(item))
      .finally(() => {
        for (const key of keys) if (this.#last.get(key) === done) this.#last.delete(key)
      })
    done.catch(() => undefined)
    for (const key of keys) this.#last.set(key, done)
    return done
  }

  async #commit(item: Item): Promise<void> {
    try {
      // An entry before it may have failed meanwhile.
      this.order.admit([item.entry])
      await this.#options.committer.commit([item])
    } catch (error) {
      this.order.failed([item.entry])
      throw postgresError(error)
    }
  }
}

function itemsOf(write: Write): Item[] {
  const refuse = (error: WeirError): void => void (write.refusal = error)
  return write.entries.map(entry => ({ entry, refuse }))
}

function keysOf({ batch, position }: StoreEntry): string[] {
  if (position !== undefined) return [String(position.partition)]
  return batch.devices.map(device => `${batch.tenant}\0${device}`)
}
