import { setTimeout as sleep } from 'node:timers/promises'
import { atMost, median, type BenchContext, type Figure } from '../figure.ts'
import { startServer } from '../server.ts'

const MB = 1024 * 1024
const SETTLE_MS = 5000

/** Ready on empty data, and the memory of a node that does nothing. */
export async function startFigures(context: BenchContext): Promise<Figure[]> {
  const readyMs: number[] = []
  const rssMb: number[] = []
  for (let run = 0; run < (context.quick ? 2 : 5); run++) {
    const server = await startServer(context.folder('start'))
    readyMs.push(server.readyMs)
    if (run < 2) {
      await sleep(SETTLE_MS)
      rssMb.push(server.memory().rssBytes / MB)
    }
    await server.stop()
  }
  const ready = { name: 'ready after start on empty data', unit: 'ms', problems: [] }
  const idle = { name: 'memory, idle', unit: 'MB', problems: [] }
  return [
    { ...ready, value: median(readyMs), values: readyMs, goals: [atMost('value', 1500)] },
    { ...idle, value: median(rssMb), values: rssMb, goals: [atMost('value', 200)] },
  ]
}
