import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Client } from 'aedes'
import type { Access } from '../model/access.ts'
import { ClientStream } from './client-stream.ts'
import { InboundQueue } from './inbound-queue.ts'
import { InboundSession } from './inbound-sessions.ts'
import type { InboundMessage, MessageBatch } from './message.ts'
import { MessageReader, type MessageReaderHost } from './message-reader.ts'
import type { MqttAccess, MqttIngest, MqttLimits, TelemetryMessage } from './options.ts'
import {
  acknowledgement,
  type Connect,
  checkControl,
  connack,
  CONNECT,
  DISCONNECT,
  MAX_CONNECT_BYTES,
  PINGREQ,
  PINGRESP_PACKET,
  ProtocolError,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  readConnect,
  type PacketPlace,
} from './packets.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import type { Publisher } from './publisher.ts'
import { Rights } from './rights.ts'
import { Throttle } from './throttle.ts'
import type { TopicRoutes } from './topic-routes.ts'

/** The door around the connections. */
export interface ConnectionHost extends MessageReaderHost {
  readonly limits: MqttLimits
  readonly ingest: MqttIngest
  readonly access: MqttAccess
  /**
   * What the client may do.
   *
   * @throws ProtocolError with the return code for one that may do nothing.
   */
  readonly admit: (connect: Connect) => Access
  /** The part of the broker that is the tenant's. */
  readonly room: (tenant: string) => Promise<ConnectionRoom>
  readonly closed: (connection: Connection) => void
  /** Why a connection was cut, for the log. */
  readonly report: (connection: Connection, reason: string, error?: unknown) => void
}

/** The tenant's part of the broker. */
export interface ConnectionRoom {
  readonly routes: TopicRoutes
  readonly publisher: Pick<Publisher, 'settled' | 'refused'>
  /** Whether a client may have that id. */
  admits(clientId: string, access: Access): boolean
  /** Hands the connection's stream to the broker's engine, which reads the CONNECT from it. */
  attach(connection: Connection): Pick<Client, 'id' | 'once'>
  /** The client is connected; the session of its id is handed over. */
  opened(connection: Connection): InboundSession
  closed(connection: Connection): void
}

/** Messages of one batch: a socket read rarely has more. */
const MAX_BATCH = 1024
/** Payload of one connection that waits for the log; its socket is not read beyond it. */
const MAX_IN_FLIGHT_BYTES = 512 * 1024
const LINGER_MS = 1000

/** What a connection leaves to the next one of its client. */
export interface LeftBehind {
  readonly session: InboundSession
  /** Messages that were never acknowledged. */
  readonly owed: readonly InboundMessage[]
}

/**
 * One client: cuts its bytes into packets, sees to CONNECT, PUBLISH, PUBREL and PINGREQ itself and
 * leaves the others to the broker's engine, checked.
 *
 * Its socket is read only while there is room: not while the log refuses, too many messages wait,
 * the client does not read its acknowledgements, or a packet waits for the messages before it.
 */
export class Connection {
  clientId = ''
  /** The user name, which is a token to some conventions: never logged. */
  user: string | undefined
  isClean = true
  /** Set before it is open. */
  access!: Access
  rights!: Rights
  /** Connected: CONNACK has been sent. */
  isOpen = false
  /** DISCONNECT has come: the will is void. */
  saidGoodbye = false
  readonly stream: ClientStream
  readonly #socket: Duplex
  readonly #host: ConnectionHost
  #queue: InboundQueue
  #session = new InboundSession()
  #room: ConnectionRoom | undefined
  #throttle: Throttle | undefined
  #reader!: MessageReader
  readonly #received: ReceiveBuffer
  #isConnecting = false
  #isClosed = false
  #isPumping = false
  #isStopping = false
  #engineIsFull = false
  #keepAliveMs = 0
  readonly #openedMs = Date.now()
  #lastReadMs = this.#openedMs
  #idle: (() => void)[] = []

  constructor(socket: Duplex, host: ConnectionHost) {
    this.#socket = socket
    this.#host = host
    this.#received = new ReceiveBuffer((type, size) => this.#checkSize(type, size))
    this.stream = new ClientStream({
      socket,
      onRoom: () => {
        if (!this.#engineIsFull) return
        this.#engineIsFull = false
        this.#pump()
      },
      onDestroy: error => this.#close(error),
    })
    this.#queue = this.#newQueue(this.#session)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('drain', () => {
      this.stream.drained()
      this.#pump()
    })
    // Its own 'close' follows; a reset is no news.
    socket.on('error', () => {})
    socket.on('close', () => this.stream.destroy())
  }

  /** Closes at once, without a word to the client: 3.1.1 has none. */
  cut(reason: string, error?: unknown): void {
    if (this.#isClosed) return
    this.#host.report(this, reason, error)
    this.stream.destroy()
  }

  /** Called every second or so. */
  checkAlive(nowMs: number): void {
    const silentMs = nowMs - this.#lastReadMs
    if (!this.isOpen) {
      const waitedMs = nowMs - this.#openedMs
      if (waitedMs > this.#host.limits.connectTimeoutMs) this.cut('it did not connect in time')
    } else if (this.access.endsAtMs <= nowMs) this.cut('its key has ended')
    else if (this.#socket.isPaused()) this.#lastReadMs = nowMs
    else if (this.#keepAliveMs > 0 && silentMs > 1.5 * this.#keepAliveMs) {
      this.cut('it was silent for longer than its keep-alive')
    }
  }

  /** Reads no more; resolves when what was read is acknowledged. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#socket.pause()
    if (this.#queue.messages > 0 && !this.#isClosed) {
      await new Promise<void>(resolve => this.#idle.push(resolve))
    }
  }

  /** Sends what is written, then closes; unlike a cut it loses no acknowledgement on the way. */
  async finish(): Promise<void> {
    const { stream } = this
    if (stream.destroyed) return
    this.#isStopping = true
    stream.flush()
    this.#socket.end(() => {
      // Unread bytes at the close would make the kernel send a reset, which voids what was sent.
      this.#socket.removeAllListeners('data').resume()
      setTimeout(() => stream.destroy(), LINGER_MS).unref()
    })
    setTimeout(() => stream.destroy(), 2 * LINGER_MS).unref()
    await once(stream, 'close')
  }

  #newQueue(session: InboundSession): InboundQueue {
    const host = this.#host
    return new InboundQueue(
      {
        maxHoldMs: host.limits.maxHoldMs,
        ingest: async batch => host.ingest(this.access, batch.telemetry),
        settled: (batch, outcome) => {
          this.#room?.publisher.settled(batch, outcome)
          this.#throttle?.settled(outcome.owedMs ?? 0)
        },
        refused: (batch, error) => this.#room?.publisher.refused(batch, error),
        retried: batch => void (host.counts.retried += batch.messages.length),
        acknowledge: packets => this.stream.send(packets),
        progress: () => this.#progress(),
        cut: (reason, error) => this.cut(reason, error),
      },
      session,
    )
  }

  #close(error: Error | null): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.isOpen = false
    this.#throttle?.stop()
    this.#host.closed(this)
    this.#room?.closed(this)
    if (error !== null) this.#host.report(this, error.message)
    if (this.#socket.writableLength > 0 && !this.#socket.writableEnded) this.#socket.end()
    else this.#socket.destroy()
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref()
    this.#received.clear()
    this.#progress()
  }

  #progress(): void {
    if (this.#queue.messages === 0 || this.#isClosed) {
      for (const resolve of this.#idle.splice(0)) resolve()
    }
    this.#pump()
  }

  #mayRead(): boolean {
    return !(
      this.#isClosed ||
      this.#isStopping ||
      this.saidGoodbye ||
      this.#isConnecting ||
      this.#engineIsFull ||
      this.#queue.isHeld ||
      this.#isThrottled() ||
      this.#queue.messages >= this.#host.limits.maxInFlightMessages ||
      this.#queue.bytes >= MAX_IN_FLIGHT_BYTES ||
      this.#socket.writableNeedDrain
    )
  }

  /** With a limit, what one batch took has to be known before the next is read. */
  #isThrottled(): boolean {
    const throttle = this.#throttle
    if (throttle === undefined) return false
    return throttle.isShut || (throttle.isLimited && this.#queue.messages > 0)
  }

  #read(chunk: Buffer): void {
    if (this.#isClosed || this.#isStopping) return
    this.#lastReadMs = Date.now()
    this.#received.push(chunk)
    this.#pump()
  }

  /** Handles the packets that are complete, as far as there is room, and opens or shuts the socket. */
  #pump(): void {
    if (this.#isPumping || this.#isClosed) return
    this.#isPumping = true
    try {
      this.#handlePackets()
    } catch (error) {
      this.#fail(error)
    }
    this.#isPumping = false
    if (this.#isClosed || this.#isStopping) return
    const isShut = this.#received.hasMore || !this.#mayRead()
    if (isShut === this.#socket.isPaused()) return
    if (isShut) this.#socket.pause()
    else this.#socket.resume()
  }

  #fail(error: unknown): void {
    if (!(error instanceof ProtocolError)) this.cut('a fault in the MQTT door', error)
    else {
      const { returnCode } = error
      if (returnCode !== undefined && !this.isOpen) this.stream.send(connack(returnCode))
      this.cut(error.message)
    }
  }

  /** Messages that stand side by side go on together, also those before a packet that breaks the rules. */
  #handlePackets(): void {
    const { place } = this.#received
    let batch: MessageBatch | undefined
    try {
      while (this.#mayRead() && this.#received.next()) {
        const { bytes } = this.#received
        if (bytes[place.at] >> 4 === PUBLISH) {
          batch = this.#add(batch, this.#reader.read(bytes, place, this.#lastReadMs))
        } else {
          batch = this.#flush(batch)
          if (!this.#control(bytes, place)) return
        }
        this.#received.consume()
      }
    } finally {
      this.#flush(batch)
    }
  }

  #add(batch: MessageBatch | undefined, message: InboundMessage | undefined) {
    if (message === undefined) return batch
    const to: MessageBatch = batch ?? { messages: [], telemetry: [], bytes: 0, state: 'pending' }
    to.messages.push(message)
    to.bytes += message.payload.length
    if (message.target !== undefined && !message.isRepeated && !message.isForbidden) {
      to.telemetry.push(message as InboundMessage & TelemetryMessage)
    }
    const most = Math.min(MAX_BATCH, this.#throttle?.batch ?? MAX_BATCH)
    return to.messages.length >= most ? this.#flush(to) : to
  }

  #flush(batch: MessageBatch | undefined): undefined {
    if (batch === undefined) return
    this.#throttle?.came(batch.messages.length)
    this.#queue.push(batch)
  }

  #checkSize(type: number, size: number): undefined {
    if (!this.isOpen) {
      if (type !== CONNECT) throw new ProtocolError('its first packet is not CONNECT')
      if (size > MAX_CONNECT_BYTES) throw new ProtocolError('its CONNECT is too large')
    }
    const { maxPacketBytes } = this.#host.limits
    if (size > maxPacketBytes) {
      throw new ProtocolError(
        `a packet of ${size} bytes is larger than ${maxPacketBytes} (mqtt.maxPacketBytes)`,
      )
    }
  }

  /** Any packet but PUBLISH; false when it has to wait for the messages before it. */
  #control(bytes: Buffer, { at, body, end }: PacketPlace): boolean {
    const type = bytes[at] >> 4
    if (type === CONNECT) {
      this.#connect(bytes, { at, body, end })
      return true
    }
    checkControl(bytes[at], bytes.subarray(body, end))
    if (type === PINGREQ) this.stream.send(PINGRESP_PACKET)
    else if (type === PUBREL) {
      const packetId = bytes.readUInt16BE(body)
      this.#session.received.delete(packetId)
      this.stream.send(acknowledgement(PUBCOMP, packetId))
    } else {
      const isAnswer = type === PUBACK || type === PUBREC || type === PUBCOMP
      if (!isAnswer && this.#queue.messages > 0) return false
      if (type === DISCONNECT) this.saidGoodbye = true
      this.#engineIsFull = !this.stream.push(bytes.subarray(at, end))
    }
    return true
  }

  #connect(bytes: Buffer, { at, body, end }: PacketPlace): void {
    if (this.isOpen) throw new ProtocolError('it sent CONNECT twice')
    const connect = readConnect(bytes[at] & 15, bytes.subarray(body, end))
    this.#keepAliveMs = connect.keepAliveSeconds * 1000
    // A copy without keep-alive: the engine does not see the messages that would prolong it.
    const packet = Buffer.from(bytes.subarray(at, end))
    packet.writeUInt16BE(0, body - at + connect.keepAliveAt)
    this.access = this.#host.admit(connect)
    this.isClean = connect.clean
    this.user = connect.user
    this.#isConnecting = true
    this.#host.room(this.access.tenant).then(
      room => this.#enter(room, { connect, packet }),
      (error: unknown) => this.cut('a fault in the MQTT door', error),
    )
  }

  #enter(room: ConnectionRoom, { connect, packet }: { connect: Connect; packet: Buffer }): void {
    if (this.#isClosed) return
    if (!room.admits(connect.clientId, this.access)) {
      this.#fail(new ProtocolError('its client id is that of another device', 2))
      return
    }
    this.rights = new Rights(this.access, room.routes)
    this.#throttle = new Throttle(this.access, this.#host.access, () => this.#pump())
    const client = room.attach(this)
    client.once('connected', () => {
      if (this.#isClosed) return
      this.clientId = client.id
      this.#room = room
      this.#session = room.opened(this)
      this.#queue = this.#newQueue(this.#session)
      this.#reader = this.#newReader(room)
      this.isOpen = true
      this.#isConnecting = false
      this.#pump()
    })
    this.stream.push(packet)
  }

  #newReader(room: ConnectionRoom): MessageReader {
    const { rights, user } = this
    return new MessageReader(this.#host, this.#session, { routes: room.routes, rights, user })
  }

  /** Ends the care for its messages, because it ended or another connection has taken its place. */
  handOver(): LeftBehind {
    const left = { session: this.#session, owed: this.#queue.abandon() }
    this.#session = new InboundSession()
    this.#queue = this.#newQueue(this.#session)
    if (this.#room !== undefined) this.#reader = this.#newReader(this.#room)
    return left
  }
}
