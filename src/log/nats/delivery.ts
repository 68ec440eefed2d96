import { Dictionaries } from '../../model/dictionary.ts'
import type { LogEntry, LogPosition, SubscribeOptions } from '../../ports/log.ts'
import { isBad, readRecord, type BadRecord } from './entry.ts'
import type { NatsLink } from './link.ts'
import type { Names } from './names.ts'
import { StreamReader } from './reader.ts'

export interface DeliveryOptions {
  readonly link: NatsLink
  readonly names: Names
  readonly deliver: SubscribeOptions['deliver']
  /** Whether something may be delivered now; asked before each delivery. */
  readonly isHeld: () => boolean
  /** Resolves when they have been put aside: what comes after them waits for it. */
  readonly onBad: (records: readonly BadRecord[]) => Promise<void>
  /** Delivery has stopped for good. */
  readonly onFailure: (error: unknown) => void
}

interface Part {
  readonly partition: number
  readonly reader: StreamReader
  readonly dictionaries: Dictionaries
  /** The offset at which it has caught up. */
  readonly end: number
  readonly begun: number
  next: number
}

interface Taken {
  readonly part: Part
  readonly record: LogEntry | BadRecord
}

/** Gives a consumer what comes in some partitions: one delivery at a time, each in its order. */
export class Delivery {
  readonly #options: DeliveryOptions
  readonly #parts = new Map<number, Part>()
  #running: Promise<void> | undefined
  /** Of what was taken last. */
  #delivered: Promise<void> | undefined
  #isStopped = false
  #waiters: (() => void)[] = []

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  /** Adds a partition; `end` is where it has caught up. */
  add({ partition, offset }: LogPosition, end: number): void {
    const { link, names } = this.#options
    const reader = new StreamReader({
      ...{ link, stream: names.entries(partition).stream, from: offset },
      onMessages: () => this.run(),
    })
    const dictionaries = new Dictionaries()
    this.#parts.set(partition, {
      ...{ partition, reader, dictionaries, end },
      ...{ begun: offset, next: offset },
    })
  }

  /** Resolves when nothing of these partitions is delivered any more. */
  async remove(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) {
      this.#parts.get(partition)?.reader.close()
      this.#parts.delete(partition)
    }
    // Whatever comes next is of others: there may be much of it.
    await this.#delivered?.catch(() => {})
    this.#tell()
  }

  /** Of each partition that it has: where it began, and what comes next. */
  places(): { readonly partition: number; readonly begun: number; readonly next: number }[] {
    return Array.from(this.#parts.values(), ({ partition, begun, next }) => {
      return { partition, begun, next }
    })
  }

  /** Nothing before this offset comes any more. */
  pass(partition: number, offset: number): void {
    const part = this.#parts.get(partition)
    if (part === undefined || part.reader.hasMessages || this.#running !== undefined) return
    part.next = Math.max(part.next, offset)
    this.#tell()
  }

  /** Resolves when all partitions that it has now or gets meanwhile have caught up, or at its end. */
  async caughtUp(): Promise<void> {
    const isBehind = (): boolean => [...this.#parts.values()].some(({ next, end }) => next < end)
    while (!this.#isStopped && isBehind()) {
      await new Promise<void>(resolve => this.#waiters.push(resolve))
    }
  }

  /** Delivers what has come, unless that is going on. */
  run(): void {
    this.#running ??= this.#deliverAll()
      .catch((error: unknown) => {
        this.#isStopped = true
        this.#options.onFailure(error)
      })
      .finally(() => {
        this.#running = undefined
        this.#tell()
      })
  }

  async close(): Promise<void> {
    this.#isStopped = true
    await this.remove([...this.#parts.keys()])
  }

  async #deliverAll(): Promise<void> {
    // What has come in this turn of the event loop is one delivery.
    await new Promise(resolve => setImmediate(resolve))
    while (!this.#isStopped && this.#options.isHeld()) {
      const taken = this.#take()
      if (taken.length === 0) return
      this.#delivered = this.#deliver(taken)
      await this.#delivered
    }
  }

  async #deliver(taken: readonly Taken[]): Promise<void> {
    for (const run of runsOf(taken.map(({ record }) => record))) {
      if (isBad(run[0])) await this.#options.onBad(run as readonly BadRecord[])
      else await this.#options.deliver(run as readonly LogEntry[])
    }
    for (const { part, record } of taken)
      part.next = Math.max(part.next, record.position.offset + 1)
    this.#tell()
  }

  #take(): Taken[] {
    const taken: Taken[] = []
    for (const part of this.#parts.values()) {
      for (const message of part.reader.take()) {
        taken.push({ part, record: readRecord(message, part) })
      }
    }
    return taken
  }

  #tell(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}

/** Neighbours of a kind together. */
function runsOf(records: readonly (LogEntry | BadRecord)[]): (LogEntry | BadRecord)[][] {
  const runs: (LogEntry | BadRecord)[][] = []
  for (const record of records) {
    const last = runs.at(-1)
    if (last !== undefined && isBad(last[0]) === isBad(record)) last.push(record)
    else runs.push([record])
  }
  return runs
}
