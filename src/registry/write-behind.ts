import type { Device } from '../model/device.ts'
import type { Catalog, SeenDevice } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import { MarkedIds } from './marked-ids.ts'

/** Devices a turn: what a person who registers one may have to wait for. */
const DEVICES_A_TURN = 2500
const MAX_BACKOFF_MS = 60_000

export interface WriteBehindOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly flushIntervalMs: number
  /** After how many intervals last contacts are written; first ones do not wait for it. */
  readonly touchEveryTicks: number
  /** Whether first contacts are written at once: other processes are asked for them. */
  readonly isEager: boolean
  /** The device as it is now, by `DeviceEntry.id`; undefined when it is not registered any more. */
  readonly deviceAt: (id: number) => Device | undefined
  /** The version of the catalog that `deviceAt` knows of; undefined when nobody else changes it. */
  readonly since: () => number | undefined
  /** Called for each attempt that failed; what it should have written is kept and tried again. */
  readonly onError: (error: unknown) => void
}

/**
 * What the catalog does not know yet, by `DeviceEntry.id`: a byte a device, however long the catalog
 * is away. All writes to the catalog take turns here, so that a device that is being deleted cannot
 * come back with an older write.
 */
export class WriteBehind {
  readonly #options: WriteBehindOptions
  readonly #fresh = new MarkedIds()
  readonly #seen = new MarkedIds()
  readonly #first = [this.#fresh]
  readonly #all = [this.#fresh, this.#seen]
  #lastTurn: Promise<unknown> = Promise.resolve()
  #lastFlush: Promise<void> = Promise.resolve()
  #flushing = 0
  #failures = 0
  #retryAtMs = -Infinity
  #ticks = 0
  readonly #stop: () => void

  constructor(options: WriteBehindOptions) {
    this.#options = options
    const { clock, flushIntervalMs, touchEveryTicks } = options
    this.#stop = clock.every(flushIntervalMs, () => {
      this.#ticks++
      this.#write(this.#ticks % touchEveryTicks === 0 ? this.#all : this.#first)
    })
  }

  /** Hot path: its last contact is newer than the catalog's. */
  seen(id: number): void {
    // A first contact is written with the last.
    if (!this.#fresh.has(id)) this.#seen.add(id)
  }

  /** Another process has seen it later, and writes that. */
  seenElsewhere(id: number): void {
    this.#seen.drop(id)
  }

  /** First contact: the catalog does not have it. */
  met(id: number): void {
    this.#fresh.add(id)
    if (this.#options.isEager && this.#fresh.size === 1) this.#writeSoon()
  }

  /** Whether the catalog may not have it yet. */
  isFresh(id: number): boolean {
    return this.#fresh.has(id)
  }

  /** Runs `work` when nothing else writes to the catalog. */
  turn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(work)
    this.#lastTurn = turn.catch(() => undefined)
    return turn
  }

  /** Writes all that was marked when it was called; rejects when the catalog does. */
  flush(): Promise<void> {
    return this.#flush(this.#all)
  }

  /** Resolves when the catalog has every device that was met; undefined when it has them already. */
  whenMetAreSaved(): Promise<void> | undefined {
    if (this.#fresh.size === 0 && this.#flushing === 0) return undefined
    return this.#flush(this.#first)
  }

  /** The catalog answers: what waits need wait no longer. */
  retry(): void {
    if (this.#retryAtMs === -Infinity) return
    this.#retryAtMs = -Infinity
    this.#failures = 0
    this.#write(this.#all)
  }

  /** No more ticks; then a last flush. */
  close(): Promise<void> {
    this.#stop()
    return this.flush()
  }

  /** Off the hot path, together with what is met meanwhile. */
  #writeSoon(): void {
    setImmediate(() => this.#write(this.#first))
  }

  /** Unless there is nothing, it is being done, or it failed a short time ago. */
  #write(queues: readonly MarkedIds[]): void {
    const isIdle = queues.every(({ size }) => size === 0)
    if (isIdle || this.#flushing > 0 || this.#options.clock.nowMs() < this.#retryAtMs) return
    // `#drain` has reported the error already.
    this.#flush(queues).catch(() => undefined)
  }

  #flush(queues: readonly MarkedIds[]): Promise<void> {
    this.#flushing++
    const flush = this.#lastFlush
      .then(() => this.#drain(queues))
      .finally(() => {
        this.#flushing--
        if (this.#options.isEager && this.#fresh.size > 0) this.#writeSoon()
      })
    this.#lastFlush = flush.catch(() => undefined)
    return flush
  }

  async #drain(queues: readonly MarkedIds[]): Promise<void> {
    try {
      for (const queue of queues) await this.#drainOne(queue)
      this.#failures = 0
      this.#retryAtMs = -Infinity
    } catch (error) {
      const { clock, flushIntervalMs, onError } = this.#options
      const backoffMs = Math.min(MAX_BACKOFF_MS, flushIntervalMs * 2 ** this.#failures++)
      this.#retryAtMs = clock.nowMs() + backoffMs
      onError(error)
      throw error
    }
  }

  async #drainOne(queue: MarkedIds): Promise<void> {
    const ids = queue.take()
    for (let at = 0; at < ids.length; at += DEVICES_A_TURN) {
      const some = ids.slice(at, at + DEVICES_A_TURN)
      try {
        await this.turn(() => this.#writeSome(queue, some))
      } catch (error) {
        // `#writeSome` has marked its own again; the ones behind it still carry their marks.
        queue.putBack(ids.slice(at + DEVICES_A_TURN))
        throw error
      }
    }
  }

  async #writeSome(queue: MarkedIds, ids: readonly number[]): Promise<void> {
    const { catalog, deviceAt, since } = this.#options
    const devices: Device[] = []
    // Cleared before the write: what changes during it is marked anew.
    const marked = ids.filter(id => queue.clear(id))
    for (const id of marked) {
      const device = deviceAt(id)
      if (device !== undefined) devices.push(device)
    }
    try {
      if (devices.length === 0) return
      if (queue === this.#fresh) await catalog.addDevices(devices, since())
      else await catalog.touchDevices(devices.filter(wasSeen))
    } catch (error) {
      for (const id of marked) queue.add(id)
      throw error
    }
  }
}

const wasSeen = (device: Device): device is Device & SeenDevice => device.lastSeenMs !== undefined
