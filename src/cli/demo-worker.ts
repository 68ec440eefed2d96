import { parentPort, workerData } from 'node:worker_threads'
import { runSimulation } from '../simulate/simulation.ts'
import { parseSimulateArgs } from './commands/simulate.ts'

// A thread of its own, so that the demo's senders take no time from the doors' event loop.
const { args, isTTY } = workerData as { args: string[]; isTTY: boolean }
const stop = new AbortController()
parentPort?.once('message', () => stop.abort())
await runSimulation(parseSimulateArgs(args), {
  out: { isTTY, write: text => process.stdout.write(text) },
  stop: stop.signal,
})
// The port alone would keep the thread.
parentPort?.close()
