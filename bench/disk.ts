import { readdirSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'

/** Bytes that the files of a folder occupy on disk, not their length: LMDB files may have holes. */
export function diskBytes(folder: string, options: { without?: string } = {}): number {
  let bytes = 0
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    if (options.without !== undefined && name.split(sep)[0] === options.without) continue
    // A running server deletes files: what is gone occupies nothing.
    const stats = statSync(join(folder, name), { throwIfNoEntry: false })
    if (stats?.isFile()) bytes += stats.blocks * 512
  }
  return bytes
}
