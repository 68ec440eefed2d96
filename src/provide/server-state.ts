import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../ports/errors.ts'
import { processStart } from './process-start.ts'
import type { ProvideOptions, ServerKind } from './provided-server.ts'

/** What `server.json` in a server's folder says. */
export interface ServerState {
  /** The last one; taken again when it is free. */
  readonly port: number
  /** Of the process, while it should run. */
  readonly pid?: number
  /** @see processStart */
  readonly started?: string
}

const POLL_MS = 25
const KILL_WITHIN_MS = 10_000

export function readState(directory: string): ServerState | undefined {
  try {
    const state = JSON.parse(readFileSync(join(directory, 'server.json'), 'utf8')) as ServerState
    return typeof state.port === 'number' ? state : undefined
  } catch {
    return undefined
  }
}

export function writeState(directory: string, state: ServerState): void {
  const path = join(directory, 'server.json')
  writeFileSync(`${path}.new`, `${JSON.stringify(state)}\n`)
  renameSync(`${path}.new`, path)
}

/** Whether the process that the folder's file names runs, and not another one by that id. */
export function isRunning({ pid, started }: ServerState): boolean {
  return pid !== undefined && started !== undefined && processStart(pid) === started
}

/**
 * Ends the server that a process which was killed has left on this folder. It is not taken over:
 * its settings may be those of another version, and nobody would see it end.
 *
 * @throws WeirError `conflict` when it cannot be ended.
 */
export async function endLeftover(
  { name, stopSignal, stopWithinMs }: ServerKind,
  { directory, report }: ProvideOptions,
): Promise<void> {
  const state = readState(directory)
  if (state?.pid === undefined || !isRunning(state)) return
  report(`stopping the ${name} that is left of an earlier run (process ${state.pid})`)
  for (const [signal, withinMs] of [
    [stopSignal, stopWithinMs],
    ['SIGKILL', KILL_WITHIN_MS],
  ] as const) {
    try {
      process.kill(state.pid, signal)
    } catch {
      // It has just ended, or belongs to another user: what counts is whether it is there.
    }
    const deadlineMs = performance.now() + withinMs
    while (performance.now() < deadlineMs) {
      if (!isRunning(state)) return
      await sleep(POLL_MS)
    }
  }
  const message = `${name} of ${directory} runs already (process ${state.pid}) and cannot be stopped`
  throw new WeirError('conflict', message)
}
