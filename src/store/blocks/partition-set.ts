import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { WeirError } from '../../ports/errors.ts'
import type { LogPosition } from '../../ports/log.ts'
import { coverRows, coveredPoints, coversOf, furthest, isWithin } from './covers.ts'
import type { CoverRow, Covers } from './covers.ts'
import { BlockTails } from './block-tails.ts'
import { emptyFile, syncFolder } from './lmdb-table.ts'
import { PartitionFile } from './partition-file.ts'
import { addCounts, noTenants, tenantCounts, tenantRows } from './tenant-counts.ts'
import type { TenantCounts, TenantRows } from './tenant-counts.ts'

const DAY_US = 86_400_000_000
const SUFFIX = '.blocks'

/** Series below `below` are covered further than the rest: their flush was cut short. */
interface PartialCover {
  readonly below: number
  readonly covers: Covers
}

/** The record that a partition's file holds about itself, as JSON. */
export interface PartitionRecord {
  readonly version: 1
  readonly stored: number
  readonly duplicate: number
  /** Absent in files of earlier versions. */
  readonly tenants?: TenantRows
  /** Blocks set aside; absent when there are none. */
  readonly damaged?: number
  readonly covered: readonly CoverRow[]
  readonly partial: readonly { below: number; covered: readonly CoverRow[] }[]
}

/** A span of time and what is known of its file. */
export class Partition {
  readonly startUs: number
  readonly endUs: number
  readonly path: string
  /** Whether the file is there. */
  exists: boolean
  stored = 0
  duplicate = 0
  tenants: TenantCounts = noTenants
  /** Blocks that were found damaged and set aside. */
  damaged = 0
  bytes = 0
  covered: Covers = new Map()
  partial: readonly PartialCover[] = []
  file: PartitionFile | undefined = undefined
  /** Known of one partition only; see `PartitionSet.follow`. */
  tails: BlockTails | undefined = undefined
  /** Open files are closed in order of last use. */
  usedAt = 0
  pinned = false

  constructor(directory: string, span: { startUs: number; endUs: number }, exists: boolean) {
    this.startUs = span.startUs
    this.endUs = span.endUs
    this.path = join(directory, partitionName(span.startUs, span.endUs - span.startUs))
    this.exists = exists
  }

  /** How many leading points of the entry may be here already: below it ask `covers`. */
  mayCover(position: LogPosition): number {
    let most = coveredPoints(this.covered, position)
    for (const { covers } of this.partial) {
      most = Math.max(most, coveredPoints(covers, position))
    }
    return most
  }

  /** Whether the point is in the file already, by its place in the log. */
  covers(position: LogPosition, point: number, series: number): boolean {
    if (point < coveredPoints(this.covered, position)) return true
    return this.partial.some(
      ({ below, covers }) => series < below && point < coveredPoints(covers, position),
    )
  }

  /** Whether some of its series are covered further than `covers`. */
  isAheadOf(covers: Covers): boolean {
    return (
      !isWithin(this.covered, covers) || this.partial.some(part => !isWithin(part.covers, covers))
    )
  }

  /** The record after a flush up to `covers` has committed the series below `below`. */
  recordOf(change: {
    covers: Covers
    below: number
    stored: number
    duplicate: number
    tenants: TenantCounts
    damaged: number
  }): PartitionRecord {
    const complete = change.below === Infinity
    // After a crash the replay may be behind what is here already.
    const covered = complete ? furthest(this.covered, change.covers) : this.covered
    const partial = this.partial.filter(({ covers }) => !isWithin(covers, covered))
    if (!complete) partial.push({ below: change.below, covers: change.covers })
    const damaged = this.damaged + change.damaged
    return {
      version: 1,
      stored: this.stored + change.stored,
      duplicate: this.duplicate + change.duplicate,
      tenants: tenantRows(addCounts(this.tenants, change.tenants)),
      ...(damaged === 0 ? {} : { damaged }),
      covered: coverRows(covered),
      partial: partial.map(({ below, covers }) => ({ below, covered: coverRows(covers) })),
    }
  }

  apply(record: PartitionRecord): void {
    this.stored = record.stored
    this.duplicate = record.duplicate
    this.tenants = tenantCounts(record.tenants)
    this.damaged = record.damaged ?? 0
    this.covered = coversOf(record.covered)
    this.partial = record.partial.map(({ below, covered }) => ({
      below,
      covers: coversOf(covered),
    }))
  }

  measure(): void {
    this.bytes = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
  }
}

/**
 * All partitions, by time. Files are opened when they are needed, and the longest unused are
 * closed again, so that many years of data cost no more than what is looked at.
 */
export class PartitionSet {
  readonly spanUs: number
  readonly #directory: string
  readonly #maxOpen: number
  readonly #byStart = new Map<number, Partition>()
  #sorted: Partition[] | undefined = undefined
  readonly #open = new Set<Partition>()
  #followed: Partition | undefined = undefined
  /** The partition that keeps room. */
  #roomy: Partition | undefined = undefined
  readonly #empty: Uint8Array
  #uses = 0

  constructor(options: { directory: string; spanUs: number; maxOpen: number }) {
    this.#directory = options.directory
    this.spanUs = options.spanUs
    this.#maxOpen = options.maxOpen
    this.#empty = emptyFile(join(options.directory, '../empty'))
    for (const name of readdirSync(options.directory)) {
      const startUs = startOf(name)
      if (startUs === undefined) continue
      const partition = this.#add(startUs, true)
      partition.measure()
    }
  }

  /** The partition that a time falls into. */
  at(timeUs: number): Partition {
    const startUs = Math.floor(timeUs / this.spanUs) * this.spanUs
    return this.#byStart.get(startUs) ?? this.#add(startUs, false)
  }

  byStart(startUs: number): Partition | undefined {
    return this.#byStart.get(startUs)
  }

  /** Partitions with a file that overlap [start, end), rising. */
  within(start: number, end: number): Partition[] {
    this.#sorted ??= [...this.#byStart.values()].sort((a, b) => a.startUs - b.startUs)
    const sorted = this.#sorted
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sorted[middle].endUs <= start) low = middle + 1
      else high = middle
    }
    const found: Partition[] = []
    for (let i = low; i < sorted.length && sorted[i].startUs < end; i++) {
      if (sorted[i].exists) found.push(sorted[i])
    }
    return found
  }

  all(): Iterable<Partition> {
    return this.#byStart.values()
  }

  /** The file of a partition, opened (and made) if need be. */
  file(partition: Partition): PartitionFile {
    partition.usedAt = ++this.#uses
    if (partition.file !== undefined) return partition.file
    this.#closeUnused()
    partition.file = new PartitionFile(partition.path, this.#empty)
    // A new file is durable only when its folder is.
    if (!partition.exists) syncFolder(this.#directory)
    partition.exists = true
    this.#open.add(partition)
    return partition.file
  }

  /** After a flush: gives room back, but some is kept for the partition that is written all the time. */
  async releaseRoom(partition: Partition, isLast: boolean): Promise<void> {
    await partition.file?.release({ keepsSome: isLast })
    if (!isLast || this.#roomy === partition) return
    const former = this.#roomy
    this.#roomy = partition
    await former?.file?.release()
  }

  /** From now on it is known how each series of this partition ends, and of no other. */
  follow(partition: Partition): void {
    if (this.#followed === partition && partition.tails !== undefined) return
    if (this.#followed !== undefined) this.#followed.tails = undefined
    this.#followed = partition
    partition.tails = new BlockTails()
  }

  /** Reads the record of a partition from its file. */
  load(partition: Partition): void {
    const about = this.file(partition).about()
    if (about === undefined) return
    try {
      partition.apply(JSON.parse(about.toString()) as PartitionRecord)
    } catch (cause) {
      const message = `the record of ${partition.path} is damaged: ${String(cause)}`
      throw new WeirError('corrupt', message, { cause })
    }
  }

  async close(): Promise<void> {
    const files = [...this.#open].flatMap(({ file }) => (file === undefined ? [] : [file]))
    this.#open.clear()
    await Promise.all(files.map(file => file.close()))
  }

  #add(startUs: number, exists: boolean): Partition {
    const span = { startUs, endUs: startUs + this.spanUs }
    const partition = new Partition(this.#directory, span, exists)
    this.#byStart.set(startUs, partition)
    this.#sorted = undefined
    return partition
  }

  #closeUnused(): void {
    while (this.#open.size >= this.#maxOpen) {
      let oldest: Partition | undefined
      for (const partition of this.#open) {
        if (partition.pinned) continue
        if (oldest === undefined || partition.usedAt < oldest.usedAt) oldest = partition
      }
      if (oldest === undefined) return
      this.#open.delete(oldest)
      void oldest.file?.close()
      oldest.file = undefined
    }
  }
}

/** `2026-11-20` where partitions are days, the full time otherwise. */
function partitionName(startUs: number, spanUs: number): string {
  const iso = new Date(startUs / 1000).toISOString()
  const days = spanUs % DAY_US === 0
  return `${days ? iso.slice(0, iso.indexOf('T')) : iso.replaceAll(':', '-')}${SUFFIX}`
}

function startOf(name: string): number | undefined {
  if (!name.endsWith(SUFFIX)) return undefined
  const stem = name.slice(0, -SUFFIX.length)
  const [date, time] = stem.split('T')
  const iso = time === undefined ? date : `${date}T${time.replaceAll('-', ':')}`
  const ms = Date.parse(iso)
  return Number.isNaN(ms) ? undefined : ms * 1000
}
