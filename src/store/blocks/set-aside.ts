import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { decodeBlock, readBlockHeader } from './codec/block.ts'
import { readSeriesNames, type SeriesNames } from './meta-file.ts'
import { openAside } from './partition-file.ts'
import type { PartitionRecord } from './partition-set.ts'

/** A block that was found damaged and set aside. */
export interface DamagedBlockAside {
  /** The file that it is in. */
  readonly path: string
  /** Absent where the names of the series are not there. */
  readonly series?: SeriesNames
  /** Of its first point; of several damaged blocks that begin alike the later ones, some µs more. */
  readonly timeUs: number
  readonly bytes: Buffer
  /** Why it cannot be read; absent: it can be, by this version. */
  readonly problem?: string
  /** What its header says, where that can be read. */
  readonly header?: { readonly points: number; readonly firstUs: number; readonly lastUs: number }
}

/**
 * The blocks that a store in a folder has set aside, by partition, series and time. Only reads, also
 * while a node has the folder open.
 *
 * @throws WeirError `corrupt` or `retryable` where a file cannot be opened.
 */
export async function* blocksSetAside(
  directory: string,
): AsyncGenerator<DamagedBlockAside, void, void> {
  const folder = join(directory, 'partitions')
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder).sort()) {
    if (name.endsWith('.blocks')) yield* asideIn(directory, join(folder, name))
  }
}

async function* asideIn(
  directory: string,
  path: string,
): AsyncGenerator<DamagedBlockAside, void, void> {
  const file = openAside(path)
  try {
    const about = file.about()
    if (about === undefined || damagedOf(about) === 0) return
    const blocks = [...file.blocks()]
    const names = await readSeriesNames(directory, new Set(blocks.map(({ series }) => series)))
    for (const { series: id, time: timeUs, block: bytes } of blocks) {
      const series = names.get(id)
      const named = series === undefined ? {} : { series }
      yield { path, timeUs, bytes, ...named, ...stateOf(bytes) }
    }
  } finally {
    await file.close()
  }
}

/** A record that cannot be read hides nothing: the file is looked through. */
function damagedOf(about: Buffer): number {
  try {
    return (JSON.parse(about.toString()) as PartitionRecord).damaged ?? 0
  } catch {
    return 1
  }
}

function stateOf(bytes: Buffer): Pick<DamagedBlockAside, 'problem' | 'header'> {
  let header: DamagedBlockAside['header']
  try {
    const { count, firstTime, lastTime } = readBlockHeader(bytes)
    header = { points: count, firstUs: firstTime, lastUs: lastTime }
    decodeBlock(bytes)
    return { header }
  } catch (error) {
    const problem = (error as Error).message
    return header === undefined ? { problem } : { problem, header }
  }
}
