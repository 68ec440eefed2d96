import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const START_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 120_000

/** What `/api/v1/ledger` says, in points. */
export interface LedgerFigures {
  readonly received: number
  readonly stored: number
  readonly duplicate: number
  readonly rejected: number
  readonly dead_lettered: number
  readonly in_flight: number
  readonly in_flight_at: { readonly log: number; readonly writer: number }
}

export interface MemoryFigures {
  /** Resident, with the pages of files that are mapped (the page cache's, which the kernel takes back). */
  readonly rssBytes: number
  /** Resident and the process's own. */
  readonly anonymousBytes: number
}

/** A running `weir up` with the default configuration. */
export interface BenchServer {
  readonly dataFolder: string
  readonly httpPort: number
  readonly mqttPort: number
  readonly pid: number
  /** From starting the process until `/ready` answered 200. */
  readonly readyMs: number
  memory(): MemoryFigures
  /** CPU seconds used since the start. */
  cpuSeconds(): number
  ledger(): Promise<LedgerFigures>
  /** Samples of `/metrics` by name with labels, as Prometheus writes them. */
  metrics(): Promise<Map<string, number>>
  /** SIGTERM; resolves with the milliseconds it took. */
  stop(): Promise<number>
  /** SIGKILL. */
  kill(): Promise<void>
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

export async function startServer(
  dataFolder: string,
  args: readonly string[] = [],
): Promise<BenchServer> {
  const httpPort = await freePort()
  const mqttPort = await freePort()
  const addresses = ['--http', `127.0.0.1:${httpPort}`, '--mqtt', `127.0.0.1:${mqttPort}`]
  const logFile = join(dataFolder, '..', `server-${httpPort}.log`)
  const output = openSync(logFile, 'w')
  const began = performance.now()
  const child = spawn(process.execPath, [MAIN, 'up', '--data', dataFolder, ...addresses, ...args], {
    stdio: ['ignore', output, output],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  closeSync(output)
  // A bench that is interrupted must not leave its server behind.
  const killWithBench = (): void => void child.kill('SIGKILL')
  process.once('exit', killWithBench)
  child.once('exit', () => process.off('exit', killWithBench))

  const base = `http://127.0.0.1:${httpPort}`
  const log = (): string => readFileSync(logFile, 'utf8').split('\n').slice(-15).join('\n')
  await ready(child, { base, began, log })
  const readyMs = performance.now() - began
  const { pid } = child
  if (pid === undefined) throw new Error('the server has no process')
  return {
    ...{ dataFolder, httpPort, mqttPort, readyMs },
    pid,
    memory: () => memoryOf(pid),
    cpuSeconds: () => cpuSecondsOf(pid),
    ledger: async () => (await get(`${base}/api/v1/ledger`)).json() as Promise<LedgerFigures>,
    metrics: async () => parseMetrics(await (await get(`${base}/metrics`)).text()),
    stop: () => stop(child, log),
    async kill() {
      if (hasExited(child)) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

interface Starting {
  readonly base: string
  readonly began: number
  readonly log: () => string
}

async function ready(child: ChildProcess, { base, began, log }: Starting): Promise<void> {
  for (;;) {
    if (hasExited(child)) throw new Error(`the server ended at its start:\n${log()}`)
    const answer = await fetch(`${base}/ready`).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.status === 200) return
    if (performance.now() - began > START_TIMEOUT_MS) {
      child.kill('SIGKILL')
      throw new Error(`the server was not ready after ${START_TIMEOUT_MS} ms:\n${log()}`)
    }
    await sleep(5)
  }
}

const hasExited = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null

async function stop(child: ChildProcess, log: () => string): Promise<number> {
  if (hasExited(child)) {
    throw new Error(
      `the server has ended by itself (${child.exitCode ?? child.signalCode}):\n${log()}`,
    )
  }
  const began = performance.now()
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  const [code] = (await exited) as [number | null]
  clearTimeout(late)
  if (code !== 0) throw new Error(`the server stopped with code ${code}:\n${log()}`)
  return performance.now() - began
}

async function get(url: string): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) })
  if (response.status !== 200)
    throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return response
}

function memoryOf(pid: number): MemoryFigures {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? NaN)
  return { rssBytes: kilobytes('VmRSS') * 1024, anonymousBytes: kilobytes('RssAnon') * 1024 }
}

/** CPU seconds that a process has used so far. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  // utime and stime in ticks, of which Linux has 100 a second.
  return (Number(fields[11]) + Number(fields[12])) / 100
}

export function parseMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const space = line.lastIndexOf(' ')
    samples.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return samples
}
