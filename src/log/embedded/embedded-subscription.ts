import { decodeFrame } from '../../model/frame.ts'
import { WeirError } from '../../ports/errors.ts'
import type { LogEntry, SubscribeOptions, Subscription } from '../../ports/log.ts'
import { readPlace, type ReadPlace, type StoredEntry } from './entry-file.ts'

/** What a subscription needs of its log. */
export interface EntrySource {
  /** The offset after the last durable entry. */
  next(): number
  /** See `EntryFile.read`. */
  read(place: ReadPlace): Promise<StoredEntry[]>
  /** The subscription has stopped because of this; acknowledged entries do not reach it any more. */
  fail(reason: WeirError): void
}

/**
 * One group's way through the log, in three phases: it reads what existed at its start while
 * appends go on without it; then appends wait while it reads what they added meanwhile (that is
 * what lets it catch up with a log that is written as fast as it reads); then it is live, and
 * each append hands its entries over.
 */
export class EmbeddedSubscription implements Subscription {
  readonly caughtUp: Promise<void>
  readonly #options: SubscribeOptions
  readonly #source: EntrySource
  readonly #existing: number
  readonly #place: ReadPlace
  #phase: 'replay' | 'catch-up' | 'live' | 'stopped' = 'replay'
  #delivering: Promise<void> = Promise.resolve()

  constructor(options: SubscribeOptions, from: number, source: EntrySource) {
    this.#options = options
    this.#source = source
    this.#place = readPlace(from)
    this.#existing = source.next()
    this.caughtUp = this.#catchUp()
    // The failure is in the log's status, so a caller who does not wait need not handle it.
    this.caughtUp.catch(() => {})
  }

  /**
   * Called by the log with each durable append, once the last call's promise has resolved.
   *
   * @returns what the append must wait for, if anything; it rejects when delivery has failed.
   */
  offer(entries: readonly LogEntry[]): void | Promise<void> {
    if (this.#phase === 'catch-up') return this.caughtUp
    if (this.#phase !== 'live') return
    // It began after these had become durable and before they were offered.
    if (entries[0].position.offset < this.#place.offset) return
    return this.#deliver(entries)
  }

  async close(): Promise<void> {
    this.#phase = 'stopped'
    await this.#delivering
    await this.caughtUp.catch(() => {})
  }

  async #catchUp(): Promise<void> {
    while (this.#phase !== 'stopped') {
      if (this.#place.offset >= this.#existing) this.#phase = 'catch-up'
      if (this.#place.offset === this.#source.next()) {
        this.#phase = 'live'
        return
      }
      // A read is a turn of the event loop: the doors go on answering during a long replay.
      const chunk = await this.#readChunk()
      if (this.#isStopped()) return
      await this.#deliver(chunk)
    }
  }

  /** For code after an await, where the compiler believes in the phase of before. */
  #isStopped(): boolean {
    return this.#phase === 'stopped'
  }

  async #readChunk(): Promise<LogEntry[]> {
    let { offset } = this.#place
    try {
      const chunk: LogEntry[] = []
      for (const entry of await this.#source.read(this.#place)) {
        offset = entry.offset
        const { frame } = entry
        chunk.push({ batch: decodeFrame(frame), frame, position: { partition: 0, offset } })
      }
      return chunk
    } catch (cause) {
      const message = `log entry ${offset} is damaged: ${(cause as Error).message}`
      throw this.#stop(new WeirError('corrupt', message, { cause }))
    }
  }

  #deliver(entries: readonly LogEntry[]): void | Promise<void> {
    let delivery: void | Promise<void>
    try {
      delivery = this.#options.deliver(entries)
    } catch (cause) {
      return Promise.reject(this.#refused(cause))
    }
    if (delivery === undefined) return
    const done = delivery.catch((cause: unknown) => {
      throw this.#refused(cause)
    })
    this.#delivering = done.catch(() => {})
    return done
  }

  #refused(cause: unknown): WeirError {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `group ${this.#options.group} failed on delivery: ${reason}`
    return this.#stop(new WeirError('closed', message, { cause }))
  }

  #stop(reason: WeirError): WeirError {
    this.#phase = 'stopped'
    this.#source.fail(reason)
    return reason
  }
}
