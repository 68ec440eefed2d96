import type { SeriesTable } from '../../model/series-table.ts'
import { WeirError } from '../../ports/errors.ts'
import type { Generation, Share } from './generation.ts'
import type { Head } from './head.ts'
import { mergeSeries } from './merge.ts'
import type { BlockChange } from './partition-file.ts'
import type { MetaFile, MetaState, PartitionRow } from './meta-file.ts'
import { coverRows } from './covers.ts'
import type { Covers } from './covers.ts'
import type { PartitionSet } from './partition-set.ts'
import { PointBuffer } from './point-buffer.ts'
import type { SeriesColumns } from './series-columns.ts'
import { settle } from './settle.ts'
import { addCounts, tenantRows } from './tenant-counts.ts'
import type { TenantCounts, TenantRow } from './tenant-counts.ts'
import { Turns } from './turns.ts'

/** Encoded blocks that wait for their transaction are bounded, however many a flush touches. */
const MAX_TRANSACTION_BYTES = 4 << 20

export interface FlushContext {
  readonly head: Head
  readonly table: SeriesTable
  readonly columns: SeriesColumns
  readonly partitions: PartitionSet
  readonly meta: MetaFile
  readonly blockPoints: number
  readonly turnMs: number
  readonly transactionBlocks: number
  /** Whether there is time to join short blocks. */
  readonly joins: () => boolean
  /** Called when points of the generation have been released before its end. */
  readonly onRoom: () => void
  /** Whether to stop as soon as the transaction under way is over. */
  readonly isHalted: () => boolean
}

const points = new PointBuffer()

/**
 * Writes the frozen generation to blocks: names first, then each partition, then what the store
 * knows of itself. Each partition's own record says how far it is, in the same transaction as its
 * blocks, so that a crash anywhere replays to the same state. Run again after a failure, it goes
 * on where it stopped.
 *
 * Runs between messages: never more than a turn at once.
 */
export async function flushGeneration(
  context: FlushContext,
  generation: Generation,
): Promise<void> {
  const turns = new Turns(context.turnMs)
  const { meta, table, columns } = context
  await assignSeries(context, generation, turns)
  const shares = [...generation.shares.values()]
  shares.sort((a, b) => a.partition.startUs - b.partition.startUs)
  const pending = shares.map(share => share.partition.startUs)
  if (pending.length > 0) {
    await meta.begin(table, stateOf(context, meta, pending))
  }
  for (const share of shares) {
    const isLast = share === shares.at(-1)
    if (!share.done) await flushShare(context, { generation, share, turns, isLast })
  }
  await meta.finish(columns, stateOf(context, generation, []))
}

/** Finds out which series have points in which partition. */
async function assignSeries(
  { head }: FlushContext,
  generation: Generation,
  turns: Turns,
): Promise<void> {
  // In order of key, which LMDB likes best.
  generation.touched.sort((a, b) => a - b)
  const shares = [...generation.shares.values()]
  if (shares.length === 1) {
    shares[0].series = generation.touched
    return
  }
  for (const share of shares) share.series = []
  for (const series of generation.touched) {
    head.assign(generation, series)
    if (turns.isOver) await turns.rest()
  }
}

interface ShareFlush {
  readonly generation: Generation
  readonly share: Share
  readonly turns: Turns
  /** Whether series that are done with this share are done altogether. */
  readonly isLast: boolean
}

async function flushShare(context: FlushContext, flush: ShareFlush): Promise<void> {
  const { share, turns } = flush
  const { partition } = share
  partition.pinned = true
  if (flush.isLast) context.partitions.follow(partition)
  const run = new ShareRun(context, flush)
  try {
    for (const series of share.series) {
      if (series < share.doneBelow) continue
      if (context.isHalted()) throw new WeirError('closed', 'the store was halted')
      run.add(series)
      if (run.isFull) await run.commit(series + 1)
      if (turns.isOver) await turns.rest()
    }
    await run.commit(Infinity)
    await run.written
  } catch (error) {
    // What it says was not written.
    partition.tails = undefined
    throw error
  } finally {
    // A transaction under way must be over before anyone tries again.
    await run.written.catch(() => undefined)
    await context.partitions.releaseRoom(partition, flush.isLast).catch(() => undefined)
    partition.measure()
    partition.pinned = false
  }
}

/** What a transaction brings. */
interface Found {
  readonly below: number
  /** Series that are done. */
  readonly done: readonly number[]
  readonly stored: number
  readonly duplicate: number
  readonly damaged: number
}

/** The flush of one share: what waits for its transaction, and the transaction under way. */
class ShareRun {
  readonly #context: FlushContext
  readonly #generation: Generation
  readonly #share: Share
  readonly #isLast: boolean
  #done: number[] = []
  #changes: BlockChange[] = []
  #bytes = 0
  #stored: number
  #duplicate: number
  /** What has come to them since the last commit, by tenant. */
  #fresh = new Map<string, TenantRow>()
  #tenants: TenantCounts
  #damaged: number
  /** The transaction under way. */
  written: Promise<void> = Promise.resolve()

  constructor(context: FlushContext, { generation, share, isLast }: ShareFlush) {
    this.#context = context
    this.#generation = generation
    this.#share = share
    this.#isLast = isLast
    this.#stored = share.stored
    this.#duplicate = share.duplicate
    this.#tenants = share.tenants
    this.#damaged = share.damaged
  }

  get isFull(): boolean {
    const { transactionBlocks } = this.#context
    return this.#bytes >= MAX_TRANSACTION_BYTES || this.#changes.length >= transactionBlocks
  }

  /** Works the points of one series into blocks. */
  add(series: number): void {
    const { head, table, columns, partitions, blockPoints } = this.#context
    const joins = this.#context.joins()
    const { partition } = this.#share
    points.clear()
    head.gather(this.#generation, points, {
      series,
      start: partition.startUs,
      end: partition.endUs,
    })
    const count = points.length
    settle(points)
    const last = points.length - 1
    const value = points.values[last]
    columns.settleNewest(series, points.timestamps[last], { value, text: points.texts?.[last] })
    const before = this.#changes.length
    const changes = this.#changes
    const target = {
      ...{ partitions, partition, series, blockPoints, joins, changes, damaged: 0 },
    }
    const added = mergeSeries(points, target)
    for (let i = before; i < changes.length; i++) this.#bytes += changes[i].block?.length ?? 0
    this.#stored += added
    this.#duplicate += count - added
    const { tenant } = table.deviceOf(series)
    const [stored, duplicate] = this.#fresh.get(tenant) ?? [0, 0]
    this.#fresh.set(tenant, [stored + added, duplicate + count - added])
    this.#damaged += target.damaged
    this.#done.push(series)
  }

  /**
   * Writes what waits, once the transaction before is through; the flush goes on meanwhile.
   * Series below `below` are done with it; Infinity ends the share.
   */
  async commit(below: number): Promise<void> {
    const changes = this.#changes
    const done = this.#done
    this.#tenants = addCounts(this.#tenants, this.#fresh)
    this.#fresh = new Map()
    const counts = { stored: this.#stored, duplicate: this.#duplicate, damaged: this.#damaged }
    const found: Found = { below, done, ...counts, tenants: this.#tenants }
    this.#done = []
    this.#changes = []
    this.#bytes = 0
    await this.written
    this.written = this.#write(changes, found)
    // Whoever awaits it next is told of a failure.
    this.written.catch(() => undefined)
  }

  async #write(changes: readonly BlockChange[], found: Found): Promise<void> {
    const share = this.#share
    const { partition } = share
    const record = partition.recordOf({ covers: this.#generation.covers, ...found })
    const about = Buffer.from(JSON.stringify(record))
    await this.#context.partitions.file(partition).commit(changes, about)
    share.doneBelow = found.below
    share.stored = found.stored
    share.duplicate = found.duplicate
    share.tenants = found.tenants
    share.damaged = found.damaged
    if (this.#isLast) this.#release(found.done)
    if (found.below !== Infinity) return
    partition.apply(record)
    share.done = true
  }

  /** These points are in blocks now: their memory is for what comes meanwhile. */
  #release(done: readonly number[]): void {
    const { head, onRoom } = this.#context
    for (const series of done) head.releaseSeries(this.#generation, series)
    onRoom()
  }
}

/** What a commit settles. */
interface Found {
  readonly below: number
  readonly stored: number
  readonly duplicate: number
  readonly damaged: number
  readonly tenants: TenantCounts
  readonly done: readonly number[]
}

function stateOf(
  { partitions }: FlushContext,
  { covers, deadLettered }: { covers: Covers; deadLettered: number },
  pending: readonly number[],
): MetaState {
  const known: PartitionRow[] = []
  const ahead = new Set(pending)
  for (const partition of partitions.all()) {
    const { startUs, stored, duplicate, damaged, tenants, exists } = partition
    if (!exists) continue
    known.push([startUs, stored, duplicate, damaged, tenantRows(tenants)])
    // Left over from a flush that a crash ended: the replay has not come so far again.
    if (partition.isAheadOf(covers)) ahead.add(startUs)
  }
  return {
    version: 1,
    partitionUs: partitions.spanUs,
    covered: coverRows(covers),
    ...(deadLettered === 0 ? {} : { deadLettered }),
    pending: [...ahead],
    partitions: known,
  }
}
