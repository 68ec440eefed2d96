import type { DeviceStatus } from '../model/device.ts'

const ABSENT = 0
const STATUSES = [undefined, 'unknown', 'online', 'offline'] as const
const UNKNOWN = 1
const ONLINE = 2
const OFFLINE = 3
type Code = 1 | 2 | 3

/** A message older than the last by more than this means that the wall clock was set back. */
const CLOCK_SET_BACK_MS = 60_000
/** A pause between two sweeps longer than this means that the machine slept or the clock was set. */
const SUSPENDED_MS = 30_000
const NEVER = -1

interface Watched {
  readonly timeoutMs: number
  /** Its last contact; absent when there was none. */
  readonly seenMs: number | undefined
  readonly nowMs: number
}

/**
 * Who is online: when each device was last seen, and how long it may be silent. Dense arrays by
 * `DeviceEntry.id`; all times are milliseconds since 1970.
 *
 * A device is online while `now - max(lastSeen, up + grace) <= timeout`, where `up` is when this
 * process came up. What was already overdue when the one before went down stays offline, so that
 * a restart changes no status by itself: not of the living, not of the dead.
 */
export class Presence {
  #lastSeen = new Float64Array(0)
  #timeouts = new Float64Array(0)
  /** What listeners were told last; ABSENT where no device is registered. */
  #told = new Uint8Array(0)
  #length = 0
  #upSinceMs: number
  /** The last sign of life before `#upSinceMs`. */
  #downSinceMs = -Infinity
  #sweptAtMs: number
  readonly #graceMs: number

  constructor({ nowMs, graceMs }: { readonly nowMs: number; readonly graceMs: number }) {
    this.#upSinceMs = nowMs
    this.#sweptAtMs = nowMs
    this.#graceMs = graceMs
  }

  /** Devices are about to be added that were last seen before this process came up. */
  downSince(ms: number): void {
    this.#downSinceMs = Math.min(ms, this.#upSinceMs)
  }

  /** Begins to watch a device. What is known of it now is no news to listeners. */
  add(id: number, { timeoutMs, seenMs, nowMs }: Watched): void {
    if (id >= this.#lastSeen.length) this.#grow(id + 1)
    if (id >= this.#length) this.#length = id + 1
    this.#timeouts[id] = timeoutMs
    // A time to come is from a clock that was wrong; counted from now on, it is only late once.
    this.#lastSeen[id] = seenMs === undefined ? NEVER : Math.min(seenMs, nowMs)
    this.#told[id] = this.#code(id, nowMs)
  }

  remove(id: number): void {
    this.#told[id] = ABSENT
    this.#lastSeen[id] = NEVER
  }

  has(id: number): boolean {
    return id < this.#length && this.#told[id] !== ABSENT
  }

  /** Hot path. The device has been added. */
  see(id: number, nowMs: number): void {
    const seen = this.#lastSeen[id]
    if (nowMs > seen || seen - nowMs > CLOCK_SET_BACK_MS) this.#lastSeen[id] = nowMs
  }

  /**
   * Another process says when it saw the device last; whether that is news. The clock of that one may
   * be ahead.
   */
  hear(
    id: number,
    { seenMs, nowMs }: { readonly seenMs: number; readonly nowMs: number },
  ): boolean {
    const newest = Math.min(seenMs, nowMs)
    if (newest <= this.#lastSeen[id]) return false
    this.#lastSeen[id] = newest
    return true
  }

  setTimeout(id: number, timeoutMs: number): void {
    this.#timeouts[id] = timeoutMs
  }

  lastSeen(id: number): number | undefined {
    const seen = this.#lastSeen[id]
    return seen === NEVER ? undefined : seen
  }

  status(id: number, nowMs: number): DeviceStatus {
    return STATUSES[this.#code(id, nowMs)]
  }

  /** Calls `changed` for each device whose status is not what was told last. */
  sweep(nowMs: number, changed: (id: number, from: DeviceStatus, to: DeviceStatus) => void): void {
    if (nowMs - this.#sweptAtMs > SUSPENDED_MS) {
      // Nothing could arrive meanwhile, so nobody was silent: as after a restart.
      this.#downSinceMs = this.#sweptAtMs
      this.#upSinceMs = nowMs
    }
    this.#sweptAtMs = nowMs
    for (let id = 0; id < this.#length; id++) {
      const before = this.#told[id]
      if (before === ABSENT) continue
      const code = this.#code(id, nowMs)
      if (code === before) continue
      this.#told[id] = code
      changed(id, STATUSES[before as Code], STATUSES[code])
    }
  }

  #code(id: number, nowMs: number): Code {
    const seen = this.#lastSeen[id]
    if (seen === NEVER) return UNKNOWN
    const timeout = this.#timeouts[id]
    if (seen < this.#upSinceMs && this.#downSinceMs - seen > timeout) return OFFLINE
    const since = Math.max(seen, this.#upSinceMs + this.#graceMs)
    return nowMs - since <= timeout ? ONLINE : OFFLINE
  }

  #grow(needed: number): void {
    const capacity = Math.max(1024, needed, 2 * this.#lastSeen.length)
    this.#lastSeen = extended(this.#lastSeen, new Float64Array(capacity))
    this.#timeouts = extended(this.#timeouts, new Float64Array(capacity))
    this.#told = extended(this.#told, new Uint8Array(capacity))
  }
}

function extended<T extends Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}
