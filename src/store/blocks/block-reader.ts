import { WeirError } from '../../ports/errors.ts'
import {
  BlockError,
  blockHasTexts,
  decodeBlock,
  decodeBlockInto,
  readBlockHeader,
} from './codec/block.ts'
import type { BlockHeader } from './codec/block.ts'
import type { Partition } from './partition-set.ts'
import type { PointBuffer } from './point-buffer.ts'

/** Where a block was found, to name it when it is damaged. */
export interface BlockPlace {
  readonly series: number
  /** The time in its key. */
  readonly time: number
  readonly partition: Partition
}

export function headerOf(block: Buffer, place: BlockPlace): BlockHeader {
  try {
    return readBlockHeader(block)
  } catch (error) {
    throw damaged(error, place)
  }
}

/** Appends the points of a block of `count` points. */
export function decodeOnto(
  out: PointBuffer,
  block: Buffer,
  { count, place }: { count: number; place: BlockPlace },
): void {
  try {
    if (blockHasTexts(block)) {
      const { timestamps, values, texts } = decodeBlock(block)
      for (let i = 0; i < timestamps.length; i++) out.push(timestamps[i], values[i], texts?.[i])
      return
    }
    out.reserve(count)
    out.length += decodeBlockInto(block, out.timestamps, out.values, out.length)
  } catch (error) {
    throw damaged(error, place)
  }
}

function damaged(error: unknown, place: BlockPlace): unknown {
  return error instanceof BlockError ? new DamagedBlock(place, error) : error
}

/** A block that cannot be read. The reader who knows the names of the series says them. */
export class DamagedBlock extends WeirError {
  readonly place: BlockPlace

  constructor(place: BlockPlace, cause: Error) {
    const { series, partition } = place
    const name = `a block of series ${series} in ${partition.path}`
    super('corrupt', `${name} is damaged: ${cause.message}`, { cause })
    this.place = place
  }

  get path(): string {
    return this.place.partition.path
  }
}
