/** Runs one load in a process of its own: the specification as argument, results as messages. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startHttpLoad } from './http-load.ts'
import { startMqttLoad } from './mqtt-load.ts'
import { useKey } from './request.ts'
import { requestSource, type LoadSpec } from './spec.ts'
import { tally, type LoadTotals, type LoadWindow } from './tally.ts'

export type LoadMessage =
  | { readonly kind: 'window'; readonly window: LoadWindow }
  | { readonly kind: 'totals'; readonly totals: LoadTotals }

async function run(spec: LoadSpec): Promise<void> {
  const { port, connections, key } = spec
  useKey(key)
  const counts = tally()
  const load =
    spec.protocol === 'mqtt'
      ? await startMqttLoad({
          ...{ port, connections, tally: counts, window: spec.inFlight },
          ...{ devices: spec.devices, startMs: spec.startMs, key },
        })
      : await startHttpLoad({
          ...{ port, connections, tally: counts },
          source: connection => requestSource(spec.payload, connection, connections),
          ...(spec.requestsPerSecond === undefined
            ? {}
            : { requestsPerSecond: spec.requestsPerSecond }),
        })
  const stopped = new Promise<void>(resolve => process.once('message', () => resolve()))
  if (spec.windows === 0) {
    counts.mark()
    await Promise.race([load.exhausted, stopped])
    counts.mark()
  } else {
    await sleep(spec.warmupMs)
    counts.mark()
    let ended = false
    void stopped.then(() => (ended = true))
    for (let w = 0; w < spec.windows && !ended; w++) {
      await Promise.race([sleep(spec.windowMs), stopped])
      const window = counts.mark()
      if (window !== undefined) report({ kind: 'window', window })
    }
  }
  report({ kind: 'totals', totals: counts.totals(await load.stop()) })
  process.disconnect()
}

function report(message: LoadMessage): void {
  process.send!(message)
}

await run(JSON.parse(process.argv[2]) as LoadSpec)
