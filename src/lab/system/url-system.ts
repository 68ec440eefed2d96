import { randomInt } from 'node:crypto'
import { writeHistory } from './history.ts'
import { HttpClient } from './http-client.ts'
import { untilDrained, weirLedger } from './ledger.ts'
import type { SystemHouse, SystemUnderTest } from './system.ts'

/** A system that runs already, of which only its address is known: nothing of it is started or stopped. */
export function urlSystem(url: string, key?: string): SystemUnderTest {
  return {
    solution: { id: 'url', topology: '', flags: [], summary: `the system at ${url}` },
    url: url.replace(/\/+$/, ''),
    ...(key === undefined ? {} : { key }),
    processes: () => [],
    diskBytes: () => Promise.resolve(0),
    stop: () => Promise.resolve(),
  }
}

/**
 * For steps on a system that runs already. It keeps what it is sent, so that a Weir gets the history
 * of a workload once, before the first step, and each step begins when it has worked off what the one
 * before has left: that would be taken for the step's own.
 */
export function urlHouse(url: string, key?: string): Pick<SystemHouse, 'start'> {
  let isFilled = false
  return {
    async start(_, workload, seed) {
      const client = new HttpClient(url, key)
      try {
        if ((await weirLedger(client)) !== undefined) {
          // It may have points of earlier loads, at whole milliseconds, and of earlier histories.
          const nowMs = Date.now() + randomInt(1, 1000) / 1000
          if (!isFilled) await writeHistory(client, workload, { seed, nowMs })
          await untilDrained(client)
        }
        isFilled = true
      } finally {
        client.close()
      }
      return urlSystem(url, key)
    },
  }
}
