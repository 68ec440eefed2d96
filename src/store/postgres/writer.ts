import { pointCount } from '../../model/batch.ts'
import { postgresError } from '../../postgres/postgres-error.ts'
import type { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'
import type { Committer, Item } from './committer.ts'
import type { PendingWrites } from './pending-writes.ts'

/** Brings entries to the committer, in the way that the configuration says. */
export interface Writer {
  write(entries: readonly StoreEntry[]): Promise<void>
  /** Resolves when what was called before has been answered. */
  drained(): Promise<void>
}

export interface WriterOptions {
  readonly committer: Pick<Committer, 'commit'>
  readonly pending: PendingWrites
  /** After each commit. */
  readonly onCommit: () => void
}

interface Write {
  readonly entries: readonly StoreEntry[]
  readonly points: number
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: WeirError) => void
  /** Entries of it that are neither stored nor refused for good. */
  unsettled: number
  /** Of an entry of it that can never be stored. */
  refusal: WeirError | undefined
}

/** Bounds of what one transaction writes: long ones would make everybody wait. */
const MERGE_POINTS = 50_000
const MERGE_BYTES = 16 << 20

/** All that waits goes into one transaction; while it runs, more gathers for the next. */
export class MergedWriter implements Writer {
  readonly #options: WriterOptions
  #queue: Write[] = []
  #running: Promise<void> | undefined = undefined

  constructor(options: WriterOptions) {
    this.#options = options
  }

  async write(entries: readonly StoreEntry[]): Promise<void> {
    const bytes = this.#options.pending.take(entries)
    const points = entries.reduce((sum, { batch }) => sum + pointCount(batch), 0)
    return new Promise((resolve, reject) => {
      this.#queue.push({
        ...{ entries, points, bytes, resolve, reject },
        ...{ unsettled: entries.length, refusal: undefined },
      })
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
      this.#options.pending.done(bytes)
      if (refusal === undefined) resolve()
      else reject(refusal)
    }
  }

  /** With what waits behind it in the same partitions of the log. */
  #fail(writes: readonly Write[], error: WeirError): void {
    const { pending } = this.#options
    // They may have been committed one by one, and the first ones are.
    this.#end(writes.filter(({ unsettled }) => unsettled === 0))
    const failed = writes.filter(({ unsettled }) => unsettled > 0)
    this.#queue = this.#queue.filter(write => {
      if (write.entries.every(({ position }) => position === undefined)) return true
      failed.push(write)
      return false
    })
    for (const { entries, bytes, reject } of failed) {
      pending.order.failed(entries)
      pending.done(bytes)
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
  /** The last entry of each device or log partition that is under way. */
  readonly #last = new Map<string, Promise<void>>()

  constructor(options: WriterOptions) {
    this.#options = options
  }

  async write(entries: readonly StoreEntry[]): Promise<void> {
    const { pending, onCommit } = this.#options
    const bytes = pending.take(entries)
    let refusal: WeirError | undefined
    const settle = (error?: WeirError): void => void (refusal ??= error)
    const items = entries.map(entry => ({ entry, settle }))
    // All of them are started before the first wait, so that they keep their order.
    const results = await Promise.allSettled(items.map(item => this.#inOrder(item)))
    pending.done(bytes)
    onCommit()
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
    const { order } = this.#options.pending
    try {
      // An entry before it may have failed meanwhile.
      order.admit([item.entry])
      await this.#options.committer.commit([item])
    } catch (error) {
      order.failed([item.entry])
      throw postgresError(error)
    }
  }
}

function itemsOf(write: Write): Item[] {
  const settle = (refusal?: WeirError): void => {
    write.unsettled--
    write.refusal ??= refusal
  }
  return write.entries.map(entry => ({ entry, settle }))
}

function keysOf({ batch, position }: StoreEntry): string[] {
  if (position !== undefined) return [String(position.partition)]
  return batch.devices.map(device => `${batch.tenant}\0${device}`)
}
