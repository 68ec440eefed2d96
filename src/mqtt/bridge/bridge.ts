import { Backoff } from '../../kit/backoff.ts'
import { InboundSession } from '../inbound-sessions.ts'
import { ArrivalClock } from '../message.ts'
import { rateLimited } from '../rate-limited.ts'
import { TopicRoutes } from '../topic-routes.ts'
import { BridgeCounts } from './bridge-counts.ts'
import { BrokerLink, type LinkHost } from './broker-link.ts'
import { checkFiles } from './broker-socket.ts'
import type { BridgeOptions, BridgeStats } from './options.ts'
import { SubscribedFilters } from './subscribed-filters.ts'

const BACKOFF = { firstMs: 1000, lastMs: 30_000 }
/** A connection that lasts so long was a good one: the wait after it is a first one again. */
const STABLE_MS = 10_000

/**
 * Takes telemetry from an outside broker: subscribes with QoS 1 in a session that the broker keeps,
 * and acknowledges a message only when its points are durable. So what the broker has is stored in
 * the end, whichever side is killed; what is delivered twice is merged by its key. A message that
 * brings no time has that of its first arrival, which is forgotten only when Weir itself ends
 * before the acknowledgement.
 *
 * It connects in the background, and again with growing waits: an outside broker that is away stops
 * nothing else.
 */
export class Bridge {
  readonly #options: BridgeOptions
  readonly #host: LinkHost
  readonly #backoff: Backoff
  readonly #where: string
  readonly #stopped = new AbortController()
  readonly #running: Promise<void>
  #link: BrokerLink | undefined
  #connections = 0
  #failure: string | undefined = 'it has not connected yet'

  /** @throws WeirError of kind `config` for a wrong template, or a file that cannot be read. */
  constructor(options: BridgeOptions) {
    const { name, log, url, clientId } = options
    checkFiles(options)
    this.#options = options
    this.#where = new URL(url).host
    this.#backoff = new Backoff(options.backoff ?? BACKOFF)
    this.#host = {
      options,
      counts: new BridgeCounts(),
      routes: new TopicRoutes(options.templates),
      session: new InboundSession(),
      arrivals: new ArrivalClock(),
      subscribed: new SubscribedFilters(options.stateFile, `${clientId} at ${url}`),
      warn: rateLimited((fields, message) => log.warn({ bridge: name, ...fields }, message)),
      onSubscribed: () => this.#subscribed(),
    }
    this.#running = this.#run()
  }

  stats(): BridgeStats {
    const link = this.#link
    return {
      name: this.#options.name,
      isConnected: link?.isSubscribed === true,
      refusedFilters: link?.refused.size ?? 0,
      messages: this.#host.counts.byKind(),
      inFlight: link?.inFlight ?? 0,
      reconnects: Math.max(0, this.#connections - 1),
    }
  }

  /** What keeps points from coming in, as a sentence; undefined while all is well. */
  problem(): string | undefined {
    const { name } = this.#options
    const where = this.#where
    const [refused] = this.#link?.refused ?? []
    if (refused !== undefined) {
      const [filter, reason] = refused
      return `the broker ${where} refuses the bridge ${name} the filter ${filter}: ${reason}`
    }
    if (this.#failure !== undefined) {
      return `the bridge ${name} is not connected to ${where}: ${this.#failure}`
    }
    if (this.#link?.isHeld !== true) return undefined
    return `the bridge ${name} waits: the log takes no points`
  }

  /**
   * Reads nothing more, acknowledges what was read once it is durable, and leaves. The broker keeps
   * the session and what comes meanwhile. The gate has to be open until it resolves.
   */
  async close(timeoutMs = 10_000): Promise<void> {
    this.#stopped.abort()
    await this.#link?.close(timeoutMs)
    await this.#running
  }

  async #run(): Promise<void> {
    const { name, log } = this.#options
    const { signal } = this.#stopped
    while (!signal.aborted) {
      const beganMs = performance.now()
      const reason = await this.#runLink()
      this.#failure = reason
      if (signal.aborted) return
      if (performance.now() - beganMs > STABLE_MS) this.#backoff.reset()
      const retryMs = this.#backoff.next()
      const fields = { bridge: name, broker: this.#where, reason, retryMs }
      log.warn(fields, 'not connected to an outside broker')
      await pause(retryMs, signal)
    }
  }

  async #runLink(): Promise<string> {
    try {
      this.#link = new BrokerLink(this.#host)
      return await this.#link.ended
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    } finally {
      this.#link = undefined
    }
  }

  #subscribed(): void {
    this.#connections++
    this.#failure = undefined
    const { name, filters, share, log } = this.#options
    const fields = { bridge: name, broker: this.#where, filters, share }
    log.info(fields, 'connected to an outside broker')
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
