import { DamagedBlock, decodeOnto, headerOf } from './block-reader.ts'
import type { BlockPlace } from './block-reader.ts'
import { encodeBlock } from './codec/block.ts'
import type { BlockHeader } from './codec/block.ts'
import type { BlockChange, KeyedBlock } from './partition-file.ts'
import type { Partition, PartitionSet } from './partition-set.ts'
import { PointBuffer } from './point-buffer.ts'
import { asideChanges } from './quarantine.ts'
import { mergeSlices } from './settle.ts'

/** A block is cut before its texts exceed this. */
const MAX_TEXT_UNITS = 1 << 18
/** Short blocks are joined when the new one is so many times larger than the largest of them. */
const JOIN_FACTOR = 5

export interface MergeTarget {
  readonly partitions: PartitionSet
  readonly partition: Partition
  readonly series: number
  /** Points a block should have. */
  readonly blockPoints: number
  /** Whether short blocks are joined; when not, it is left to a later flush. */
  readonly joins: boolean
  readonly changes: BlockChange[]
  /** Counts the blocks that were set aside because they cannot be read. */
  damaged: number
}

interface Existing {
  readonly time: number
  readonly header: BlockHeader
  readonly block: Buffer
}

const decoded = new PointBuffer()
const merged = new PointBuffer()
const joined = new PointBuffer()

/**
 * Works settled points of one series into the blocks of a partition, as changes to be written.
 * Blocks of a series never overlap. A block is rewritten only when points fall into it, or when
 * it is short, so that each point is written a few times at most.
 *
 * @returns how many of the points have a key that was not there.
 */
export function mergeSeries(points: PointBuffer, target: MergeTarget): number {
  const { partition, partitions, series } = target
  const first = points.timestamps[0]
  if (!partition.exists || isBehindTail(first, target)) return appendRun(points, [], target)
  const file = partitions.file(partition)
  const touched: Existing[] = []
  for (const keyed of file.backward(series, Number.MAX_SAFE_INTEGER)) {
    const existing = existingAt(keyed, target)
    if (existing === undefined) continue
    const { header } = existing
    if (header.lastTime < first && touched.length === 0) {
      return appendRun(points, joinable(existing, points.length, target), target)
    }
    touched.push(existing)
    if (header.firstTime <= first) break
  }
  if (touched.length === 0) return appendRun(points, [], target)
  return mergeEach(points, touched.reverse(), target)
}

/** Whether it is known, without reading, that points from `first` on are blocks of their own. */
function isBehindTail(
  first: number,
  { partition: { tails }, series, blockPoints, joins }: MergeTarget,
): boolean {
  const lastTime = tails?.lastTime(series)
  if (tails === undefined || lastTime === undefined || lastTime >= first) return false
  return !joins || 2 * tails.points(series) >= blockPoints
}

/**
 * The short blocks at the end that are worth rewriting together with `count` new points, rising.
 * Blocks are joined when that makes a well-filled one, or one several times larger than each of
 * its parts: so every point is rewritten a few times at most, however small the flushes are.
 */
function joinable(last: Existing, count: number, target: MergeTarget): Existing[] {
  const { partition, partitions, series, blockPoints, joins } = target
  if (!joins) return []
  const short: Existing[] = []
  let chosen = 0
  let total = count
  let largest = count
  const consider = (existing: Existing): boolean => {
    const points = existing.header.count
    if (2 * points >= blockPoints) return false
    short.push(existing)
    total += points
    largest = Math.max(largest, points)
    if (2 * total >= blockPoints || total >= JOIN_FACTOR * largest) chosen = short.length
    return total < blockPoints
  }
  if (!consider(last)) return short.slice(0, chosen).reverse()
  for (const keyed of partitions.file(partition).backward(series, last.header.firstTime)) {
    const existing = existingAt(keyed, target)
    if (existing !== undefined && !consider(existing)) break
  }
  return short.slice(0, chosen).reverse()
}

function appendRun(points: PointBuffer, short: readonly Existing[], target: MergeTarget): number {
  if (short.length === 0) {
    putBlocks(points, { from: 0, to: points.length, evenly: false, areLast: true }, target)
    return points.length
  }
  joined.clear()
  const whole = short.filter(existing => decode(joined, existing, target))
  joined.append(points, 0, points.length)
  removeOld(whole, joined, target)
  putBlocks(joined, { from: 0, to: joined.length, evenly: false, areLast: true }, target)
  return points.length
}

/** Gives each block the points from its first time to the next block's. */
function mergeEach(points: PointBuffer, blocks: readonly Existing[], target: MergeTarget): number {
  let added = 0
  let from = 0
  for (let i = 0; i < blocks.length && from < points.length; i++) {
    const isLast = i + 1 === blocks.length
    const to = isLast ? points.length : points.lowerBound(blocks[i + 1].header.firstTime, from)
    if (to > from) added += mergeOne(points, { from, to, existing: blocks[i], isLast }, target)
    from = to
  }
  return added
}

function mergeOne(
  points: PointBuffer,
  { from, to, existing, isLast }: { from: number; to: number; existing: Existing; isLast: boolean },
  target: MergeTarget,
): number {
  const { header } = existing
  const after = points.timestamps[from] > header.lastTime
  if (after && 2 * header.count >= target.blockPoints) {
    putBlocks(points, { from, to, evenly: false, areLast: isLast }, target)
    return to - from
  }
  decoded.clear()
  if (!decode(decoded, existing, target)) {
    putBlocks(points, { from, to, evenly: false, areLast: isLast }, target)
    return to - from
  }
  merged.clear()
  mergeSlices(merged, { points: decoded, from: 0, to: decoded.length }, { points, from, to })
  removeOld([existing], merged, target)
  const areLast = isLast
  putBlocks(merged, { from: 0, to: merged.length, evenly: !after, areLast }, target)
  return merged.length - header.count
}

/** The block, unless it cannot be read: then it is set aside, and the flush goes on without it. */
function existingAt({ time, block }: KeyedBlock, target: MergeTarget): Existing | undefined {
  const { series, partition } = target
  try {
    return { time, block, header: headerOf(block, { series, partition, time }) }
  } catch (error) {
    putAside(error, { time, block }, target)
    return undefined
  }
}

/** Appends its points; false when it cannot be read, and is set aside. */
function decode(out: PointBuffer, existing: Existing, target: MergeTarget): boolean {
  const { header, block, time } = existing
  const { series, partition } = target
  const place: BlockPlace = { series, partition, time }
  try {
    decodeOnto(out, block, { count: header.count, place })
    return true
  } catch (error) {
    putAside(error, existing, target)
    return false
  }
}

function putAside(error: unknown, { time, block }: KeyedBlock, target: MergeTarget): void {
  if (!(error instanceof DamagedBlock)) throw error
  const { series, partition, partitions, changes } = target
  const file = partitions.file(partition)
  changes.push(...asideChanges(file, { series, time, block }))
  target.damaged++
}

/** Removes blocks that are rewritten; those whose place is taken again are simply replaced. */
function removeOld(old: readonly Existing[], points: PointBuffer, target: MergeTarget): void {
  for (const { header } of old) {
    // Removals are written first, so a block that begins here again is not lost.
    if (header.firstTime === points.timestamps[0]) continue
    target.changes.push({ series: target.series, time: header.firstTime, block: undefined })
  }
}

interface Cut {
  readonly from: number
  readonly to: number
  /** All blocks of about one size; else full ones and a rest. */
  readonly evenly: boolean
  /** No block of the series comes after them. */
  readonly areLast: boolean
}

/** Cuts points [from, to) into blocks. */
function putBlocks(
  points: PointBuffer,
  { from, to, evenly, areLast }: Cut,
  { series, blockPoints, changes, partition }: MergeTarget,
): void {
  const count = to - from
  const pieces = Math.ceil(count / blockPoints)
  const size = evenly ? Math.ceil(count / pieces) : blockPoints
  let at = from
  while (at < to) {
    const end = textBound(points, at, Math.min(to, at + size))
    const time = points.timestamps[at]
    changes.push({ series, time, block: encodeBlock(points.columns(), at, end) })
    if (areLast && end === to) partition.tails?.set(series, points.timestamps[end - 1], end - at)
    at = end
  }
}

/** Where a block from `from` must end, so that its texts are not too many. */
function textBound({ texts }: PointBuffer, from: number, to: number): number {
  if (texts === undefined) return to
  let units = 0
  for (let i = from; i < to; i++) {
    units += texts[i]?.length ?? 0
    if (units > MAX_TEXT_UNITS && i > from) return i
  }
  return to
}
