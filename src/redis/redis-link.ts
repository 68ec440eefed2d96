import { Redis, ReplyError } from 'ioredis'
import { Backoff } from '../kit/backoff.ts'
import { Circuit } from '../kit/circuit.ts'
import type { ServerHealth } from '../ports/server-health.ts'

export interface RedisLinkOptions {
  /** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. */
  readonly url: string
  /** How long an answer is waited for. */
  readonly commandTimeoutMs: number
}

const FAILURES_TO_OPEN = 3
const FIRST_PROBE_MS = 100
const LAST_PROBE_MS = 2000
const FIRST_RECONNECT_MS = 50
const LAST_RECONNECT_MS = 2000
const CONNECT_TIMEOUT_MS = 3000
/** A connection over which nothing has come for this long, although something should, is given up. */
const SILENT_MS = 5000
const MAX_IN_FLIGHT = 1000
const MAX_IN_FLIGHT_BYTES = 16 * 1024 * 1024
const LOOK_INTERVAL_MS = 100

/** A script of Redis, sent whole only where the server does not know it yet. */
export interface RedisScript {
  readonly sha1: string
  readonly lua: string
}

type Argument = string | number | Buffer

/**
 * The connection to Redis of one process, for what may fail: each command is answered by its
 * deadline or given up, and after some that were not, Redis is left alone but for probes. Nothing
 * waits for a connection, what is on its way is bounded, and reconnecting backs off.
 */
export class RedisLink {
  readonly #redis: Redis
  readonly #options: RedisLinkOptions
  readonly #circuit: Circuit
  readonly #reconnect = new Backoff({ firstMs: FIRST_RECONNECT_MS, lastMs: LAST_RECONNECT_MS })
  readonly #onUp: (() => void)[] = []
  readonly #onDown: (() => void)[] = []
  readonly #onRestart: (() => void)[] = []
  readonly #timer: NodeJS.Timeout
  #counts = { answered: 0, timeouts: 0, errors: 0, skipped: 0 }
  #inFlight = 0
  #inFlightBytes = 0
  #isReady = false
  #wasUp = false
  #wasReached = false
  #runId: string | undefined
  #problem: string | undefined = 'it has not been reached yet'

  constructor(options: RedisLinkOptions) {
    this.#options = options
    this.#circuit = new Circuit({
      ...{ failures: FAILURES_TO_OPEN, firstMs: FIRST_PROBE_MS, lastMs: LAST_PROBE_MS },
      nowMs: () => performance.now(),
    })
    this.#redis = new Redis(options.url, {
      ...{ lazyConnect: true, connectTimeout: CONNECT_TIMEOUT_MS, connectionName: 'weir' },
      ...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false },
      ...{ maxRetriesPerRequest: 0, socketTimeout: SILENT_MS, protocol: 2 },
      retryStrategy: () => this.#reconnect.next(),
    })
    this.#redis.on('error', (error: Error) => void (this.#problem = error.message))
    this.#redis.on('close', () => {
      this.#isReady = false
      this.#tell()
    })
    this.#redis.on('ready', () => void this.#greet())
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS)
    this.#timer.unref()
  }

  /** Resolves when Redis has answered, or has not within a second; it is tried again either way. */
  async open(): Promise<void> {
    const up = new Promise<void>(resolve => this.#onUp.push(resolve))
    const late = new Promise<void>(resolve => setTimeout(resolve, 1000).unref())
    this.#redis.connect().catch(() => {})
    await Promise.race([up, late])
  }

  /** Whether Redis has answered lately. */
  get isUp(): boolean {
    return this.#isReady && !this.#circuit.isOpen
  }

  health(): ServerHealth {
    const { isUp } = this
    return { isUp, problem: isUp ? undefined : this.#why(), ...this.#counts }
  }

  onUp(listener: () => void): void {
    this.#onUp.push(listener)
  }

  onDown(listener: () => void): void {
    this.#onDown.push(listener)
  }

  /** Called, before `onUp`, when it is another server than before, or the same one without what it had. */
  onRestart(listener: () => void): void {
    this.#onRestart.push(listener)
  }

  /**
   * Sends a command; undefined when it was not answered in time, for whatever reason. `bytes`: what
   * it holds in memory until Redis has answered.
   */
  ask<T>(send: (redis: Redis) => Promise<T>, bytes = 0): Promise<T | undefined> {
    const hasRoom = this.#inFlight < MAX_IN_FLIGHT && this.#inFlightBytes <= MAX_IN_FLIGHT_BYTES
    if (!this.#isReady || !hasRoom || !this.#circuit.allows()) {
      this.#counts.skipped++
      return NOTHING
    }
    return this.#send(send, bytes)
  }

  /** Runs a script. */
  run(
    { sha1, lua }: RedisScript,
    { keys, args }: { readonly keys: readonly Argument[]; readonly args: readonly Argument[] },
  ): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args]
    return this.ask(redis =>
      redis.callBuffer('EVALSHA', [sha1, ...rest]).catch((error: unknown) => {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        return redis.callBuffer('EVAL', [lua, ...rest])
      }),
    )
  }

  /** Another connection to the same server, not connected yet. */
  duplicate(): Redis {
    const backoff = new Backoff({ firstMs: FIRST_RECONNECT_MS, lastMs: LAST_RECONNECT_MS })
    const other = this.#redis.duplicate({
      ...{ autoResubscribe: false, retryStrategy: () => backoff.next() },
    })
    other.on('error', () => {})
    other.on('ready', () => backoff.reset())
    return other
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#isReady = false
    this.#redis.disconnect()
    await Promise.resolve()
  }

  #send<T>(send: (redis: Redis) => Promise<T>, bytes: number): Promise<T | undefined> {
    this.#inFlight++
    this.#inFlightBytes += bytes
    const answer = send(this.#redis)
    const landed = (): void => {
      this.#inFlight--
      this.#inFlightBytes -= bytes
    }
    answer.then(landed, landed)
    return this.#inTime(answer)
  }

  #inTime<T>(answer: Promise<T>): Promise<T | undefined> {
    return new Promise(resolve => {
      let isOver = false
      const over = (value?: T): void => {
        isOver = true
        clearTimeout(timer)
        resolve(value)
        this.#tell()
      }
      const timer = setTimeout(() => {
        // This process may have been busy for as long: what has arrived meanwhile is read first.
        setImmediate(() => {
          if (isOver) return
          this.#counts.timeouts++
          this.#circuit.failed()
          over()
        })
      }, this.#options.commandTimeoutMs)
      answer.then(
        value => {
          this.#counts.answered++
          if (isOver) return
          this.#circuit.succeeded()
          over(value)
        },
        (error: unknown) => {
          this.#counts.errors++
          if (isOver) return
          // Redis refused it (out of memory, read only), which is an answer.
          if (error instanceof ReplyError) this.#circuit.succeeded()
          else this.#circuit.failed()
          this.#problem = (error as Error).message
          over()
        },
      )
    })
  }

  /** A new connection: is it the server that it was? */
  async #greet(): Promise<void> {
    this.#reconnect.reset()
    const info = await this.#redis.info('server').catch(() => '')
    if (this.#redis.status !== 'ready') return
    const runId = /run_id:(\w+)/.exec(info)?.[1]
    // One that does not say which it is, because INFO may be forbidden, may be another one.
    const isSame = runId !== undefined && runId === this.#runId
    this.#isReady = true
    if (this.#wasReached && !isSame) for (const told of this.#onRestart) told()
    this.#wasReached = true
    this.#runId = runId
    this.#tell()
  }

  #why(): string {
    if (!this.#isReady) return this.#problem ?? 'the connection is lost'
    return `it does not answer within ${this.#options.commandTimeoutMs} ms`
  }

  #tell(): void {
    const { isUp } = this
    if (isUp === this.#wasUp) return
    this.#wasUp = isUp
    for (const told of isUp ? this.#onUp : this.#onDown) told()
  }

  /** While it is left alone somebody has to find out when it answers again. */
  #look(): void {
    if (!this.#isReady || !this.#circuit.isOpen || !this.#circuit.allows()) return
    void this.#send(redis => redis.ping(), 0)
  }
}

const NOTHING: Promise<undefined> = Promise.resolve(undefined)
