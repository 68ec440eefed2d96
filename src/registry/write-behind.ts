import type { Device } from '../model/device.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'

/** Devices a turn: what a person who registers one may have to wait for. */
const DEVICES_A_TURN = 2500
const MAX_BACKOFF_MS = 60_000

const CHANGED = 1
const SEEN = 2

export interface WriteBehindOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly flushIntervalMs: number
  /** The device as it is now, by `DeviceEntry.id`; undefined when it is not registered any more. */
  readonly deviceAt: (id: number) => Device | undefined
  /** Called for each attempt that failed; what it should have written is kept and tried again. */
  readonly onError: (error: unknown) => void
}

/**
 * What the catalog does not know yet, by `DeviceEntry.id`. All writes to the catalog take turns
 * here, so that a device that is being deleted cannot come back with an older write.
 */
export class WriteBehind {
  readonly #options: WriteBehindOptions
  #marks = new Uint8Array(0)
  /** Each id that has a mark, once. */
  #marked: number[] = []
  #lastTurn: Promise<unknown> = Promise.resolve()
  #lastFlush: Promise<void> = Promise.resolve()
  #flushing = 0
  #failures = 0
  #retryAtMs = -Infinity
  readonly #stop: () => void

  constructor(options: WriteBehindOptions) {
    this.#options = options
    const { clock, flushIntervalMs } = options
    this.#stop = clock.every(flushIntervalMs, () => this.#tick())
  }

  /** Hot path: its last contact is newer than the catalog's. */
  seen(id: number): void {
    this.#mark(id, SEEN)
  }

  changed(id: number): void {
    this.#mark(id, CHANGED)
  }

  /** How many devices wait to be written. */
  get pending(): number {
    return this.#marked.length
  }

  /** Runs `work` when nothing else writes to the catalog. */
  turn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(work)
    this.#lastTurn = turn.catch(() => undefined)
    return turn
  }

  /** Writes all that was marked when it was called; rejects when the catalog does. */
  flush(): Promise<void> {
    this.#flushing++
    const flush = this.#lastFlush.then(() => this.#drain()).finally(() => this.#flushing--)
    this.#lastFlush = flush.catch(() => undefined)
    return flush
  }

  /** No more ticks; then a last flush. */
  close(): Promise<void> {
    this.#stop()
    return this.flush()
  }

  #mark(id: number, mark: number): void {
    if (id >= this.#marks.length) {
      const grown = new Uint8Array(Math.max(1024, id + 1, 2 * this.#marks.length))
      grown.set(this.#marks)
      this.#marks = grown
    }
    const marks = this.#marks[id]
    if (marks === 0) this.#marked.push(id)
    this.#marks[id] = marks | mark
  }

  #tick(): void {
    const idle = this.#marked.length === 0 || this.#flushing > 0
    if (idle || this.#options.clock.nowMs() < this.#retryAtMs) return
    // `#drain` has reported the error already.
    this.flush().catch(() => undefined)
  }

  async #drain(): Promise<void> {
    const ids = this.#marked
    this.#marked = []
    let at = 0
    try {
      for (; at < ids.length; at += DEVICES_A_TURN) {
        const some = ids.slice(at, at + DEVICES_A_TURN)
        await this.turn(() => this.#write(some))
      }
      this.#failures = 0
      this.#retryAtMs = -Infinity
    } catch (error) {
      // `#write` has marked its own again; the ones behind it still carry their marks.
      for (const id of ids.slice(at + DEVICES_A_TURN)) this.#marked.push(id)
      const { clock, flushIntervalMs, onError } = this.#options
      const backoffMs = Math.min(MAX_BACKOFF_MS, flushIntervalMs * 2 ** this.#failures++)
      this.#retryAtMs = clock.nowMs() + backoffMs
      onError(error)
      throw error
    }
  }

  async #write(ids: readonly number[]): Promise<void> {
    const devices: Device[] = []
    const seen: { tenant: string; id: string; lastSeenMs: number }[] = []
    const marks = ids.map(id => this.#marks[id])
    for (let i = 0; i < ids.length; i++) {
      // Cleared before the write: what changes during it is marked anew.
      this.#marks[ids[i]] = 0
      const device = this.#options.deviceAt(ids[i])
      if (device === undefined) continue
      if ((marks[i] & CHANGED) !== 0) devices.push(device)
      else if (device.lastSeenMs !== undefined) {
        seen.push({ tenant: device.tenant, id: device.id, lastSeenMs: device.lastSeenMs })
      }
    }
    try {
      if (devices.length > 0) await this.#options.catalog.saveDevices(devices)
      if (seen.length > 0) await this.#options.catalog.touchDevices(seen)
    } catch (error) {
      for (let i = 0; i < ids.length; i++) this.#mark(ids[i], marks[i])
      throw error
    }
  }
}
