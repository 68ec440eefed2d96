import type { Batch } from '../../model/batch.ts'
import type { LogPosition } from '../../ports/log.ts'
import type { Covers } from './covers.ts'
import { Generation } from './generation.ts'
import type { Fresh } from './generation.ts'
import type { Partition, PartitionSet } from './partition-set.ts'
import type { PointBuffer } from './point-buffer.ts'
import type { SeriesColumns } from './series-columns.ts'

/** Points a chunk: small enough that many idle series waste little, two cache lines or more. */
const CHUNK_SHIFT = 4
const CHUNK_POINTS = 1 << CHUNK_SHIFT
const CHUNK_MASK = CHUNK_POINTS - 1
/** Time and value of each point, the link to the chunk before, and the place in the free list. */
const CHUNK_BYTES = 16 * CHUNK_POINTS + 8
const MIN_CHUNKS = 16
/** A text costs its UTF-16 units and what a string and a map entry take around them. */
const TEXT_OVERHEAD_BYTES = 96
/** The part of the head's bytes that is for texts. */
const TEXT_PART = 0.125
/**
 * A generation is flushed when it has this part of the head. The more, the longer the runs that
 * blocks are made of; the rest is for what comes before the flush gives its first memory back.
 */
const DUE_PART = 0.8

export interface HeadEntry {
  readonly batch: Batch
  /** Per series of the batch its id. */
  readonly ids: Uint32Array
  readonly position: LogPosition
}

export interface GatherOptions {
  readonly series: number
  readonly start: number
  readonly end: number
  /** So many points suffice, from the side that `order` says. */
  readonly limit?: number
  readonly order?: 'asc' | 'desc'
}

/**
 * Points that are not in blocks yet: one slab of memory cut into chunks of points, chained per
 * series from the newest chunk back. Two generations share it: writes go to `active` while
 * `frozen` is flushed. Its size is fixed; when it is full, `insert` stops.
 */
export class Head {
  active = new Generation()
  frozen: Generation | undefined = undefined
  readonly chunkCount: number
  readonly textLimitBytes: number
  readonly #slab: Float64Array
  readonly #previous: Int32Array
  readonly #free: Int32Array
  #freeCount: number
  #spare = new Generation()
  readonly #columns: SeriesColumns
  readonly #partitions: PartitionSet
  #chain = new Int32Array(64)

  constructor(bytes: number, columns: SeriesColumns, partitions: PartitionSet) {
    const wanted = Math.floor((bytes * (1 - TEXT_PART)) / CHUNK_BYTES)
    // Places are kept in 32 bits.
    this.chunkCount = Math.min(Math.max(MIN_CHUNKS, wanted), 2 ** (30 - CHUNK_SHIFT))
    this.textLimitBytes = Math.max(1, Math.floor(bytes * TEXT_PART))
    this.#columns = columns
    this.#partitions = partitions
    // Chunk 0 is never used, so that place 0 means none.
    this.#slab = new Float64Array(2 * CHUNK_POINTS * (this.chunkCount + 1))
    this.#previous = new Int32Array(this.chunkCount + 1)
    this.#free = new Int32Array(this.chunkCount)
    this.#freeCount = this.chunkCount
    for (let i = 0; i < this.chunkCount; i++) this.#free[i] = this.chunkCount - i
  }

  get usedBytes(): number {
    const texts = this.active.textBytes + (this.frozen?.textBytes ?? 0)
    return (this.chunkCount - this.#freeCount) * CHUNK_BYTES + texts
  }

  /** Whether the active generation has taken its share, so that it should be flushed. */
  get isDue(): boolean {
    const { chunks, textBytes } = this.active
    return chunks >= DUE_PART * this.chunkCount || textBytes >= DUE_PART * this.textLimitBytes
  }

  /** Starts a new generation. The frozen one before must have been released. */
  freeze(covers: Covers): Generation {
    const frozen = this.active
    frozen.covers = covers
    this.frozen = frozen
    this.active = this.#spare
    return frozen
  }

  /** Gives the memory of the frozen generation back. */
  release(): void {
    const { frozen } = this
    if (frozen === undefined) return
    for (const series of frozen.touched) this.releaseSeries(frozen, series)
    frozen.clear()
    this.#spare = frozen
    this.frozen = undefined
  }

  /** Gives the memory of one series back, all of whose points are in blocks. */
  releaseSeries(generation: Generation, series: number): void {
    const tail = generation.tailAt[series]
    if (tail === 0) return
    generation.tailAt[series] = 0
    let chunk = (tail - 1) >>> CHUNK_SHIFT
    while (chunk !== 0) {
      if (generation.texts.size > 0) this.#dropTexts(generation, chunk << CHUNK_SHIFT)
      this.#free[this.#freeCount++] = chunk
      chunk = this.#previous[chunk]
    }
  }

  /**
   * Takes the points of an entry from place `from` on, but those that their partition has already.
   *
   * @returns the place of the first point that did not fit; the number of points when all did.
   */
  insert(entry: HeadEntry, from: number): number {
    const { batch, ids } = entry
    const { seriesIndex, timestamps, values, texts } = batch
    const count = timestamps.length
    const generation = this.active
    this.#columns.ensure(this.#highest(ids))
    generation.ensure(this.#columns.newest.length)
    const { newest } = this.#columns
    const { tailAt } = generation
    const slab = this.#slab
    let start = Infinity
    let end = -Infinity
    let partition: Partition | undefined
    let share: Fresh | undefined
    let skipBelow = 0
    let fresh = 0
    let point = from
    for (; point < count; point++) {
      const time = timestamps[point]
      if (time < start || time >= end) {
        if (share !== undefined) share.fresh += fresh
        fresh = 0
        partition = this.#partitions.at(time)
        share = generation.fresh(partition, batch.tenant)
        start = partition.startUs
        end = partition.endUs
        skipBelow = partition.mayCover(entry.position)
      }
      const series = ids[seriesIndex[point]]
      if (point < skipBelow && partition!.covers(entry.position, point, series)) {
        const text = texts?.[point]
        this.#columns.settleNewest(series, time, { value: values[point], text })
        continue
      }
      let at = tailAt[series]
      if ((at & CHUNK_MASK) === 0) {
        const chunk = this.#extend(series)
        if (chunk === 0) break
        at = chunk << CHUNK_SHIFT
      }
      const text = texts === undefined ? undefined : texts[point]
      if (text !== undefined && !this.#putText(at, text)) {
        if ((at & CHUNK_MASK) === 0) this.#shorten(series)
        break
      }
      slab[2 * at] = time
      slab[2 * at + 1] = values[point]
      tailAt[series] = at + 1
      if (time > newest[series]) {
        newest[series] = time
        fresh++
      } else {
        generation.late[series] = 1
        share!.unsettled++
      }
      generation.points++
    }
    if (share !== undefined) share.fresh += fresh
    return point
  }

  /** Appends the points of a series within [start, end), in order of arrival. */
  gather(generation: Generation, out: PointBuffer, options: GatherOptions): void {
    const { series } = options
    const tail = series < generation.tailAt.length ? generation.tailAt[series] : 0
    if (tail === 0) return
    const { start, end } = options
    const ordered = generation.late[series] === 0
    const limit = ordered ? (options.limit ?? Infinity) : Infinity
    const descending = options.order === 'desc'
    const slab = this.#slab
    const tailChunk = (tail - 1) >>> CHUNK_SHIFT
    let links = 0
    let taken = 0
    for (let chunk = tailChunk; chunk !== 0; chunk = this.#previous[chunk]) {
      const from = chunk << CHUNK_SHIFT
      const to = chunk === tailChunk ? tail : from + CHUNK_POINTS
      if (ordered && slab[2 * from] >= end) continue
      if (links === this.#chain.length) this.#growChain()
      this.#chain[links++] = chunk
      if (ordered && slab[2 * from] < start) break
      if (descending && slab[2 * to - 2] < end) taken += to - from
      if (descending && taken >= limit) break
    }
    taken = 0
    for (let link = links - 1; link >= 0; link--) {
      const chunk = this.#chain[link]
      const from = chunk << CHUNK_SHIFT
      const to = chunk === tailChunk ? tail : from + CHUNK_POINTS
      taken += this.#copy(generation, out, { from, to, start, end })
      if (!descending && taken >= limit) return
    }
  }

  /** Appends the points of places [from, to) within the range; returns how many they are. */
  #copy(
    { texts }: Generation,
    out: PointBuffer,
    { from, to, start, end }: Record<'from' | 'to' | 'start' | 'end', number>,
  ): number {
    const slab = this.#slab
    const before = out.length
    for (let at = from; at < to; at++) {
      const time = slab[2 * at]
      if (time < start || time >= end) continue
      const value = slab[2 * at + 1]
      out.push(time, value, value === value || texts.size === 0 ? undefined : texts.get(at))
    }
    return out.length - before
  }

  /** Fills in which series have points in which partition. Visits one series a call. */
  assign(generation: Generation, series: number): void {
    const tail = generation.tailAt[series]
    if (tail === 0) return
    let start = Infinity
    let end = -Infinity
    const tailChunk = (tail - 1) >>> CHUNK_SHIFT
    for (let chunk = tailChunk; chunk !== 0; chunk = this.#previous[chunk]) {
      const from = chunk << CHUNK_SHIFT
      const to = chunk === tailChunk ? tail : from + CHUNK_POINTS
      for (let at = from; at < to; at++) {
        const time = this.#slab[2 * at]
        if (time >= start && time < end) continue
        const partition = this.#partitions.at(time)
        start = partition.startUs
        end = partition.endUs
        const list = generation.share(partition).series
        if (list.at(-1) !== series) list.push(series)
      }
    }
  }

  #highest(ids: Uint32Array): number {
    let highest = 0
    for (let i = 0; i < ids.length; i++) if (ids[i] >= highest) highest = ids[i] + 1
    return highest
  }

  /** Links a new chunk to a series; 0 when there is none. */
  #extend(series: number): number {
    if (this.#freeCount === 0) return 0
    const generation = this.active
    const chunk = this.#free[--this.#freeCount]
    const tail = generation.tailAt[series]
    if (tail === 0) generation.touched.push(series)
    this.#previous[chunk] = tail === 0 ? 0 : (tail - 1) >>> CHUNK_SHIFT
    generation.chunks++
    return chunk
  }

  /** Undoes `#extend` for a chunk that got no point. */
  #shorten(series: number): void {
    const generation = this.active
    this.#freeCount++
    generation.chunks--
    if (generation.tailAt[series] === 0) generation.touched.pop()
  }

  #putText(at: number, text: string): boolean {
    const bytes = textBytes(text)
    const used = this.active.textBytes + (this.frozen?.textBytes ?? 0)
    // One text must fit, however large, or it would wait for ever.
    if (used > 0 && used + bytes > this.textLimitBytes) return false
    this.active.textBytes += bytes
    this.active.texts.set(at, text)
    return true
  }

  #dropTexts(generation: Generation, from: number): void {
    for (let at = from; at < from + CHUNK_POINTS; at++) {
      const text = generation.texts.get(at)
      if (text === undefined) continue
      generation.textBytes -= textBytes(text)
      generation.texts.delete(at)
    }
  }

  #growChain(): void {
    const larger = new Int32Array(2 * this.#chain.length)
    larger.set(this.#chain)
    this.#chain = larger
  }
}

function textBytes(text: string): number {
  return TEXT_OVERHEAD_BYTES + 2 * text.length
}
