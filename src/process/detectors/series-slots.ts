import type { Batch } from '../../model/batch.ts'
import type { SeriesTable } from '../../model/series-table.ts'

export interface SeriesSlotsOptions {
  readonly table: SeriesTable
  /** 1 to 2^20. */
  readonly maxSlots: number
  /** There are `slots` slots from now on. */
  readonly onGrow: (slots: number) => void
  /** A series gets the slot, which may have been another's. */
  readonly onAdmit: (slot: number, series: number) => void
}

/** So long silent, in seconds, a series gives up its place to one that has none. */
export const SILENT_S = 3600

/**
 * Which series are watched: a bounded number of slots, given to series as they come. When all are taken, one that
 * has been silent for an hour gives up its own, the longest silent first; until there is one, further series are
 * not watched. (Taking the place of whoever was seen longest ago would have nobody watched long enough to be judged in a
 * fleet with more series than slots.) A slot's state goes with it.
 *
 * The clock is the newest time that a batch ended with, so what happens depends on the batches seen alone, and a
 * replay from a snapshot ends with the same slots as an uninterrupted run.
 */
export class SeriesSlots {
  readonly #options: SeriesSlotsOptions
  #slotOf = new Int32Array(1024).fill(-1)
  #seriesAt = new Uint32Array(0)
  /** The clock at the last batch with the slot's series. */
  #usedAt = new Float64Array(0)
  #clock = 0
  /** No slot's series has been silent for long enough before. */
  #nextSilentAt = 0
  #count = 0
  #evicted = 0
  #slots = new Int32Array(1024)
  /** Silent ones as they were when they were listed; the next victim is at the end. */
  #victims: number[] = []
  #listedUse = new Float64Array(0)

  constructor(options: SeriesSlotsOptions) {
    this.#options = options
  }

  /** Slots in use. */
  get count(): number {
    return this.#count
  }

  get evicted(): number {
    return this.#evicted
  }

  /** Seconds since 1970. */
  get clock(): number {
    return this.#clock
  }

  seriesAt(slot: number): number {
    return this.#seriesAt[slot]
  }

  usedAt(): Float64Array {
    return this.#usedAt.subarray(0, this.#count)
  }

  /**
   * The slot of each series of the batch, true until the next call; -1 where there is none for it.
   */
  slotsOf(batch: Batch): Int32Array {
    const { table } = this.#options
    const ids = table.resolve(batch)
    if (this.#slots.length < ids.length) this.#slots = new Int32Array(2 * ids.length)
    if (this.#slotOf.length < table.seriesCount) this.#growIds(table.seriesCount)
    const slots = this.#slots
    const slotOf = this.#slotOf
    const { timestamps } = batch
    const ended = timestamps.length === 0 ? 0 : timestamps[timestamps.length - 1]
    const clock = Math.max(this.#clock, Math.floor(ended / 1e6))
    this.#clock = clock
    for (let s = 0; s < ids.length; s++) {
      let slot = slotOf[ids[s]]
      if (slot < 0) slot = this.#admit(ids[s])
      if (slot >= 0) this.#usedAt[slot] = clock
      slots[s] = slot
    }
    return slots.subarray(0, ids.length)
  }

  /** What a snapshot held, slot by slot, into an empty table; the caller restores the state. */
  restore(series: readonly number[], usedAt: Float64Array, clock: number): void {
    const { maxSlots, onGrow, table } = this.#options
    const count = Math.min(series.length, maxSlots)
    this.#growIds(table.seriesCount)
    this.#growSlots(count)
    onGrow(this.#seriesAt.length)
    for (let slot = 0; slot < count; slot++) {
      this.#seriesAt[slot] = series[slot]
      this.#slotOf[series[slot]] = slot
    }
    this.#usedAt.set(usedAt.subarray(0, count))
    this.#count = count
    this.#clock = clock
  }

  #admit(series: number): number {
    const slot = this.#count < this.#options.maxSlots ? this.#newSlot() : this.#victim()
    if (slot < 0) return -1
    this.#seriesAt[slot] = series
    this.#slotOf[series] = slot
    this.#options.onAdmit(slot, series)
    return slot
  }

  #newSlot(): number {
    if (this.#count === this.#seriesAt.length) {
      this.#growSlots(Math.min(this.#options.maxSlots, Math.max(1024, 2 * this.#count)))
      this.#options.onGrow(this.#seriesAt.length)
    }
    return this.#count++
  }

  /** The slot whose series has been silent for longest, -1 when none has been for long enough. */
  #victim(): number {
    if (this.#clock < this.#nextSilentAt) return -1
    const until = this.#clock - SILENT_S
    for (let tries = 0; tries < 2; tries++) {
      for (let slot = this.#victims.pop(); slot !== undefined; slot = this.#victims.pop()) {
        if (this.#usedAt[slot] !== this.#listedUse[slot]) continue
        this.#slotOf[this.#seriesAt[slot]] = -1
        this.#evicted++
        return slot
      }
      if (tries === 0) this.#listVictims(until)
    }
    return -1
  }

  /** An eighth of the slots, in one go: a sort of numbers without a comparator. */
  #listVictims(until: number): void {
    const count = this.#count
    const keys = new Float64Array(count)
    let silent = 0
    let oldest = Infinity
    for (let slot = 0; slot < count; slot++) {
      const used = this.#usedAt[slot]
      if (used <= until) keys[silent++] = used * count + slot
      else if (used < oldest) oldest = used
    }
    if (silent === 0) this.#nextSilentAt = oldest + SILENT_S
    const sorted = keys.subarray(0, silent).sort()
    const listed = Math.min(silent, Math.max(64, count >> 3))
    this.#listedUse = this.#usedAt.slice(0, count)
    this.#victims = Array.from(sorted.subarray(0, listed), key => key % count).reverse()
  }

  #growIds(ids: number): void {
    const grown = new Int32Array(2 * ids).fill(-1)
    grown.set(this.#slotOf.subarray(0, grown.length))
    this.#slotOf = grown
  }

  #growSlots(slots: number): void {
    const seriesAt = new Uint32Array(slots)
    const usedAt = new Float64Array(slots)
    seriesAt.set(this.#seriesAt)
    usedAt.set(this.#usedAt)
    this.#seriesAt = seriesAt
    this.#usedAt = usedAt
  }
}
