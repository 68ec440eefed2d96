import type { Log } from '../ports/log.ts'

/** The same log, telling how long each append took until it was durable, in seconds. */
export function measuredLog(log: Log, onAppend: (seconds: number) => void): Log {
  return {
    capabilities: log.capabilities,
    ...(log.deadLetters === undefined ? {} : { deadLetters: log.deadLetters }),
    async append(entries) {
      const begun = performance.now()
      await log.append(entries)
      onAppend((performance.now() - begun) / 1000)
    },
    subscribe: options => log.subscribe(options),
    commit: (group, positions) => log.commit(group, positions),
    status: () => log.status(),
    close: () => log.close(),
  }
}
