import type { AedesPublishPacket, Client } from 'aedes'
import { createBroker, type Broker } from './broker.ts'
import type { ClientStream } from './client-stream.ts'
import type { Connection, ConnectionHost, LeftBehind } from './connection.ts'
import { InboundSessions } from './inbound-sessions.ts'
import { ArrivalClock } from './message.ts'
import { MessageCounts } from './message-counts.ts'
import type { MqttLimits, MqttOptions } from './options.ts'
import { Publisher } from './publisher.ts'
import { rateLimited } from './rate-limited.ts'
import { TopicRoutes } from './topic-routes.ts'

/** All that the clients of one door share. */
export interface Clients {
  readonly broker: Broker
  readonly host: ConnectionHost
  readonly counts: MessageCounts
  readonly connections: Set<Connection>
  /** The connected ones by client id. */
  readonly byId: Map<string, Connection>
  isClosing: boolean
}

/** @throws WeirError of kind `config` for a wrong topic template. */
export async function openClients(options: MqttOptions, limits: MqttLimits): Promise<Clients> {
  const { log, ingest } = options
  const routes = new TopicRoutes(options.topics)
  const counts = new MessageCounts()
  const arrivals = new ArrivalClock()
  const byStream = new WeakMap<object, Connection>()
  const faulty = rateLimited((fields, message) => log.error(fields, message))
  const broker: Broker = await createBroker({
    limits,
    onError: error => faulty({ error: messageOf(error) }, 'a fault in the MQTT broker'),
    admitWill: async (client, will) => {
      const connection = client === null ? undefined : byStream.get(client.conn)
      if (clients.isClosing || connection?.saidGoodbye === true) return false
      const arrivalUs = arrivals.nextUs(Date.now())
      await publisher.ingestWill(will, { arrivalUs, user: connection?.user })
      return !routes.route(will.topic).isPrivate
    },
    mayForward: (client, packet) => {
      const verdict = forwardVerdict(client, packet, { broker, limits })
      if (verdict === 'forward') counts.delivered[packet.qos]++
      else counts.dropped++
      if (verdict === 'cut')
        byStream.get(client.conn)?.cut('it does not read what it subscribed to')
      return verdict === 'forward'
    },
  })
  const publisher = new Publisher({ broker, counts, routes, ingest, log })
  const shared = { broker, counts, connections: new Set<Connection>(), byId: new Map() }
  const host: ConnectionHost = {
    ...{ limits, routes, counts, arrivals, ingest },
    ...lifecycle({ ...shared, sessions: new InboundSessions(limits.maxSessions), byStream }),
    attach: stream => broker.engine.handle(stream),
    settled: (batch, outcome) => publisher.settled(batch, outcome),
    refused: (batch, error) => publisher.refused(batch, error),
    report: cutReport(log),
  }
  const clients: Clients = { ...shared, host, isClosing: false }
  return clients
}

interface LifecycleOptions extends Pick<Clients, 'byId' | 'connections' | 'counts'> {
  readonly sessions: InboundSessions
  readonly byStream: WeakMap<object, Connection>
}

/** Passes the session of a client from one connection to the next. */
function lifecycle(options: LifecycleOptions): Pick<ConnectionHost, 'opened' | 'closed'> {
  const { byId, connections, counts, sessions, byStream } = options
  const leave = ({ clientId, isClean }: Connection, { session, owed }: LeftBehind): void => {
    for (const { packetId, arrivalUs } of owed) session.arrivals.set(packetId, arrivalUs)
    counts.unacknowledged += owed.length
    sessions.put(clientId, session, !isClean)
  }
  return {
    opened(connection) {
      const previous = byId.get(connection.clientId)
      // The engine closes it too, but perhaps not yet.
      if (previous !== undefined) leave(previous, previous.handOver())
      byId.set(connection.clientId, connection)
      byStream.set(connection.stream, connection)
      return sessions.take(connection.clientId, connection.isClean)
    },
    closed(connection, left) {
      connections.delete(connection)
      if (byId.get(connection.clientId) !== connection) return
      byId.delete(connection.clientId)
      leave(connection, left)
    },
  }
}

/** Whether a subscriber takes what is meant for it: a bound for those that read too slowly. */
function forwardVerdict(
  client: Client,
  packet: AedesPublishPacket,
  { broker, limits }: { broker: Broker; limits: MqttLimits },
): 'forward' | 'drop' | 'cut' {
  if (packet.qos > 0 && !client.clean && broker.kept.hasSkipped(client.id, packet)) return 'drop'
  const { queuedBytes } = client.conn as ClientStream
  if (queuedBytes <= limits.maxSubscriberBytes / 2) return 'forward'
  if (packet.qos === 0 || takesOnlyQos0(client)) return 'drop'
  return queuedBytes > limits.maxSubscriberBytes ? 'cut' : 'forward'
}

function cutReport(log: MqttOptions['log']): ConnectionHost['report'] {
  const warn = rateLimited((fields, message) => log.warn(fields, message))
  return ({ clientId }, reason, error) => {
    const fields = { client: clientId.slice(0, 100), reason }
    warn(
      error === undefined ? fields : { ...fields, error: messageOf(error) },
      'cut an MQTT client',
    )
  }
}

function takesOnlyQos0(client: Client): boolean {
  const { subscriptions } = client as unknown as { subscriptions: Record<string, { qos: number }> }
  return Object.values(subscriptions).every(({ qos }) => qos === 0)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
