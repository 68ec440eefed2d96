import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Client } from 'aedes'
import { ClientStream } from './client-stream.ts'
import { InboundQueue } from './inbound-queue.ts'
import { InboundSession } from './inbound-sessions.ts'
import type { InboundMessage, MessageBatch } from './message.ts'
import { MessageReader, type MessageReaderHost } from './message-reader.ts'
import type { MqttIngestOutcome, MqttLimits, TelemetryMessage } from './options.ts'
import {
  acknowledgement,
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

/** The door around the connections. */
export interface ConnectionHost extends MessageReaderHost {
  readonly limits: MqttLimits
  readonly ingest: (messages: readonly TelemetryMessage[]) => Promise<MqttIngestOutcome>
  /** Hands the stream to the broker's engine, which reads the CONNECT from it. */
  readonly attach: (stream: ClientStream) => Client
  /** The client is connected; the session of its id is handed over. */
  readonly opened: (connection: Connection) => InboundSession
  readonly closed: (connection: Connection, left: LeftBehind) => void
  readonly settled: (batch: MessageBatch, outcome: MqttIngestOutcome) => void
  readonly refused: (batch: MessageBatch, error: unknown) => void
  /** Why a connection was cut, for the log. */
  readonly report: (connection: Connection, reason: string, error?: unknown) => void
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
  /** Connected: CONNACK has been sent. */
  isOpen = false
  /** DISCONNECT has come: the will is void. */
  saidGoodbye = false
  readonly stream: ClientStream
  readonly #socket: Duplex
  readonly #host: ConnectionHost
  #queue: InboundQueue
  #session = new InboundSession()
  #reader: MessageReader
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
    this.#reader = new MessageReader(host, this.#session)
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
    } else if (this.#socket.isPaused()) this.#lastReadMs = nowMs
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
        ingest: async batch => host.ingest(batch.telemetry),
        settled: host.settled,
        refused: host.refused,
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
    this.#host.closed(this, this.handOver())
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
      this.#queue.messages >= this.#host.limits.maxInFlightMessages ||
      this.#queue.bytes >= MAX_IN_FLIGHT_BYTES ||
      this.#socket.writableNeedDrain
    )
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
    if (message.target !== undefined && !message.isRepeated) {
      to.telemetry.push(message as InboundMessage & TelemetryMessage)
    }
    return to.messages.length === MAX_BATCH ? this.#flush(to) : to
  }

  #flush(batch: MessageBatch | undefined): undefined {
    if (batch !== undefined) this.#queue.push(batch)
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
    this.#isConnecting = true
    const client = this.#host.attach(this.stream)
    client.once('connected', () => {
      if (this.#isClosed) return
      this.clientId = client.id
      this.isClean = connect.clean
      this.#session = this.#host.opened(this)
      this.#queue = this.#newQueue(this.#session)
      this.user = connect.user
      this.#reader = new MessageReader(this.#host, this.#session, connect.user)
      this.isOpen = true
      this.#isConnecting = false
      this.#pump()
    })
    this.stream.push(packet)
  }

  /** Ends the care for its messages, because it ended or another connection has taken its place. */
  handOver(): LeftBehind {
    const left = { session: this.#session, owed: this.#queue.abandon() }
    this.#session = new InboundSession()
    this.#queue = this.#newQueue(this.#session)
    this.#reader = new MessageReader(this.#host, this.#session)
    return left
  }
}
