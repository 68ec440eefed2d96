import { setTimeout as sleep } from 'node:timers/promises'
import { Backoff } from '../kit/backoff.ts'
import type { Child, Exit } from './child.ts'
import type { FromWorker } from './messages.ts'

/** What is logged; pino's logger fits. */
export interface SlotLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface SlotOptions {
  readonly name: string
  readonly plan: unknown
  /** Whether a replacement is ready before the one that it replaces ends. */
  readonly overlaps: boolean
  readonly fork: () => Child
  readonly logger: SlotLogger
  /** How long a worker that is retired still answers its clients. */
  readonly drainMs: number
  /** How long it may take to stop before it is killed. */
  readonly stopTimeoutMs: number
  readonly restarts?: RestartPolicy
  readonly onUp: (child: Child) => void
  readonly onMessage: (child: Child, message: FromWorker) => void
  readonly onGone: (child: Child) => void
  /** Starting it again is of no use. */
  readonly onFailure: (error: Error) => void
}

export interface RestartPolicy {
  readonly firstMs: number
  readonly lastMs: number
  /** It has not started for so long: it never will. */
  readonly patienceMs: number
  /** What ran for so long and ends then, ended for a reason of its own. */
  readonly settledMs: number
  /** So many ends by itself, each before it was settled, are a loop. */
  readonly maxEarlyEnds: number
}

const RESTARTS: RestartPolicy = {
  ...{ firstMs: 200, lastMs: 10_000, patienceMs: 60_000 },
  ...{ settledMs: 30_000, maxEarlyEnds: 10 },
}
const MIN_TRIES = 5
const RELEASE_TIMEOUT_MS = 5000

/** Why a worker did not start; `exitCode` is the one that a single node would have ended with. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError'
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

interface Running {
  readonly child: Child
  /** What it says of itself; rejects with a `WorkerError` when it ends before. */
  readonly ready: Promise<unknown>
  onReleased: () => void
  readyMs: number
  isGone: boolean
  /** How it ends, once it is told to. */
  ended: Promise<Exit> | undefined
}

/**
 * The place of one worker process: started, started again when it dies, replaced while it runs.
 */
export class WorkerSlot {
  readonly #options: SlotOptions
  readonly #restarts: RestartPolicy
  readonly #backoff: Backoff
  #running: Running | undefined
  /** While one is replaced there are two. */
  readonly #alive = new Set<Running>()
  #ending = false
  #replacing = false
  #earlyEnds = 0

  constructor(options: SlotOptions) {
    this.#options = options
    this.#restarts = options.restarts ?? RESTARTS
    this.#backoff = new Backoff(this.#restarts)
  }

  get name(): string {
    return this.#options.name
  }

  get child(): Child | undefined {
    return this.#running?.child
  }

  /** Resolves with what the worker says of itself; rejects with a `WorkerError`. */
  async start(): Promise<unknown> {
    this.#replacing = true
    this.#running = this.#launch()
    try {
      return await this.#running.ready
    } finally {
      this.#replacing = false
    }
  }

  /** A new process in its place; rejects, with the old one still there, when it does not start. */
  async replace(): Promise<void> {
    const old = this.#running
    if (old === undefined || this.#ending) return
    // Nobody waits at one that is not ready, or gone.
    const overlaps = this.#options.overlaps && old.readyMs > 0
    this.#replacing = true
    try {
      if (overlaps) await this.#release(old)
      else await this.#end(old, 'stop')
      if (this.#ending) return
      const next = this.#launch()
      await next.ready.catch((error: unknown) => {
        if (overlaps) old.child.send({ type: 'regain' })
        throw error
      })
      this.#running = next
      if (overlaps) await this.#end(old, 'retire')
    } finally {
      this.#replacing = false
      // Whichever is to be there may have died meanwhile.
      if (!this.#ending && this.#running?.isGone === true) void this.#recover()
    }
  }

  /** Ends for good whatever runs in it: after a drain, or at once. Empty: there was nothing to end. */
  end(how: 'retire' | 'stop'): Promise<Exit[]> {
    this.#ending = true
    return Promise.all(Array.from(this.#alive, running => this.#end(running, how)))
  }

  #end(running: Running, how: 'retire' | 'stop'): Promise<Exit> {
    return (running.ended ??= this.#tellToEnd(running.child, how))
  }

  async #tellToEnd(child: Child, how: 'retire' | 'stop'): Promise<Exit> {
    const { drainMs, stopTimeoutMs, name, logger } = this.#options
    child.send(how === 'stop' ? { type: 'stop' } : { type: 'retire', drainMs })
    const patienceMs = stopTimeoutMs + (how === 'retire' ? drainMs : 0)
    const timer = setTimeout(() => {
      logger.error({ worker: name, pid: child.pid }, 'a worker did not stop in time: killed')
      child.kill()
    }, patienceMs)
    const exit = await child.exited
    clearTimeout(timer)
    return exit
  }

  async #release(running: Running): Promise<void> {
    const released = new Promise<void>(resolve => (running.onReleased = resolve))
    running.child.send({ type: 'release' })
    const late = sleep(RELEASE_TIMEOUT_MS, undefined, { ref: false })
    await Promise.race([released, running.child.exited, late])
  }

  #launch(): Running {
    const { name, plan, fork, onUp, onMessage, onGone } = this.#options
    const child = fork()
    const ready = Promise.withResolvers<unknown>()
    ready.promise.catch(() => {})
    const running: Running = {
      ...{ child, ready: ready.promise, onReleased: () => {} },
      ...{ readyMs: 0, isGone: false, ended: undefined },
    }
    this.#alive.add(running)
    let failure: WorkerError | undefined
    child.onMessage(message => {
      if (message.type === 'failed') failure = new WorkerError(message.message, message.exitCode)
      else if (message.type === 'released') running.onReleased()
      else if (message.type === 'ready') {
        running.readyMs = performance.now()
        onUp(child)
        ready.resolve(message.facts)
      } else onMessage(child, message)
    })
    void child.exited.then(exit => {
      running.isGone = true
      this.#alive.delete(running)
      onGone(child)
      const how = `${name} ended before it was ready (${exit.signal ?? `exit code ${exit.code}`})`
      ready.reject(failure ?? new WorkerError(how, exit.code ?? 1))
      if (this.#running === running && running.readyMs > 0) this.#died(running, exit, failure)
    })
    child.send({ type: 'start', name, plan })
    return running
  }

  #died(running: Running, exit: Exit, failure: WorkerError | undefined): void {
    if (this.#ending || running.ended !== undefined) return
    const { child, readyMs } = running
    const { name, logger, onFailure } = this.#options
    const ranMs = performance.now() - readyMs
    const reason = failure?.message ?? exit.signal ?? `exit code ${exit.code}`
    logger.error({ worker: name, pid: child.pid, reason }, 'a worker died: it is started again')
    if (ranMs > this.#restarts.settledMs) {
      this.#backoff.reset()
      this.#earlyEnds = 0
    } else if (exit.signal === null && ++this.#earlyEnds >= this.#restarts.maxEarlyEnds) {
      const times = `${this.#earlyEnds} times, each soon after its start`
      onFailure(new WorkerError(`${name} ended ${times}: ${reason}`, exit.code ?? 1))
      return
    }
    if (!this.#replacing) void this.#recover()
  }

  async #recover(): Promise<void> {
    const { name, logger, onFailure } = this.#options
    const begunMs = performance.now()
    for (let tries = 1; !this.#ending; tries++) {
      await sleep(this.#backoff.next())
      // Whoever replaces it looks after it, or has done so.
      if (this.#ending || this.#replacing || this.#running?.isGone === false) return
      const own = this.#launch()
      const { child, ready } = own
      this.#running = own
      try {
        await ready
        logger.info({ worker: name, pid: child.pid }, 'a worker is back')
        return
      } catch (error) {
        if (this.#ending || this.#replacing || this.#running !== own) return
        const { message, exitCode } = error as WorkerError
        logger.error({ worker: name, reason: message, tries }, 'a worker does not start')
        const waitedMs = performance.now() - begunMs
        if (tries < MIN_TRIES || waitedMs < this.#restarts.patienceMs) continue
        const times = `${tries} times in ${Math.round(waitedMs / 1000)} s`
        onFailure(new WorkerError(`${name} did not start, ${times}: ${message}`, exitCode))
        return
      }
    }
  }
}
