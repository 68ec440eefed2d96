import { atLeast, atMost, median, rates, type BenchContext, type Figure } from '../figure.ts'
import { runLoad } from '../load/load.ts'
import type { HttpLoadSpec } from '../load/spec.ts'
import { startServer } from '../server.ts'
import { watch } from '../watch.ts'

const DEVICES = 1024
const GOALS = [atLeast(35_000, 60_000), atMost('p99Ms', 10, 5)]

/** The newest values of one device, 64 connections over some 1000 devices. */
export async function latestFigure(context: BenchContext): Promise<Figure> {
  const server = await startServer(context.folder('latest'))
  try {
    const http: Pick<HttpLoadSpec, 'protocol' | 'port' | 'connections'> = {
      ...{ protocol: 'http', port: server.httpPort, connections: 64 },
    }
    const seed = { warmupMs: 0, windowMs: 1000, windows: 1 }
    await runLoad({ ...http, ...seed, payload: { kind: 'single', devices: DEVICES } })
    const watching = await watch(server)
    const times = context.quick
      ? { warmupMs: 1000, windowMs: 1000, windows: 3 }
      : { warmupMs: 3000, windowMs: 5000, windows: 6 }
    const totals = await runLoad({
      ...http,
      ...times,
      payload: { kind: 'latest', devices: DEVICES },
    })
    const { observation, problems } = await watching.end([totals])
    await server.stop()
    const values = rates(totals, 'requests')
    const { p50Ms, p99Ms, cpu } = totals.overall
    return {
      ...{
        name: 'latest of one device',
        unit: 'requests/s',
        value: median(values),
        values,
        p50Ms,
        p99Ms,
      },
      ...{ goals: GOALS, observation, problems, generatorCpu: cpu },
    }
  } catch (error) {
    await server.kill().catch(() => {})
    throw error
  }
}
