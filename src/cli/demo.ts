import { once } from 'node:events'
import { extname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

const STOP_MS = 2000

const FLEET = ['--devices', '100', '--interval', '1s']
const FAULTS = ['--drop-outs', '1%', '--disorder', '2%', '--duplicates', '1%', '--spikes', '0.2%']

export interface Demo {
  /** Resolves when the fleet is silent; after some seconds it is cut. */
  stop(): Promise<void>
}

/** A simulated fleet that sends to `target`; it runs until it is stopped. */
export function startDemo(target: string, onError: (error: Error) => void): Demo {
  const args = ['--target', target, ...FLEET, ...FAULTS]
  const file = new URL(`./demo-worker${extname(import.meta.url)}`, import.meta.url)
  const worker = new Worker(file, { workerData: { args, isTTY: process.stdout.isTTY === true } })
  worker.on('error', error => onError(error as Error))
  const exited = once(worker, 'exit').catch(() => {})
  return {
    async stop() {
      worker.postMessage('stop')
      await Promise.race([exited, sleep(STOP_MS, undefined, { ref: false })])
      await worker.terminate()
    },
  }
}
