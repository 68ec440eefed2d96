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

function damaged(error: unknown, { series, partition }: BlockPlace): unknown {
  if (!(error instanceof BlockError)) return error
  return new DamagedBlock(series, partition.path, error)
}

/** A block that cannot be read. The reader who knows the names of the series says them. */
export class DamagedBlock extends WeirError {
  readonly series: number
  readonly path: string

  constructor(series: number, path: string, cause: Error) {
    super('retryable', `a block of series ${series} in ${path} is damaged: ${cause.message}`, {
      cause,
    })
    this.series = series
    this.path = path
  }
}
