import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { LoadMessage } from './child.ts'
import type { LoadSpec } from './spec.ts'
import type { LoadTotals, LoadWindow } from './tally.ts'

export interface Load {
  /** Ends it before its time. */
  stop(): void
  /** When the last answer is there. Rejects when the generator fails. */
  readonly done: Promise<LoadTotals>
}

/** Starts a generator process; `onWindow` is called as each window ends. */
export function startLoad(spec: LoadSpec, onWindow?: (window: LoadWindow) => void): Load {
  const child = fork(new URL('./child.ts', import.meta.url), [JSON.stringify(spec)], {
    stdio: 'inherit',
  })
  let totals: LoadTotals | undefined
  child.on('message', (message: LoadMessage) => {
    if (message.kind === 'totals') totals = message.totals
    else onWindow?.(message.window)
  })
  const done = once(child, 'exit').then(([code]) => {
    if (totals === undefined)
      throw new Error(`the load generator ended with code ${code} and no result`)
    return totals
  })
  return {
    stop() {
      if (child.connected) child.send('stop')
    },
    done,
  }
}

export const runLoad = (spec: LoadSpec): Promise<LoadTotals> => startLoad(spec).done
