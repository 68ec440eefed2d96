import type { Access } from '../model/access.ts'
import type { Connection, ConnectionHost } from './connection.ts'
import { ArrivalClock } from './message.ts'
import { MessageCounts } from './message-counts.ts'
import type { MqttAccess, MqttLimits, MqttOptions } from './options.ts'
import { ProtocolError, type Connect } from './packets.ts'
import { rateLimited } from './rate-limited.ts'
import { Room } from './room.ts'
import { TopicRoutes } from './topic-routes.ts'

/** All that the clients of one door share. */
export interface Clients {
  readonly host: ConnectionHost
  readonly counts: MessageCounts
  readonly connections: Set<Connection>
  /** Connected ones, of all tenants. */
  connected(): number
  /** Messages that were not retained because of a bound. */
  notRetained(): number
  /** From now on nobody comes in and no will is published. */
  startClosing(): void
  close(): Promise<void>
}

/** CONNACK return codes of MQTT 3.1.1. */
const BAD_CREDENTIALS = 4
const NOT_AUTHORIZED = 5

/** @throws WeirError of kind `config` for a wrong topic template. */
export async function openClients(options: MqttOptions, limits: MqttLimits): Promise<Clients> {
  const { log, ingest, topics, access } = options
  // Says whether the topic templates are good, before anything is opened.
  void new TopicRoutes(topics)
  const counts = new MessageCounts()
  const arrivals = new ArrivalClock()
  const faulty = rateLimited((fields, message) => log.error(fields, message))
  const onError = (error: unknown): void =>
    faulty({ error: messageOf(error) }, 'a fault in the MQTT broker')
  const openRoom = (): Promise<Room> =>
    Room.open({ topics, ingest, log, limits, counts, arrivals, onError })
  /** By tenant. There are as many as tenants whose keys have connected. */
  const rooms = new Map<string, Promise<Room>>()
  const opened: Room[] = []
  let isClosing = false
  const room = (tenant: string): Promise<Room> => {
    let found = rooms.get(tenant)
    if (found === undefined) {
      found = openRoom().then(made => {
        made.isClosing = isClosing
        opened.push(made)
        return made
      })
      rooms.set(tenant, found)
    }
    return found
  }
  if (access.open !== undefined) await room(access.open.tenant)
  const connections = new Set<Connection>()
  const host: ConnectionHost = {
    ...{ limits, counts, arrivals, ingest, access, room },
    admit: connect => admit(access, connect),
    closed: connection => void connections.delete(connection),
    report: cutReport(log),
  }
  return {
    ...{ host, counts, connections },
    connected: () => opened.reduce((sum, { byId }) => sum + byId.size, 0),
    notRetained: () => opened.reduce((sum, { broker }) => sum + broker.kept.notRetained, 0),
    startClosing() {
      isClosing = true
      for (const one of opened) one.isClosing = true
    },
    async close() {
      await Promise.allSettled(rooms.values())
      await Promise.all(opened.map(({ broker }) => broker.close()))
    },
  }
}

/** The key is the password or, as ThingsBoard's clients have it, the user name. */
function admit(access: MqttAccess, { user, password }: Connect): Access {
  if (access.open !== undefined) return access.open
  for (const key of [password, user]) {
    const found = key === undefined || key === '' ? undefined : access.verify(key)
    if (found !== undefined) return found
  }
  if (user === undefined) throw new ProtocolError('it brings no key', NOT_AUTHORIZED)
  throw new ProtocolError('it has no key that works', BAD_CREDENTIALS)
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
