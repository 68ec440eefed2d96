import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../ports/errors.ts'
import {
  neededServers,
  provideServers,
  reachServers,
  stopServers,
} from '../provide/provide-servers.ts'
import { lockDataFolder } from './data-lock.ts'

/** How long a node that is just starting, or stopping, is waited for. */
const PATIENCE_MS = 60_000
const RETRY_MS = 100

/**
 * Does work of a command that opens `engines` without a node: where they need servers of which the
 * configuration has no address, with those of the node that runs on the data folder, or else with
 * some of its own for the time of the work.
 *
 * @throws WeirError `conflict` when another process has the folder and does not bring them up;
 *   `config` when a server cannot be had.
 */
export async function atServers<T>(
  config: Config,
  engines: readonly string[],
  work: (config: Config) => Promise<T>,
): Promise<T> {
  if (neededServers(config, engines).length === 0) return work(config)
  const deadlineMs = performance.now() + PATIENCE_MS
  for (;;) {
    const reached = await reachServers(config, engines)
    if (reached !== undefined) return work(reached)
    try {
      return await atOwnServers(config, engines, work)
    } catch (error) {
      const isBusy = error instanceof Busy && performance.now() < deadlineMs
      if (!isBusy) throw error instanceof Busy ? error.cause : error
    }
    await sleep(RETRY_MS)
  }
}

/** Another process has the data folder; not an error of the work itself. */
class Busy extends Error {}

async function atOwnServers<T>(
  config: Config,
  engines: readonly string[],
  work: (config: Config) => Promise<T>,
): Promise<T> {
  const lock = takeLock(config.data)
  try {
    const provided = await provideServers(config, { engines, report() {} })
    try {
      return await work(provided.config)
    } finally {
      await stopServers(provided.servers)
    }
  } finally {
    lock.release()
  }
}

function takeLock(folder: string): ReturnType<typeof lockDataFolder> {
  try {
    return lockDataFolder(folder)
  } catch (error) {
    if (error instanceof WeirError && error.kind === 'conflict') {
      throw new Busy('the data folder is in use', { cause: error })
    }
    throw error
  }
}
