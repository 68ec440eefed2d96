import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Dictionaries } from '../../model/dictionary.ts'
import { decodeFrame, framePoints } from '../../model/frame.ts'
import { SeriesTable } from '../../model/series-table.ts'
import { WeirError } from '../../ports/errors.ts'
import type { LogPosition } from '../../ports/log.ts'
import type { StoreStats } from '../../ports/store.ts'
import { coveredPoints, isWithin, logPositions } from './covers.ts'
import type { Cover } from './covers.ts'
import { FlushLoop } from './flush-loop.ts'
import type { DamagedBlock } from './block-reader.ts'
import { flushGeneration } from './flush.ts'
import type { FlushContext } from './flush.ts'
import type { Generation } from './generation.ts'
import { Head } from './head.ts'
import { syncFolder } from './lmdb-table.ts'
import { MetaFile } from './meta-file.ts'
import { PartitionSet } from './partition-set.ts'
import type { WorkerOptions } from './protocol.ts'
import { setAside } from './quarantine.ts'
import { SeriesColumns } from './series-columns.ts'
import { tenantCounts } from './tenant-counts.ts'

/** Longest turn of a flush or a read before messages are served. */
const TURN_MS = 2
const MAX_TIME_US = 2 ** 53

/**
 * The store itself: head, blocks, and the flush between them. Lives in one thread, and knows
 * nothing of threads: the worker feeds it.
 */
export class Engine {
  readonly table = new SeriesTable()
  readonly columns = new SeriesColumns()
  readonly partitions: PartitionSet
  readonly meta: MetaFile
  readonly head: Head
  readonly loop: FlushLoop<Generation>
  /** Called when a flush has given memory back while it goes on. */
  onRoom: () => void = () => undefined
  readonly #taken: Map<number, Cover>
  readonly #dictionaries = new Dictionaries()
  readonly #flushIntervalMs: number
  #nowMs: number
  #halted = false
  /** A write found no room since the last flush ended. */
  #isFull = false
  /** The flush before held writes up. */
  #isPressed = false
  /** Points of entries that could not be stored, since the store was made. */
  #deadLettered: number
  /** Blocks that a read could not read. */
  readonly #suspects: DamagedBlock[] = []

  constructor(options: WorkerOptions, onCommit: () => void) {
    const { directory, headBytes } = options
    const folder = join(directory, 'partitions')
    mkdirSync(folder, { recursive: true })
    this.meta = new MetaFile(directory)
    syncFolder(directory)
    const state = this.meta.state()
    // Files of other spans would overlap, so the first decision stays.
    const spanUs = state?.partitionUs ?? options.partitionMs * 1000
    const maxOpen = options.maxOpenPartitions
    this.partitions = new PartitionSet({ directory: folder, spanUs, maxOpen })
    this.meta.load(this.table, this.columns)
    this.#loadPartitions()
    this.head = new Head(headBytes, this.columns, this.partitions)
    this.#taken = new Map(this.meta.covers)
    this.#deadLettered = this.meta.deadLettered
    this.#flushIntervalMs = options.flushIntervalMs
    this.#nowMs = options.nowMs
    const context: FlushContext = {
      ...{ head: this.head, table: this.table, columns: this.columns, meta: this.meta },
      ...{ partitions: this.partitions, blockPoints: options.blockPoints, turnMs: TURN_MS },
      ...{ transactionBlocks: options.transactionBlocks, onRoom: () => this.onRoom() },
      isHalted: () => this.#halted,
      joins: () => !this.#isPressed,
    }
    this.loop = new FlushLoop({
      freeze: () => this.#freeze(),
      flush: async generation => {
        for (let one = this.#suspects[0]; one !== undefined; one = this.#suspects[0]) {
          await setAside(this.partitions, one)
          this.#suspects.shift()
        }
        await flushGeneration(context, generation)
        // Writes had to wait for it: the next one had better be quick.
        this.#isPressed = this.#isFull
        this.#isFull = false
        this.head.release()
        onCommit()
      },
    })
  }

  /**
   * Takes the points of one frame into the head.
   *
   * @returns whether all of it was taken; when not, the head is full: call again once a flush is over.
   * @throws WeirError `rejected` when the frame can never be stored. Its place in the log counts as taken.
   */
  take(frame: Uint8Array, position: LogPosition): boolean {
    const from = coveredPoints(this.#taken, position)
    if (from === Infinity) return true
    const { partition, offset } = position
    let batch
    try {
      batch = decodeFrame(frame, this.#dictionaries)
      checkPoints(batch.timestamps, batch.values, batch.texts)
    } catch (error) {
      this.#taken.set(partition, { offset: offset + 1, point: 0 })
      this.#deadLettered += framePoints(frame)
      if (error instanceof WeirError) throw error
      throw new WeirError('rejected', `frame at ${partition}:${offset}: ${String(error)}`)
    }
    const ids = this.table.resolve(batch)
    const point = this.head.insert({ batch, ids, position }, from)
    const isWhole = point === batch.timestamps.length
    this.#taken.set(partition, isWhole ? { offset: offset + 1, point: 0 } : { offset, point })
    const { active } = this.head
    if (active.points > 0) active.oldestMs ??= this.#nowMs
    if (!isWhole) this.#isFull = true
    if (this.head.isDue || !isWhole) this.loop.start()
    return isWhole
  }

  /** A read has met a block that it cannot read: it is set aside with the next flush, which is now. */
  suspect(block: DamagedBlock): void {
    this.#suspects.push(block)
    this.loop.start()
  }

  /** Tells the time; flushes what has waited long enough. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs
    const { oldestMs } = this.head.active
    if (oldestMs !== undefined && nowMs - oldestMs >= this.#flushIntervalMs) this.loop.start()
  }

  positions(): LogPosition[] {
    return logPositions(this.meta.covers)
  }

  stats(): StoreStats {
    const { head } = this
    let stored = 0
    let duplicate = 0
    let unsettled = 0
    let damagedBlocks = 0
    let diskBytes = this.meta.bytes
    const tenants = new Map<string, { stored: number; duplicate: number; unsettled: number }>()
    const of = (tenant: string) => {
      const counts = tenants.get(tenant) ?? { stored: 0, duplicate: 0, unsettled: 0 }
      tenants.set(tenant, counts)
      return counts
    }
    for (const partition of this.partitions.all()) {
      stored += partition.stored
      duplicate += partition.duplicate
      damagedBlocks += partition.damaged
      diskBytes += partition.bytes
      for (const [tenant, row] of partition.tenants) {
        const counts = of(tenant)
        counts.stored += row[0]
        counts.duplicate += row[1]
      }
    }
    for (const generation of [head.frozen, head.active]) {
      if (generation === undefined) continue
      for (const share of generation.shares.values()) {
        if (share.done) continue
        for (const [tenant, came] of share.byTenant) {
          const counts = of(tenant)
          stored += came.fresh
          unsettled += came.unsettled
          counts.stored += came.fresh
          counts.unsettled += came.unsettled
        }
      }
    }
    const { failure } = this.loop
    return {
      ...{ stored, duplicate, unsettled, tenants, series: this.table.seriesCount },
      ...{ diskBytes, memoryBytes: head.usedBytes, damagedBlocks },
      deadLettered: this.#deadLettered,
      ...(failure === undefined ? {} : { failure: failure.message }),
    }
  }

  /** Releases everything as soon as the transaction under way is over, as a crash would leave it. */
  async halt(): Promise<void> {
    this.#halted = true
    await this.close()
  }

  /** Releases everything, flushed or not. */
  async close(): Promise<void> {
    await this.loop.stop()
    await this.partitions.close()
    await this.meta.close()
  }

  /** A new generation, when there is anything to flush. */
  #freeze(): Generation | undefined {
    const { head, meta, columns } = this
    if (head.frozen !== undefined) return head.frozen
    const nothing = head.active.points === 0 && !columns.hasDirtyPages
    const isCovered = isWithin(this.#taken, meta.covers)
    if (nothing && isCovered && this.#suspects.length === 0) return undefined
    const generation = head.freeze(new Map(this.#taken))
    generation.deadLettered = this.#deadLettered
    return generation
  }

  /** Counts come from the state, but where a flush was cut short from the partition itself. */
  #loadPartitions(): void {
    const state = this.meta.state()
    const known = new Map(state?.partitions.map(row => [row[0], row]))
    const pending = new Set(state?.pending)
    for (const partition of this.partitions.all()) {
      const row = known.get(partition.startUs)
      if (row === undefined || pending.has(partition.startUs)) this.partitions.load(partition)
      else {
        partition.stored = row[1]
        partition.duplicate = row[2]
        partition.damaged = row[3] ?? 0
        partition.tenants = tenantCounts(row[4])
      }
    }
  }
}

/** What a block can hold: ingest refuses the rest, so this only guards the flush. */
function checkPoints(
  timestamps: Float64Array,
  values: Float64Array,
  texts: readonly (string | undefined)[] | undefined,
): void {
  for (let i = 0; i < timestamps.length; i++) {
    const time = timestamps[i]
    if (!(time >= 0 && time <= MAX_TIME_US && Math.floor(time) === time)) {
      throw new WeirError('rejected', `point ${i}: ${time} is no time in microseconds`)
    }
    const value = values[i]
    const isText = texts !== undefined && texts[i] !== undefined
    if (isText ? value === value : value - value !== 0) {
      throw new WeirError('rejected', `point ${i}: ${value} is no finite value`)
    }
  }
}
