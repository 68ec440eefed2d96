import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where systems put servers, which is not in everybody's PATH. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

/** The path of a program of this machine; undefined where it has none. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SERVER_FOLDERS]
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * The first version number in what a program says of itself; undefined where it says none, or
 * cannot be run.
 */
export function programVersion(
  program: string,
  flag: string,
  added: Readonly<Record<string, string>> = {},
): string | undefined {
  const env = { ...process.env, ...added }
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8', timeout: 30_000, env })
  return /\d+(\.\d+)+/.exec(`${stdout}${stderr}`)?.[0]
}
