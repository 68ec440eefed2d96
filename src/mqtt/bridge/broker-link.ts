import { MqttClient, type IClientOptions, type IConnackPacket, type ISubscriptionGrant } from 'mqtt'
import { Backoff } from '../../kit/backoff.ts'
import type { ArrivalClock } from '../message.ts'
import type { MqttLogger } from '../options.ts'
import type { InboundSession } from '../inbound-sessions.ts'
import type { TopicRoutes } from '../topic-routes.ts'
import type { BridgeCounts } from './bridge-counts.ts'
import { connectToBroker, readLogin } from './broker-socket.ts'
import { Inbound } from './inbound.ts'
import type { BridgeOptions } from './options.ts'
import { reasonText } from './reason-text.ts'
import type { SubscribedFilters } from './subscribed-filters.ts'

export interface LinkHost {
  readonly options: BridgeOptions
  readonly routes: TopicRoutes
  readonly session: InboundSession
  readonly arrivals: ArrivalClock
  readonly counts: BridgeCounts
  readonly subscribed: SubscribedFilters
  readonly warn: MqttLogger['warn']
  readonly onSubscribed: () => void
}

const CONNECT_TIMEOUT_MS = 15_000
/** AWS IoT Core takes no more in one packet. */
const MAX_FILTERS = 8
const RESUBSCRIBE = { firstMs: 2000, lastMs: 60_000 }
/** What MQTT 5 can say: four bytes of seconds, all ones for ever. */
const MAX_EXPIRY_SECONDS = 0xffff_ffff

/** One connection to the broker, from the attempt to its end; the bridge makes the next one. */
export class BrokerLink {
  /** Resolves with why it ended. */
  readonly ended: Promise<string>
  /** All filters but the refused ones are subscribed. */
  isSubscribed = false
  /** Filters that the broker refused, with its reason. */
  readonly refused = new Map<string, string>()
  readonly #host: LinkHost
  readonly #inbound: Inbound
  readonly #client: MqttClient
  #isOver = false
  #reason: string | undefined
  #retry: NodeJS.Timeout | undefined

  /** @throws when a file with a certificate or a password cannot be read. */
  constructor(host: LinkHost) {
    const { options, routes, session, arrivals, counts, warn } = host
    this.#host = host
    const { promise, resolve } = Promise.withResolvers<string>()
    this.ended = promise
    const { version, maxPacketBytes, maxInFlightMessages, ingest } = options
    const login = readLogin(options)
    this.#inbound = new Inbound(connectToBroker(options), {
      ...{ version, routes, session, arrivals, maxPacketBytes, counts, warn, ingest },
      maxInFlightMessages,
      takesRetained: options.retained,
      onClose: reason => {
        this.#isOver = true
        clearTimeout(this.#retry)
        // MQTT.js closes first and says why afterwards.
        setImmediate(() => resolve(this.#reason ?? reason ?? 'the broker closed the connection'))
      },
    })
    this.#client = new MqttClient(() => this.#inbound.stream, {
      ...clientOptions(options),
      ...login,
    })
    this.#listen(options)
  }

  get inFlight(): number {
    return this.#inbound.messages
  }

  get isHeld(): boolean {
    return this.#inbound.isHeld
  }

  /** Acknowledges what was read once it is durable, says DISCONNECT, and closes. */
  async close(timeoutMs: number): Promise<void> {
    this.#reason ??= 'Weir is stopping'
    const late = setTimeout(() => this.#inbound.cut('Weir is stopping'), timeoutMs)
    await this.#inbound.drain()
    if (this.isSubscribed) this.#client.end()
    else this.#inbound.cut('Weir is stopping')
    await this.ended
    clearTimeout(late)
  }

  #listen(options: BridgeOptions): void {
    const client = this.#client
    client.on('error', error => this.#fail(error.message))
    client.on('connect', connack => {
      if (!connack.sessionPresent) this.#host.session.arrivals.clear()
      void this.#begin(
        this.#asShared(options.filters, connack),
        new Backoff(options.backoff ?? RESUBSCRIBE),
      )
    })
    client.on('disconnect', ({ reasonCode }) => {
      this.#fail(`the broker ended the connection: ${reasonText(reasonCode)}`)
    })
    client.on('packetsend', ({ cmd }) => {
      if (cmd === 'pingreq') this.#inbound.pinged()
    })
  }

  #fail(reason: string): void {
    this.#reason ??= reason
    this.#inbound.cut(reason)
  }

  /** A broker without shared subscriptions says so (MQTT 5); what came twice is merged by its key. */
  #asShared(filters: readonly string[], { properties }: IConnackPacket): readonly string[] {
    const { share, name } = this.#host.options
    if (share === undefined) return filters
    if (properties?.sharedSubscriptionAvailable !== false) {
      return filters.map(filter => `$share/${share}/${filter}`)
    }
    const fields = { bridge: name, share }
    this.#host.warn(
      fields,
      'the broker has no shared subscriptions; the bridge takes one of its own',
    )
    return filters
  }

  /** Leaves the filters of an earlier configuration, then asks for those of this one. */
  async #begin(wanted: readonly string[], backoff: Backoff): Promise<void> {
    const { subscribed } = this.#host
    const stale = subscribed.stale(wanted)
    try {
      subscribed.remember([...stale, ...wanted])
      for (const some of inGroups(stale)) await this.#client.unsubscribeAsync(some)
      subscribed.remember(wanted)
    } catch (error) {
      this.#fail((error as Error).message)
      return
    }
    await this.#subscribe(wanted, backoff)
  }

  /** Asks again from time to time for what was refused: rights change at the broker. */
  async #subscribe(filters: readonly string[], backoff: Backoff): Promise<void> {
    let granted: readonly number[]
    try {
      granted = (await Promise.all(inGroups(filters).map(some => this.#ask(some)))).flat()
    } catch (error) {
      this.#fail((error as Error).message)
      return
    }
    if (this.#isOver) return
    const { options, warn, onSubscribed } = this.#host
    const bridge = options.name
    for (const [i, filter] of filters.entries()) {
      const code = granted[i]
      if (code >= 0x80) this.#refuse(filter, reasonText(code))
      else this.refused.delete(filter)
      if (code < options.qos) {
        warn({ bridge, filter, qos: code }, 'the broker grants a lower QoS: messages may be lost')
      }
    }
    if (this.refused.size > 0) {
      const again = [...this.refused.keys()]
      this.#retry = setTimeout(() => void this.#subscribe(again, backoff), backoff.next())
      this.#retry.unref()
    }
    if (this.refused.size === options.filters.length || this.isSubscribed) return
    this.isSubscribed = true
    onSubscribed()
  }

  #refuse(filter: string, reason: string): void {
    const { log, name } = this.#host.options
    if (!this.refused.has(filter)) {
      log.error({ bridge: name, filter, reason }, 'the broker refused a subscription')
    }
    this.refused.set(filter, reason)
  }

  /** The code that the broker gives for each filter, 0x80 and above: refused. */
  #ask(filters: readonly string[]): Promise<readonly number[]> {
    const { qos, retained } = this.#host.options
    // Retained messages with a new subscription (1), or never (2); MQTT 3.1.1 always sends them.
    const rh = retained ? 1 : 2
    return new Promise((resolve, reject) => {
      this.#client.subscribe([...filters], { qos, rh }, (error, _subscriptions, packet) => {
        // A refusal is an error too, with the codes of all filters in the packet.
        const codes = packet?.granted as readonly (number | ISubscriptionGrant)[] | undefined
        if (codes?.length === filters.length) resolve(codes as readonly number[])
        else reject(error ?? new Error('the broker did not answer the subscription'))
      })
    })
  }
}

function inGroups(filters: readonly string[]): string[][] {
  const groups: string[][] = []
  for (let i = 0; i < filters.length; i += MAX_FILTERS)
    groups.push(filters.slice(i, i + MAX_FILTERS))
  return groups
}

function clientOptions(options: BridgeOptions): IClientOptions {
  const { version, clientId, keepAliveMs, sessionExpiryMs, maxInFlightMessages } = options
  const common: IClientOptions = {
    clientId,
    clean: false,
    keepalive: Math.max(1, Math.round(keepAliveMs / 1000)),
    // A link is one connection; the bridge makes the next, with waits that grow.
    reconnectPeriod: 0,
    resubscribe: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
  }
  if (version === 'v3.1.1') return { ...common, protocolVersion: 4 }
  return {
    ...common,
    protocolVersion: 5,
    properties: {
      sessionExpiryInterval: Math.min(Math.ceil(sessionExpiryMs / 1000), MAX_EXPIRY_SECONDS),
      receiveMaximum: Math.min(maxInFlightMessages, 65_535),
      maximumPacketSize: options.maxPacketBytes,
    },
  }
}
