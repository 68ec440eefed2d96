import { DamagedBlock, decodeOnto, headerOf } from './block-reader.ts'
import { ASIDE } from './partition-file.ts'
import type { BlockChange, BlockKey, PartitionFile } from './partition-file.ts'
import type { PartitionSet } from './partition-set.ts'
import { PointBuffer } from './point-buffer.ts'
import { noTenants } from './tenant-counts.ts'

/**
 * What sets a damaged block aside: its bytes stay in the file as they are, under a key that no read
 * and no flush looks at, for whoever wants to rescue something from them.
 */
export function asideChanges(
  file: PartitionFile,
  { series, time, block }: BlockKey & { block: Buffer },
): BlockChange[] {
  let free = time
  // Another block that began there may have been damaged before.
  while (file.get({ series: series + ASIDE, time: free }) !== undefined) free++
  return [
    { series, time, block: undefined },
    // A copy: LMDB may hand out its own memory.
    { series: series + ASIDE, time: free, block: Buffer.from(block) },
  ]
}

/** Sets a block aside that a read could not read, unless it has gone or can be read by now. */
export async function setAside(partitions: PartitionSet, { place }: DamagedBlock): Promise<void> {
  const partition = partitions.byStart(place.partition.startUs)
  if (partition === undefined || !partition.exists) return
  const { series, time } = place
  const file = partitions.file(partition)
  const block = file.get({ series, time })
  if (block === undefined || isReadable(block, { series, time, partition })) return
  partition.pinned = true
  try {
    // What is known of a partition that no flush has touched yet may be its counts only.
    partitions.load(partition)
    const nothing = { stored: 0, duplicate: 0, damaged: 1, tenants: noTenants }
    const record = partition.recordOf({ covers: partition.covered, below: Infinity, ...nothing })
    const changes = asideChanges(file, { series, time, block })
    await file.commit(changes, Buffer.from(JSON.stringify(record)))
    partition.apply(record)
  } finally {
    await file.release().catch(() => undefined)
    partition.pinned = false
  }
}

function isReadable(block: Buffer, place: DamagedBlock['place']): boolean {
  try {
    const { count } = headerOf(block, place)
    decodeOnto(new PointBuffer(), block, { count, place })
    return true
  } catch (error) {
    if (error instanceof DamagedBlock) return false
    throw error
  }
}
