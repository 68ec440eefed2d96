import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Backoff } from '../kit/backoff.ts'
import { WeirError } from '../ports/errors.ts'
import { freePort, isFreePort } from './free-port.ts'
import { guardProcess } from './process-guard.ts'
import { processStart } from './process-start.ts'
import type {
  ProvidedServer,
  ProvideOptions,
  ServerCommand,
  ServerKind,
} from './provided-server.ts'
import { endLeftover, readState, writeState } from './server-state.ts'

const POLL_MS = 25
const MAX_TRIES = 5
const MAX_LOG_BYTES = 1 << 20
const TOLD_LINES = 8

/**
 * Starts a server on a free loopback port and resolves when it answers. The server ends with this
 * process, however that ends.
 *
 * @throws WeirError `retryable` when it does not start, with what it said; `conflict` when one that
 *   cannot be stopped runs on the folder.
 */
export async function runServer(
  kind: ServerKind,
  options: ProvideOptions,
): Promise<ProvidedServer> {
  mkdirSync(options.directory, { recursive: true })
  await endLeftover(kind, options)
  const last = readState(options.directory)?.port
  for (let tries = 1; ; tries++) {
    const isUsual = tries === 1 && last !== undefined && (await isFreePort(last))
    const server = new ServerProcess(kind, options, isUsual ? last : await freePort())
    try {
      await server.start()
      return server
    } catch (error) {
      // Between the look for a free port and its use, another program may have taken it.
      if (tries === MAX_TRIES || (await isFreePort(server.port))) throw error
    }
  }
}

class ServerProcess implements ProvidedServer {
  readonly port: number
  readonly #kind: ServerKind
  readonly #options: ProvideOptions
  #child: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()
  #stopping: Promise<void> | undefined
  #restarting: Promise<void> | undefined
  readonly #abort = new AbortController()

  constructor(kind: ServerKind, options: ProvideOptions, port: number) {
    this.#kind = kind
    this.#options = options
    this.port = port
  }

  get name(): string {
    return this.#kind.name
  }

  get address(): string {
    return this.#kind.address(this.port)
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get directory(): string {
    return this.#options.directory
  }

  describe(): string {
    const { title, note } = this.#kind
    const known = note === undefined ? '' : ` (${note})`
    return `${title} at 127.0.0.1:${this.port}, data in ${this.directory}${known}`
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** @throws WeirError `retryable` when it ends, or does not answer in time. */
  async start(): Promise<void> {
    for (;;) {
      const output = await this.#launch()
      if (output === undefined) break
      if (this.#abort.signal.aborted) return
      if (this.#kind.isPassing?.(output) !== true) throw this.#failure(output)
      await sleep(POLL_MS)
    }
    this.#child!.once('exit', () => this.#onExit())
  }

  /** Starts the process once. Undefined: it answers; else what it said before its end. */
  async #launch(): Promise<string | undefined> {
    const { port } = this
    const command = await this.#kind.command(port)
    if (this.#abort.signal.aborted) return ''
    const log = openLog(this.directory)
    const child = spawnServer(command, { cwd: this.directory, log: log.file })
    closeSync(log.file)
    this.#child = child
    const { promise: exited, resolve } = Promise.withResolvers<void>()
    this.#exited = exited
    let hasExited = false
    const onEnd = (): void => {
      hasExited = true
      resolve()
    }
    child.once('exit', onEnd)
    child.once('error', onEnd)
    if (child.pid !== undefined) {
      const started = processStart(child.pid)!
      writeState(this.directory, { port, pid: child.pid, started })
      guardProcess(child, this.#kind.stopSignal)
      // Whoever has killed it already will be seen as its end.
      child.stdin!.on('error', () => {})
      child.stdin!.write('go\n')
    }
    const deadlineMs = performance.now() + this.#kind.readyWithinMs
    while (!hasExited) {
      if ((await this.#kind.isReady(port, child.pid!)) && !hasExited) return undefined
      if (performance.now() > deadlineMs) child.kill('SIGKILL')
      // After the kill too: its end is an event, and the answer above may have taken no turn.
      await Promise.race([exited, sleep(POLL_MS)])
    }
    return log.written()
  }

  #failure(output: string): WeirError {
    const said = output.trim().split('\n').slice(-TOLD_LINES).join('\n')
    const { title } = this.#kind
    const where = join(this.directory, 'server.log')
    return new WeirError('retryable', `${title} did not start. ${where} ends with:\n${said}`)
  }

  #onExit(): void {
    if (this.#stopping !== undefined || this.#options.restarts !== true) return
    this.#restarting = this.#restart()
  }

  async #restart(): Promise<void> {
    const { report } = this.#options
    const { signal } = this.#abort
    const backoff = new Backoff({ firstMs: 200, lastMs: 10_000 })
    report(`${this.name} has ended by itself: starting it again`)
    while (!signal.aborted) {
      try {
        return await this.start()
      } catch (error) {
        report((error as Error).message)
      }
      await sleep(backoff.next(), undefined, { signal }).catch(() => {})
    }
  }

  async #stop(): Promise<void> {
    this.#abort.abort()
    const { stopSignal, stopWithinMs } = this.#kind
    // While it starts anew there may be a process that answers nobody yet.
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), stopWithinMs)
    this.#child?.kill(stopSignal)
    await this.#restarting
    await this.#exited
    clearTimeout(late)
    writeState(this.directory, { port: this.port })
  }
}

interface Log {
  readonly file: number
  /** What has been written since. */
  written(): string
}

function openLog(directory: string): Log {
  const path = join(directory, 'server.log')
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const isFull = size > MAX_LOG_BYTES
  if (isFull) renameSync(path, `${path}.1`)
  const from = isFull ? 0 : size
  return {
    file: openSync(path, 'a', 0o600),
    written: () => readFileSync(path).subarray(from).toString(),
  }
}

/**
 * The process waits for a word before it becomes the server: should this one be killed before it
 * has noted the other's id, it gets none and ends. In a session of its own, because Ctrl-C is for
 * Weir, which stops the server when it has no more use for it.
 */
function spawnServer(
  { program, args, env, user }: ServerCommand,
  { cwd, log }: { cwd: string; log: number },
): ChildProcess {
  return spawn('/bin/sh', ['-c', 'read -r _ && exec "$@" </dev/null', 'sh', program, ...args], {
    ...{ cwd, detached: true, env: { ...process.env, ...env } },
    stdio: ['pipe', log, log],
    ...user,
  })
}
