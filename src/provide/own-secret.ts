import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The password of a provided server, made at its first start and readable for Weir's user only:
 * everybody on a machine reaches its loopback ports.
 */
export function ownSecret(directory: string): string {
  const path = join(directory, 'password')
  try {
    writeFileSync(path, `${randomBytes(24).toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(path, 'utf8').trim()
}
