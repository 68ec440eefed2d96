import { decodeOnto, headerOf } from './block-reader.ts'
import type { BlockPlace } from './block-reader.ts'
import type { BlockHeader } from './codec/block.ts'
import type { Head } from './head.ts'
import type { KeyedBlock } from './partition-file.ts'
import type { Partition, PartitionSet } from './partition-set.ts'
import { PointBuffer } from './point-buffer.ts'
import { mergeSlices, settle } from './settle.ts'

export interface ScanContext {
  readonly head: Head
  readonly partitions: PartitionSet
}

export interface ScanRange {
  readonly series: number
  readonly start: number
  readonly end: number
  readonly order: 'asc' | 'desc'
  /** The receiver will not want more points than this. */
  readonly limit?: number
}

/** Takes what a scan finds, piece by piece in the order of the scan. `false` ends the scan. */
export interface Receiver {
  /** Points [from, to), rising in any order of scan; valid during the call only. */
  points(points: PointBuffer, from: number, to: number): boolean
  /** A block that lies within the range and that nothing overlaps. */
  block(block: FoundBlock): boolean
}

/** A block that was found; decoded only when asked to. */
export class FoundBlock {
  readonly header: BlockHeader
  readonly #bytes: Buffer
  readonly #place: BlockPlace

  constructor(bytes: Buffer, place: BlockPlace) {
    this.header = headerOf(bytes, place)
    this.#bytes = bytes
    this.#place = place
  }

  /** Appends all of its points. */
  decodeOnto(out: PointBuffer): void {
    decodeOnto(out, this.#bytes, { count: this.header.count, place: this.#place })
  }
}

const headPoints = new PointBuffer()
const decoded = new PointBuffer()
const merged = new PointBuffer()

/**
 * Goes through the points of one series in a range, of blocks and head together, each time once:
 * what was written last wins. Runs to its end without a break, so that it sees one state.
 */
export function scan(context: ScanContext, range: ScanRange, receiver: Receiver): void {
  gatherHead(context.head, range)
  if (range.order === 'asc') scanRising(context, range, receiver)
  else scanFalling(context, range, receiver)
}

/** Of several generations the later comes last, so that it wins. */
function gatherHead(head: Head, range: ScanRange): void {
  headPoints.clear()
  if (head.frozen !== undefined) head.gather(head.frozen, headPoints, range)
  head.gather(head.active, headPoints, range)
  settle(headPoints)
}

function scanRising(context: ScanContext, range: ScanRange, receiver: Receiver): void {
  let at = 0
  for (const found of blocksRising(context.partitions, range)) {
    const { firstTime, lastTime } = found.header
    const from = headPoints.lowerBound(firstTime, at)
    if (from > at && !receiver.points(headPoints, at, from)) return
    at = headPoints.lowerBound(lastTime + 1, from)
    if (!deliver(found, { range, from, to: at }, receiver)) return
  }
  if (at < headPoints.length) receiver.points(headPoints, at, headPoints.length)
}

function scanFalling(context: ScanContext, range: ScanRange, receiver: Receiver): void {
  let at = headPoints.length
  for (const found of blocksFalling(context.partitions, range)) {
    const { firstTime, lastTime } = found.header
    const to = headPoints.lowerBound(lastTime + 1, 0, at)
    if (to < at && !receiver.points(headPoints, to, at)) return
    at = headPoints.lowerBound(firstTime, 0, to)
    if (!deliver(found, { range, from: at, to }, receiver)) return
  }
  if (at > 0) receiver.points(headPoints, 0, at)
}

/** Hands over a block, or what it makes together with head points [from, to). */
function deliver(
  found: FoundBlock,
  { range, ...overlap }: { range: ScanRange; from: number; to: number },
  receiver: Receiver,
): boolean {
  const { header } = found
  const isWhole = header.firstTime >= range.start && header.lastTime < range.end
  if (isWhole && overlap.from === overlap.to) return receiver.block(found)
  decoded.clear()
  found.decodeOnto(decoded)
  const from = decoded.lowerBound(range.start)
  const to = decoded.lowerBound(range.end, from)
  if (overlap.from === overlap.to) return from === to || receiver.points(decoded, from, to)
  merged.clear()
  mergeSlices(merged, { points: decoded, from, to }, { points: headPoints, ...overlap })
  return receiver.points(merged, 0, merged.length)
}

function foundAt({ time, block }: KeyedBlock, place: Omit<BlockPlace, 'time'>): FoundBlock {
  return new FoundBlock(block, { ...place, time })
}

/** Blocks that overlap the range, rising. */
function* blocksRising(partitions: PartitionSet, range: ScanRange): Generator<FoundBlock> {
  const { series, start, end } = range
  for (const partition of partitions.within(start, end)) {
    const file = partitions.file(partition)
    const place = { series, partition }
    if (start > partition.startUs) {
      const [before] = file.backward(series, start)
      const found = before === undefined ? undefined : foundAt(before, place)
      if (found !== undefined && found.header.lastTime >= start) yield found
    }
    const from = Math.max(start, partition.startUs)
    for (const keyed of file.forward(series, from, Math.min(end, partition.endUs))) {
      yield foundAt(keyed, place)
    }
  }
}

/** Blocks that overlap the range, falling. */
function* blocksFalling(partitions: PartitionSet, range: ScanRange): Generator<FoundBlock> {
  const { series, start, end } = range
  const found: Partition[] = partitions.within(start, end)
  for (let i = found.length - 1; i >= 0; i--) {
    const partition = found[i]
    const file = partitions.file(partition)
    for (const keyed of file.backward(series, Math.min(end, partition.endUs))) {
      const block = foundAt(keyed, { series, partition })
      if (block.header.lastTime < start) break
      yield block
      if (block.header.firstTime <= start) break
    }
  }
}
