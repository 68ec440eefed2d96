import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SECRET_BYTES = 32

/**
 * A secret of this data folder, made at its first use: for what must be the same after a restart
 * and mean nothing to anybody else. No key is derived from it or checked with it.
 */
export function nodeSecret(folder: string): Buffer {
  const path = join(folder, 'secret')
  try {
    writeFileSync(path, randomBytes(SECRET_BYTES), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(path)
}
