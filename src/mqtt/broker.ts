import { Aedes, type AedesPublishPacket, type Client } from 'aedes'
import {
  BoundedPersistence,
  type Persistence,
  type PersistenceLimits,
} from './bounded-persistence.ts'
import { TopicEmitter } from './topic-emitter.ts'

export interface BrokerMessage {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

export interface BrokerOptions {
  readonly limits: PersistenceLimits
  /** A fault in the broker's engine or in a delivery. */
  readonly onError: (error: unknown) => void
  /** A client's last will is due: false drops it. */
  readonly admitWill: (client: Client | null, will: BrokerMessage) => Promise<boolean>
  /** A message is about to be written to a subscriber: false drops it for this one. */
  readonly mayForward: (client: Client, packet: AedesPublishPacket) => boolean
  /** A client subscribes: false refuses the filter. */
  readonly maySubscribe: (client: Client, filter: string) => boolean
}

export interface Broker {
  readonly engine: Aedes
  readonly kept: BoundedPersistence
  /** Rises whenever `isWanted` may answer differently. */
  version(): number
  /** Whether a message to the topic has a subscriber, connected or in a session that is kept. */
  isWanted(topic: string): boolean
  /** Delivers to the subscribers, in the order of the calls. */
  publish(message: BrokerMessage): void
  close(): Promise<void>
}

type PublishDone = (error?: Error | null) => void
/** aedes' own `publish`, with the client that its types leave out. */
type Publish = (packet: object, client: object | null | PublishDone, done?: PublishDone) => void

/** aedes, set up so that its memory is bounded and one slow client does not hold up the others. */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const emitter = new TopicEmitter(options.onError)
  const engine = await Aedes.createBroker({
    mq: emitter,
    heartbeatInterval: 60_000,
    drainTimeout: 30_000,
    // The door has limits of its own, and hands over nothing but control packets.
    connectTimeout: 60_000,
    maxClientsIdLength: 65_535,
    queueLimit: 1000,
    authorizePublish: (client, packet, done) => {
      const will = { ...packet, payload: Buffer.from(packet.payload) }
      options.admitWill(client, will).then(
        isAdmitted => done(isAdmitted ? null : new Error('the will is not published')),
        (error: unknown) => {
          options.onError(error)
          done(new Error('the will is not published'))
        },
      )
    },
    authorizeSubscribe: (client, subscription, done) =>
      done(null, options.maySubscribe(client, subscription.topic) ? subscription : null),
    authorizeForward: (client, packet) => (options.mayForward(client, packet) ? packet : null),
  })
  // An emitter without a listener for `error` throws.
  engine.on('error' as 'closed', options.onError as () => void)
  publishInOrder(engine, options.onError)
  const { persistence } = engine as unknown as { persistence: Persistence }
  const kept = new BoundedPersistence(persistence, options.limits)
  const { subscriptions } = emitter
  return {
    engine,
    kept,
    version: () => subscriptions.version + kept.filters.version,
    isWanted: topic => subscriptions.matches(topic) || kept.filters.matches(topic),
    publish(message) {
      engine.publish({ cmd: 'publish', dup: false, ...message }, error => {
        if (error) options.onError(error)
      })
    },
    close: () => new Promise(resolve => engine.close(resolve)),
  }
}

/**
 * aedes gives each message a number when `publish` is called and drops, for a subscriber, one whose
 * number is lower than the last as a duplicate. But a message of QoS 1 reaches the subscribers some
 * microtasks later than one of QoS 0, which overtakes it. So they go one after the other.
 */
function publishInOrder(engine: Aedes, onError: (error: unknown) => void): void {
  const target = engine as unknown as { publish: Publish }
  const publish = target.publish.bind(engine)
  let waiting: (() => void)[] = []
  let next = 0
  let isBusy = false
  let isDraining = false
  const drain = (): void => {
    if (isDraining) return
    isDraining = true
    while (!isBusy && next < waiting.length) waiting[next++]()
    if (next === waiting.length) {
      waiting = []
      next = 0
    }
    isDraining = false
  }
  const start = (packet: object, client: object | null, done: PublishDone | undefined): void => {
    isBusy = true
    publish(packet, client, error => {
      isBusy = false
      try {
        done?.(error)
      } catch (thrown) {
        onError(thrown)
      }
      drain()
    })
  }
  target.publish = (packet, clientOrDone, maybeDone) => {
    const [client, done] =
      typeof clientOrDone === 'function'
        ? [null, clientOrDone as PublishDone]
        : [clientOrDone, maybeDone]
    waiting.push(() => start(packet, client, done))
    drain()
  }
}
