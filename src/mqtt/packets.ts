import { filterProblem, stringProblem, topicProblem } from './topic-rules.ts'

/** The control packet types that a client may send. */
export const CONNECT = 1
export const PUBLISH = 3
export const PUBACK = 4
export const PUBREC = 5
export const PUBREL = 6
export const PUBCOMP = 7
export const SUBSCRIBE = 8
export const UNSUBSCRIBE = 10
export const PINGREQ = 12
export const DISCONNECT = 14

/** A CONNECT holds a will and credentials, and comes from somebody who is not known yet. */
export const MAX_CONNECT_BYTES = 64 * 1024

export const PINGRESP_PACKET = Buffer.from([0xd0, 0])

/** The client broke the protocol: its connection is to be closed, as MQTT 3.1.1 says. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  /** The CONNACK return code that tells the client before the end. */
  readonly returnCode: number | undefined

  constructor(message: string, returnCode?: number) {
    super(message)
    this.returnCode = returnCode
  }
}

export interface FixedHeader {
  /** Bytes of the header itself, and of what follows it. */
  headerBytes: number
  bodyBytes: number
}

/** Where a packet stands in the bytes around it: its first byte, its body and its end. */
export interface PacketPlace {
  readonly at: number
  readonly body: number
  readonly end: number
}

/** Reads a fixed header into `header`; false when it is not complete yet. */
export function readFixedHeader(bytes: Buffer, at: number, header: FixedHeader): boolean {
  let size = 0
  for (let i = 1; i <= 4; i++) {
    if (at + i >= bytes.length) return false
    const byte = bytes[at + i]
    size += (byte & 0x7f) << (7 * (i - 1))
    if (byte < 0x80) {
      header.headerBytes = i + 1
      header.bodyBytes = size
      return true
    }
  }
  throw new ProtocolError('the remaining length has more than four bytes')
}

/** Acknowledgement of the given type with its packet id. */
export function acknowledgement(type: number, packetId: number): Buffer {
  const flags = type === PUBREL ? 2 : 0
  return Buffer.from([(type << 4) | flags, 2, packetId >> 8, packetId & 0xff])
}

export function connack(returnCode: number): Buffer {
  return Buffer.from([0x20, 2, 0, returnCode])
}

export interface Connect {
  readonly clientId: string
  readonly clean: boolean
  readonly keepAliveSeconds: number
  readonly password: string | undefined
  /** Where the keep-alive stands in the body, for it is the door that watches it. */
  readonly keepAliveAt: number
  /** The user name, where there is one. */
  readonly user: string | undefined
}

/** Walks over a packet's body; every step is checked, so that what passes is well-formed. */
class Reader {
  at = 0
  readonly #body: Buffer
  readonly #packet: string

  constructor(body: Buffer, packet: string) {
    this.#body = body
    this.#packet = packet
  }

  get done(): boolean {
    return this.at === this.#body.length
  }

  byte(): number {
    this.#need(1)
    return this.#body[this.at++]
  }

  uint16(): number {
    this.#need(2)
    this.at += 2
    return this.#body.readUInt16BE(this.at - 2)
  }

  binary(): Buffer {
    const size = this.uint16()
    this.#need(size)
    this.at += size
    return this.#body.subarray(this.at - size, this.at)
  }

  text(what: string): string {
    const bytes = this.binary()
    const problem = stringProblem(bytes)
    if (problem !== undefined) throw new ProtocolError(`${what} ${problem}`)
    return bytes.toString()
  }

  #need(size: number): void {
    if (this.at + size > this.#body.length) throw new ProtocolError(`${this.#packet} is cut short`)
  }
}

/** @throws ProtocolError with a return code where MQTT 3.1.1 gives one. */
export function readConnect(flags: number, body: Buffer): Connect {
  if (flags !== 0) throw new ProtocolError('CONNECT has reserved flags')
  const reader = new Reader(body, 'CONNECT')
  const protocol = reader.text('the protocol name')
  const level = reader.byte()
  const isKnown = protocol === 'MQTT' || protocol === 'MQIsdp'
  if (!isKnown) throw new ProtocolError('the protocol name is not MQTT')
  if (level !== (protocol === 'MQTT' ? 4 : 3)) {
    throw new ProtocolError(`protocol level ${level} is not served; MQTT 3.1.1 is`, 1)
  }
  const connectFlags = reader.byte()
  const hasUser = (connectFlags & 0x80) !== 0
  const hasPassword = (connectFlags & 0x40) !== 0
  const hasWill = (connectFlags & 0x04) !== 0
  const willQos = (connectFlags >> 3) & 3
  if ((connectFlags & 1) !== 0) throw new ProtocolError('CONNECT has a reserved flag')
  if (hasWill ? willQos === 3 : (connectFlags & 0x38) !== 0) {
    throw new ProtocolError('CONNECT has impossible will flags')
  }
  if (hasPassword && !hasUser) throw new ProtocolError('CONNECT has a password but no user name')
  const keepAliveAt = reader.at
  const keepAliveSeconds = reader.uint16()
  const clientId = reader.text('the client id')
  const clean = (connectFlags & 2) !== 0
  if (hasWill) {
    const problem = topicProblem(reader.text('the will topic'))
    if (problem !== undefined) throw new ProtocolError(`the will topic ${problem}`)
    reader.binary()
  }
  const user = hasUser ? reader.text('the user name') : undefined
  const password = hasPassword ? reader.binary().toString() : undefined
  if (!reader.done) throw new ProtocolError('CONNECT has bytes behind its end')
  if (clientId === '' && !clean) {
    throw new ProtocolError('a session that is kept needs a client id', 2)
  }
  return { clientId, clean, keepAliveSeconds, keepAliveAt, user, password }
}

/** Checks a packet that the broker's engine will parse, so that it only meets well-formed ones. */
export function checkControl(first: number, body: Buffer): void {
  const type = first >> 4
  const flags = first & 15
  const mustHave = type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0
  if (flags !== mustHave) throw new ProtocolError(`packet type ${type} has wrong flags`)
  if (type === SUBSCRIBE || type === UNSUBSCRIBE) checkFilters(type, body)
  else if (type === PINGREQ || type === DISCONNECT) {
    if (body.length !== 0) throw new ProtocolError(`packet type ${type} has a body`)
  } else if (type >= PUBACK && type <= PUBCOMP) {
    if (body.length !== 2 || body.readUInt16BE(0) === 0) {
      throw new ProtocolError('an acknowledgement has no packet id')
    }
  } else throw new ProtocolError(`a client may not send packet type ${type}`)
}

function checkFilters(type: number, body: Buffer): void {
  const reader = new Reader(body, type === SUBSCRIBE ? 'SUBSCRIBE' : 'UNSUBSCRIBE')
  if (reader.uint16() === 0) throw new ProtocolError('the packet id is 0')
  if (reader.done) throw new ProtocolError('there is no topic filter')
  while (!reader.done) {
    const problem = filterProblem(reader.text('the topic filter'))
    if (problem !== undefined) throw new ProtocolError(`the topic filter ${problem}`)
    if (type === SUBSCRIBE && reader.byte() > 2) throw new ProtocolError('the QoS is above 2')
  }
}
