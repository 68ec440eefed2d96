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

/**
 * Which series are watched: a bounded number of slots, given to series as they come; when all are
 * taken, the series that was seen longest ago gives up its own. A slot's state goes with it.
 *
 * Who is evicted depends on the batches seen alone (the oldest use, then the lowest slot), so that
 * a replay from a snapshot ends with the same slots as an uninterrupted run.
 */
export class SeriesSlots {
  readonly #options: SeriesSlotsOptions
  #slotOf = new Int32Array(1024).fill(-1)
  #seriesAt = new Uint32Array(0)
  /** The `tick` of the last batch with the slot's series. */
  #usedAt = new Float64Array(0)
  #tick = 0
  #count = 0
  #evicted = 0
  #slots = new Int32Array(1024)
  /** Slots in order of last use as it was when they were listed; the next victim is at the end. */
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

  get tick(): number {
    return this.#tick
  }

  seriesAt(slot: number): number {
    return this.#seriesAt[slot]
  }

  usedAt(): Float64Array {
    return this.#usedAt.subarray(0, this.#count)
  }

  /**
   * The slot of each series of the batch, true until the next call. -1 where a batch alone has
   * more series than there are slots.
   */
  slotsOf(batch: Batch): Int32Array {
    const { table } = this.#options
    const ids = table.resolve(batch)
    if (this.#slots.length < ids.length) this.#slots = new Int32Array(2 * ids.length)
    if (this.#slotOf.length < table.seriesCount) this.#growIds(table.seriesCount)
    const slots = this.#slots
    const slotOf = this.#slotOf
    const tick = ++this.#tick
    for (let s = 0; s < ids.length; s++) {
      let slot = slotOf[ids[s]]
      if (slot < 0) slot = this.#admit(ids[s])
      if (slot >= 0) this.#usedAt[slot] = tick
      slots[s] = slot
    }
    return slots.subarray(0, ids.length)
  }

  /** What a snapshot held, slot by slot, into an empty table; the caller restores the state. */
  restore(series: readonly number[], usedAt: Float64Array, tick: number): void {
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
    this.#tick = tick
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

  /** The slot that was used longest ago, -1 when all are in use by the batch at hand. */
  #victim(): number {
    for (let tries = 0; tries < 2; tries++) {
      for (let slot = this.#victims.pop(); slot !== undefined; slot = this.#victims.pop()) {
        if (this.#usedAt[slot] !== this.#listedUse[slot]) continue
        this.#slotOf[this.#seriesAt[slot]] = -1
        this.#evicted++
        return slot
      }
      if (tries === 0) this.#listVictims()
    }
    return -1
  }

  /** An eighth of the slots, in one go: a sort of numbers without a comparator. */
  #listVictims(): void {
    const count = this.#count
    const keys = new Float64Array(count)
    let idle = 0
    for (let slot = 0; slot < count; slot++) {
      if (this.#usedAt[slot] < this.#tick) keys[idle++] = this.#usedAt[slot] * count + slot
    }
    const oldest = keys.subarray(0, idle).sort()
    const listed = Math.min(idle, Math.max(64, count >> 3))
    this.#listedUse = new Float64Array(count)
    this.#victims = []
    for (let i = listed - 1; i >= 0; i--) {
      const slot = oldest[i] % count
      this.#listedUse[slot] = this.#usedAt[slot]
      this.#victims.push(slot)
    }
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
