import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { Log } from '../ports/log.ts'

const RELIEF_INTERVAL_MS = 1000

export interface Relief {
  readonly clock: Clock
  /** Makes room in the log, if it can: the store takes over what it has in memory only. */
  readonly relieve: () => Promise<unknown>
}

/**
 * The same log, which asks for relief when it is full: what the store has not written yet holds the
 * log's segments, and without more points nothing else would make the store write before its time.
 */
export function relievedLog(log: Log, { clock, relieve }: Relief): Log {
  let askedMs = -Infinity
  let isAsked = false
  const ask = (): void => {
    const nowMs = clock.nowMs()
    if (isAsked || Math.abs(nowMs - askedMs) < RELIEF_INTERVAL_MS) return
    askedMs = nowMs
    isAsked = true
    const asked = (): void => void (isAsked = false)
    // Why it failed is in the store's status, and it tries again by itself.
    relieve().then(asked, asked)
  }
  return {
    capabilities: log.capabilities,
    ...(log.deadLetters === undefined ? {} : { deadLetters: log.deadLetters }),
    async append(entries) {
      try {
        await log.append(entries)
      } catch (error) {
        if (error instanceof WeirError && error.code === 'disk_full') ask()
        throw error
      }
    },
    subscribe: options => log.subscribe(options),
    commit: (group, positions) => log.commit(group, positions),
    status: () => log.status(),
    close: () => log.close(),
  }
}
