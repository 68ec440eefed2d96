/** The few MQTT 3.1.1 packets that a publishing load needs, as bytes. */

/** CONNECT with a clean session and no keep-alive; together at most 115 bytes of names. */
export function connectPacket(clientId: string, userName?: string): Buffer {
  const names = [clientId, ...(userName === undefined ? [] : [userName])].map(name =>
    Buffer.concat([Buffer.of(0, Buffer.byteLength(name)), Buffer.from(name)]),
  )
  const body = Buffer.concat([
    Buffer.from([0, 4, 77, 81, 84, 84, 4, userName === undefined ? 2 : 0x82, 0, 0]),
    ...names,
  ])
  return Buffer.concat([Buffer.of(0x10, body.length), body])
}

export const DISCONNECT_PACKET = Buffer.from([0xe0, 0])

/** A QoS 1 PUBLISH, and where its packet identifier and its payload are. */
export function publishPacket(
  topic: string,
  payload: Uint8Array,
): { bytes: Buffer; idAt: number; payloadAt: number } {
  const name = Buffer.from(topic)
  const remaining = 2 + name.length + 2 + payload.length
  const length: number[] = []
  for (let rest = remaining; ;) {
    const digit = rest & 127
    rest >>= 7
    length.push(rest > 0 ? digit | 128 : digit)
    if (rest === 0) break
  }
  const head = Buffer.from([0x32, ...length, name.length >> 8, name.length & 255])
  const bytes = Buffer.concat([head, name, Buffer.alloc(2), payload])
  const idAt = head.length + name.length
  return { bytes, idAt, payloadAt: idAt + 2 }
}

export interface AckParser {
  feed(bytes: Uint8Array, from: number, to: number): void
}

export interface AckListener {
  /** Return code 0 is a welcome. */
  connack(returnCode: number): void
  puback(packetId: number): void
}

/** Reads CONNACK and PUBACK however they are cut; other packets are passed over. */
export function ackParser(listener: AckListener): AckParser {
  let type = 0
  /** Bytes of the packet's head that are there: 0 none, 1 the type, 2 the whole length. */
  let head = 0
  let shift = 0
  let remaining = 0
  let at = 0
  let first = 0
  let second = 0

  const finish = (): void => {
    if (type === 4) listener.puback((first << 8) | second)
    else if (type === 2) listener.connack(second)
    head = 0
  }

  return {
    feed(bytes, from, to) {
      for (let i = from; i < to; i++) {
        const byte = bytes[i]
        if (head === 0) {
          type = byte >> 4
          head = 1
          remaining = shift = at = 0
        } else if (head === 1) {
          remaining |= (byte & 127) << shift
          shift += 7
          if (byte >= 128) continue
          head = 2
          if (remaining === 0) finish()
        } else {
          if (at === 0) first = byte
          else if (at === 1) second = byte
          if (++at === remaining) finish()
        }
      }
    },
  }
}
