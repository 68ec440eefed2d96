import type { AedesPublishPacket, Client } from 'aedes'
import type { Access } from '../model/access.ts'
import { createBroker, type Broker } from './broker.ts'
import type { ClientStream } from './client-stream.ts'
import type { Connection, ConnectionRoom, LeftBehind } from './connection.ts'
import { InboundSessions, type InboundSession } from './inbound-sessions.ts'
import type { ArrivalClock } from './message.ts'
import type { MessageCounts } from './message-counts.ts'
import type { MqttLimits, MqttOptions } from './options.ts'
import { Publisher } from './publisher.ts'
import { TopicRoutes } from './topic-routes.ts'

export interface RoomOptions extends Pick<MqttOptions, 'topics' | 'ingest' | 'log'> {
  readonly limits: MqttLimits
  readonly counts: MessageCounts
  readonly arrivals: ArrivalClock
  readonly onError: (error: unknown) => void
}

/**
 * The broker of one tenant: topics, subscriptions, retained messages, wills, client ids, sessions
 * and their bounds are its own, so that no client of another tenant can see or disturb them.
 */
export class Room implements ConnectionRoom {
  readonly routes: TopicRoutes
  readonly publisher: Publisher
  readonly broker: Broker
  /** The connected ones by client id. */
  readonly byId = new Map<string, Connection>()
  isClosing = false
  readonly #options: RoomOptions
  readonly #sessions: InboundSessions
  readonly #byStream: WeakMap<object, Connection>
  /** By client id, the device of the key that its session belongs to; empty: of no device. */
  readonly #owners = new Map<string, string>()

  private constructor(
    options: RoomOptions,
    { broker, byStream }: { broker: Broker; byStream: WeakMap<object, Connection> },
  ) {
    const { counts, ingest, log, limits } = options
    this.#options = options
    this.broker = broker
    this.#byStream = byStream
    this.routes = new TopicRoutes(options.topics)
    this.#sessions = new InboundSessions(limits.maxSessions)
    this.publisher = new Publisher({ broker, counts, routes: this.routes, ingest, log })
  }

  /** @throws WeirError of kind `config` for a wrong topic template. */
  static async open(options: RoomOptions): Promise<Room> {
    const { limits, arrivals, onError } = options
    const byStream = new WeakMap<object, Connection>()
    const connectionOf = (client: Client | null): Connection | undefined =>
      client === null ? undefined : byStream.get(client.conn)
    const broker: Broker = await createBroker({
      limits,
      onError,
      admitWill: async (client, will) => {
        const connection = connectionOf(client)
        if (room.isClosing || connection === undefined || connection.saidGoodbye) return false
        const { access, rights, user } = connection
        const route = room.routes.route(will.topic)
        if (!rights.mayPublish(route)) return false
        const arrivalUs = arrivals.nextUs(Date.now())
        const isTheirs = await room.publisher.ingestWill(access, will, { arrivalUs, user })
        return isTheirs && !route.isPrivate
      },
      mayForward: (client, packet) => room.#mayForward(client, packet),
      maySubscribe: (client, filter) => connectionOf(client)?.rights.maySubscribe(filter) === true,
    })
    const room = new Room(options, { broker, byStream })
    return room
  }

  /**
   * Whether a client may have that id: with a key of one device not if it is connected, or its
   * session is kept, for somebody else.
   */
  admits(clientId: string, { device }: Access): boolean {
    if (device === undefined) return true
    const owner = this.#owners.get(clientId)
    return owner === undefined || owner === device
  }

  /** Hands the connection's stream to the broker's engine, which reads the CONNECT from it. */
  attach(connection: Connection): Client {
    this.#byStream.set(connection.stream, connection)
    return this.broker.engine.handle(connection.stream)
  }

  /** The client is connected; the session of its id is handed over. */
  opened(connection: Connection): InboundSession {
    const { clientId, isClean, access } = connection
    const previous = this.byId.get(clientId)
    // The engine closes it too, but perhaps not yet.
    if (previous !== undefined) this.#leave(previous, previous.handOver())
    this.byId.set(clientId, connection)
    this.#owners.set(clientId, access.device ?? '')
    return this.#sessions.take(clientId, isClean)
  }

  closed(connection: Connection): void {
    const { clientId, isClean } = connection
    const left = connection.handOver()
    if (this.byId.get(clientId) !== connection) return
    this.byId.delete(clientId)
    if (isClean || !this.broker.kept.keeps(clientId)) this.#owners.delete(clientId)
    this.#leave(connection, left)
  }

  #leave({ clientId, isClean }: Connection, { session, owed }: LeftBehind): void {
    for (const { packetId, arrivalUs } of owed) session.arrivals.set(packetId, arrivalUs)
    this.#options.counts.unacknowledged += owed.length
    this.#sessions.put(clientId, session, !isClean)
  }

  /** Whether a message is written to a subscriber that it is meant for. */
  #mayForward(client: Client, packet: AedesPublishPacket): boolean {
    const { counts } = this.#options
    const connection = this.#byStream.get(client.conn)
    if (connection?.rights.mayReceive(packet.topic) !== true) return false
    const verdict = this.#forwardVerdict(client, packet)
    if (verdict === 'forward') counts.delivered[packet.qos]++
    else counts.dropped++
    if (verdict === 'cut') connection.cut('it does not read what it subscribed to')
    return verdict === 'forward'
  }

  /** Whether a subscriber takes what is meant for it: a bound for those that read too slowly. */
  #forwardVerdict(client: Client, packet: AedesPublishPacket): 'forward' | 'drop' | 'cut' {
    const { maxSubscriberBytes } = this.#options.limits
    const { kept } = this.broker
    if (packet.qos > 0 && !client.clean && kept.hasSkipped(client.id, packet)) return 'drop'
    const { queuedBytes } = client.conn as ClientStream
    if (queuedBytes <= maxSubscriberBytes / 2) return 'forward'
    if (packet.qos === 0 || takesOnlyQos0(client)) return 'drop'
    return queuedBytes > maxSubscriberBytes ? 'cut' : 'forward'
  }
}

function takesOnlyQos0(client: Client): boolean {
  const { subscriptions } = client as unknown as { subscriptions: Record<string, { qos: number }> }
  return Object.values(subscriptions).every(({ qos }) => qos === 0)
}
