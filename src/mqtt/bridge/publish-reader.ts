import type { InboundSession } from '../inbound-sessions.ts'
import type { ArrivalClock, InboundMessage } from '../message.ts'
import { ProtocolError, type PacketPlace } from '../packets.ts'
import type { TopicRoute, TopicRoutes } from '../topic-routes.ts'

/** Fixed header, the longest topic, packet id: what of a message tells which one it is. */
export const PUBLISH_HEAD_BYTES = 5 + 2 + 65_535 + 2

export interface PublishReaderOptions {
  readonly version: 'v5' | 'v3.1.1'
  readonly routes: TopicRoutes
  readonly session: InboundSession
  readonly arrivals: ArrivalClock
  /** Of a larger packet only the head is there: it has no target and no payload. */
  readonly maxPacketBytes: number
  readonly takesRetained: boolean
}

const NOTHING = Buffer.alloc(0)

/** Reads the PUBLISH packets of a broker: MQTT 3.1.1, section 3.3, and MQTT 5, section 3.3. */
export class PublishReader {
  readonly #options: PublishReaderOptions

  constructor(options: PublishReaderOptions) {
    this.#options = options
  }

  /** @throws ProtocolError when the packet is malformed. */
  read(bytes: Buffer, { at, body, end }: PacketPlace, nowMs: number): InboundMessage {
    const { routes, version, maxPacketBytes, takesRetained } = this.#options
    const isWhole = end - at <= maxPacketBytes
    const first = bytes[at]
    const qos = (first >> 1) & 3
    const topicAt = body + 2
    if (topicAt > end) throw new ProtocolError('PUBLISH is cut short')
    const topicEnd = topicAt + ((bytes[body] << 8) | bytes[body + 1])
    const idEnd = qos === 0 ? topicEnd : topicEnd + 2
    if (idEnd > end) throw new ProtocolError('PUBLISH is cut short')
    // Only 0 and 1 are asked for, and a broker may lower a QoS but not raise it.
    if (qos > 1) throw new ProtocolError(`PUBLISH has QoS ${qos}, which was not asked for`)
    const packetId = qos === 0 ? 0 : (bytes[topicEnd] << 8) | bytes[topicEnd + 1]
    if (qos > 0 && packetId === 0) throw new ProtocolError('PUBLISH has the packet id 0')
    const known = routes.of(bytes, topicAt, topicEnd)
    const route = typeof known === 'string' ? unreadable(known) : known
    const retain = (first & 1) !== 0
    const target = isWhole && (takesRetained || !retain) ? route.target : undefined
    return {
      route,
      target,
      payload: target === undefined ? NOTHING : payloadOf(bytes, idEnd, { end, version }),
      arrivalUs: this.#arrival(packetId, (first & 8) !== 0, nowMs),
      qos: qos as 0 | 1,
      retain,
      packetId,
      isRepeated: false,
      isForbidden: false,
      user: undefined,
    }
  }

  #arrival(packetId: number, isAgain: boolean, nowMs: number): number {
    const { arrivals } = this.#options.session
    if (arrivals.size > 0 && packetId !== 0) {
      const first = arrivals.get(packetId)
      if (first !== undefined) {
        arrivals.delete(packetId)
        if (isAgain) return first
      }
    }
    return this.#options.arrivals.nextUs(nowMs)
  }
}

function payloadOf(
  bytes: Buffer,
  from: number,
  { end, version }: { end: number; version: string },
): Buffer {
  let at = from
  if (version === 'v5') {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      if (at >= end || shift > 21)
        throw new ProtocolError('the properties of PUBLISH are malformed')
      const byte = bytes[at++]
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    at += length
  }
  if (at > end) throw new ProtocolError('PUBLISH is cut short')
  return bytes.subarray(at, end)
}

/** A topic that is no MQTT string: to end the connection would only bring the message again. */
function unreadable(problem: string): TopicRoute {
  const topic = `(a topic that ${problem})`
  return {
    topic,
    target: undefined,
    isReserved: false,
    isPrivate: false,
    isWanted: false,
    version: -1,
  }
}
