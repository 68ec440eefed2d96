import type { InboundSession } from './inbound-sessions.ts'
import type { ArrivalClock, InboundMessage } from './message.ts'
import type { MessageCounts } from './message-counts.ts'
import { ProtocolError, type PacketPlace } from './packets.ts'
import type { Rights } from './rights.ts'
import type { TopicRoutes } from './topic-routes.ts'

/** QoS 2 messages of one client that wait for their release. */
const MAX_UNRELEASED = 10_000

export interface MessageReaderHost {
  readonly counts: MessageCounts
  readonly arrivals: ArrivalClock
}

/** What a client may do, among the topics of its tenant. */
export interface ReaderRights {
  /** The user name of the client, if it gave one. */
  readonly user: string | undefined
  readonly routes: TopicRoutes
  readonly rights: Rights
}

/** Reads the PUBLISH packets of one client. */
export class MessageReader {
  readonly #host: MessageReaderHost
  readonly #session: InboundSession
  readonly #rights: ReaderRights

  constructor(host: MessageReaderHost, session: InboundSession, rights: ReaderRights) {
    this.#host = host
    this.#rights = rights
    this.#session = session
  }

  /**
   * The message of a packet; undefined for a QoS 2 message that is on its way already.
   *
   * @throws ProtocolError when the packet is malformed.
   */
  read(bytes: Buffer, { at, body, end }: PacketPlace, nowMs: number): InboundMessage | undefined {
    const first = bytes[at]
    const qos = (first >> 1) & 3
    const topicAt = body + 2
    const topicEnd = topicAt + ((bytes[body] << 8) | bytes[body + 1])
    const payloadAt = qos === 0 ? topicEnd : topicEnd + 2
    if (topicAt > end || payloadAt > end) throw new ProtocolError('PUBLISH is cut short')
    if (qos === 3) throw new ProtocolError('PUBLISH has QoS 3')
    const isAgain = (first & 8) !== 0
    if (isAgain && qos === 0) throw new ProtocolError('PUBLISH has QoS 0 and DUP')
    const { routes, rights } = this.#rights
    const route = routes.of(bytes, topicAt, topicEnd)
    if (typeof route === 'string') throw new ProtocolError(`the topic of a message ${route}`)
    const packetId = qos === 0 ? 0 : (bytes[topicEnd] << 8) | bytes[topicEnd + 1]
    if (qos > 0 && packetId === 0) throw new ProtocolError('PUBLISH has the packet id 0')
    this.#host.counts.received[qos]++
    const repeated = qos === 2 ? this.#repeated(packetId) : undefined
    if (repeated === 'pending') return undefined
    return {
      route,
      target: route.target,
      isForbidden: !rights.mayPublish(route),
      payload: bytes.subarray(payloadAt, end),
      arrivalUs: this.#arrival(packetId, isAgain, nowMs),
      qos: qos as 0 | 1 | 2,
      retain: (first & 1) !== 0,
      packetId,
      isRepeated: repeated !== undefined,
      user: this.#rights.user,
    }
  }

  /** A QoS 2 message that came before is acknowledged again, but goes nowhere else. */
  #repeated(packetId: number): 'pending' | 'received' | undefined {
    const { pending, received } = this.#session
    if (pending.has(packetId) || received.has(packetId)) {
      this.#host.counts.duplicate++
      return pending.has(packetId) ? 'pending' : 'received'
    }
    if (pending.size + received.size >= MAX_UNRELEASED) {
      throw new ProtocolError(`${MAX_UNRELEASED} QoS 2 messages wait for their release`)
    }
    pending.add(packetId)
    return undefined
  }

  #arrival(packetId: number, isAgain: boolean, nowMs: number): number {
    const { arrivals } = this.#session
    if (arrivals.size > 0 && packetId !== 0) {
      const first = arrivals.get(packetId)
      if (first !== undefined) {
        arrivals.delete(packetId)
        if (isAgain) return first
      }
    }
    return this.#host.arrivals.nextUs(nowMs)
  }
}
