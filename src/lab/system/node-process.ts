import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../provide/free-port.ts'
import { guardProcess } from '../../provide/process-guard.ts'
import { HttpClient } from './http-client.ts'

const extension = extname(import.meta.url)
const MAIN = fileURLToPath(new URL(`../../cli/main${extension}`, import.meta.url))
/** What is kept of its output, to say why it failed. */
const MAX_OUTPUT_CHARS = 200_000
const TOLD_CHARS = 4000
const MAX_TRIES = 5
const READY_POLL_MS = 20
const READY_WITHIN_MS = 180_000
const STOP_WITHIN_MS = 20_000

export interface NodeProcessOptions {
  /** Flags of `weir up`, but for its addresses. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

/** `weir up` as a person runs it. */
export interface NodeProcess {
  readonly url: string
  readonly pid: number
  /** The end of what it has printed. */
  output(): string
  /** Undefined while it runs. */
  ended(): string | undefined
  /** SIGTERM; SIGKILL to all of it when that takes too long. Idempotent. */
  stop(): Promise<void>
  /** SIGKILL at once: this process is ending. */
  kill(): void
}

/**
 * Starts a node on free ports and resolves when it is ready. It never outlives this process.
 *
 * @throws Error with what the node printed.
 */
export async function startNodeProcess(options: NodeProcessOptions): Promise<NodeProcess> {
  for (let tries = 1; ; tries++) {
    const http = `127.0.0.1:${await freePort()}`
    const addresses = ['--http', http, '--mqtt', `127.0.0.1:${await freePort()}`]
    const node = new ChildNode(
      `http://${http}`,
      spawnNode([...options.args, ...addresses], options.env),
    )
    if (await node.isReady()) return node
    const printed = node.output()
    const how = node.ended() ?? `was not ready within ${READY_WITHIN_MS / 1000} s`
    await node.stop()
    // Between the look for a free port and its use, another program may have taken it.
    if (tries < MAX_TRIES && printed.includes('EADDRINUSE')) continue
    throw new Error(`weir up ${how}:\n${printed.slice(-TOLD_CHARS)}`)
  }
}

function spawnNode(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ChildProcess {
  const child = spawn(process.execPath, [MAIN, 'up', ...args], {
    env: { ...env, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C is for the lab, which stops it when it has no more use for it.
    detached: true,
  })
  if (child.pid !== undefined) guardProcess(child, 'SIGTERM')
  return child
}

/** A child that leads a group of processes and has pipes to here. */
export class ChildNode implements NodeProcess {
  readonly url: string
  readonly #child: ChildProcess
  readonly #closed: Promise<void>
  #isClosed = false
  #printed = ''
  #ended: string | undefined
  #stopping: Promise<void> | undefined

  constructor(url: string, child: ChildProcess) {
    this.url = url
    this.#child = child
    const print = (chunk: Buffer): void => {
      this.#printed = (this.#printed + chunk.toString()).slice(-MAX_OUTPUT_CHARS)
    }
    child.stdout?.on('data', print)
    child.stderr?.on('data', print)
    child.once('error', error => (this.#ended = `could not be started: ${error.message}`))
    child.once('exit', (code, signal) => (this.#ended = `ended (${signal ?? `exit code ${code}`})`))
    this.#closed = once(child, 'close')
      .catch(() => {})
      .then(() => void (this.#isClosed = true))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  output(): string {
    return this.#printed
  }

  ended(): string | undefined {
    return this.#ended
  }

  async isReady(): Promise<boolean> {
    const deadlineMs = performance.now() + READY_WITHIN_MS
    const client = new HttpClient(this.url)
    try {
      while (this.#ended === undefined && performance.now() < deadlineMs) {
        // The banner comes when the doors are open: until then there is nobody to ask.
        if (this.#printed.includes(this.url)) {
          const answer = await client.get('/ready').catch(() => undefined)
          if (answer?.status === 200) return true
        }
        await sleep(READY_POLL_MS)
      }
      return false
    } finally {
      client.close()
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    const late = setTimeout(() => this.kill(), STOP_WITHIN_MS)
    this.#child.kill('SIGTERM')
    await this.#closed
    clearTimeout(late)
  }

  kill(): void {
    // A worker may outlive what supervises it, and holds its pipes then.
    if (this.#child.pid === undefined || this.#isClosed) return
    try {
      // With its workers, which are of its group.
      process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // It has just ended.
    }
  }
}
