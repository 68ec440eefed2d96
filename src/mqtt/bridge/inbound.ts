import type { Duplex } from 'node:stream'
import { ClientStream } from '../client-stream.ts'
import { InboundQueue } from '../inbound-queue.ts'
import type { InboundMessage, MessageBatch } from '../message.ts'
import type { MqttIngestOutcome, MqttLogger, TelemetryMessage } from '../options.ts'
import { PINGRESP_PACKET, ProtocolError, PUBLISH } from '../packets.ts'
import { ReceiveBuffer } from '../receive-buffer.ts'
import type { BridgeCounts } from './bridge-counts.ts'
import { PUBLISH_HEAD_BYTES, PublishReader, type PublishReaderOptions } from './publish-reader.ts'

export interface InboundHost extends PublishReaderOptions {
  readonly counts: BridgeCounts
  readonly maxInFlightMessages: number
  readonly ingest: (messages: readonly TelemetryMessage[]) => Promise<MqttIngestOutcome>
  /** Not more often than a person reads. */
  readonly warn: MqttLogger['warn']
  /** The connection is gone; the reason where this end knows one. */
  readonly onClose: (reason: string | undefined) => void
}

/** Messages of one batch: a socket read rarely has more. */
const MAX_BATCH = 1024
/** Payload that waits for the log; the socket is not read beyond it. */
const MAX_IN_FLIGHT_BYTES = 4 * 1024 * 1024
const LINGER_MS = 1000

/**
 * The messages of one connection to an outside broker. It takes the PUBLISH packets from the bytes
 * that come, has them stored and acknowledges them once they are durable, many at once; every other
 * packet passes between the socket and MQTT.js, whose own way of receiving has one message in flight.
 *
 * The socket is read only while there is room. A broker with flow control stops before that: it
 * sends no more than its window (Receive Maximum) without an acknowledgement.
 */
export class Inbound {
  /** For MQTT.js, in place of the socket. */
  readonly stream: ClientStream
  readonly #socket: Duplex
  readonly #host: InboundHost
  readonly #queue: InboundQueue
  readonly #reader: PublishReader
  readonly #received: ReceiveBuffer
  #isPumping = false
  #isStopping = false
  #isClosed = false
  #engineIsFull = false
  #isPinged = false
  #reason: string | undefined
  #idle: (() => void)[] = []

  constructor(socket: Duplex, host: InboundHost) {
    this.#socket = socket
    this.#host = host
    this.#reader = new PublishReader(host)
    this.#received = new ReceiveBuffer((type, size) => this.#checkSize(type, size))
    this.#queue = this.#newQueue()
    this.stream = new ClientStream({
      socket,
      onRoom: () => {
        if (!this.#engineIsFull) return
        this.#engineIsFull = false
        this.#pump()
      },
      onDestroy: error => this.#close(error),
    })
    // DISCONNECT is written.
    this.stream.on('finish', () => this.stream.destroy())
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('drain', () => {
      this.stream.drained()
      this.#pump()
    })
    socket.on('error', (error: Error) => this.cut(error.message))
    socket.on('close', () => this.stream.destroy())
  }

  get messages(): number {
    return this.#queue.messages
  }

  /** The log takes nothing: messages wait here and at the broker. */
  get isHeld(): boolean {
    return this.#queue.isHeld
  }

  /** Closes at once; what is not acknowledged comes again. */
  cut(reason: string): void {
    this.#reason ??= reason
    this.stream.destroy()
  }

  /**
   * MQTT.js has sent a PINGREQ, and takes the broker for dead unless PINGRESP comes soon. It may be
   * behind many messages, or the socket is not read: any sign of life is answer enough.
   */
  pinged(): void {
    this.#isPinged = true
    if (this.#socket.isPaused()) this.#pong()
  }

  /** Reads no more; resolves when what was read is acknowledged, or the connection is gone. */
  async drain(): Promise<void> {
    this.#isStopping = true
    this.#socket.pause()
    if (this.#queue.messages > 0 && !this.#isClosed) {
      await new Promise<void>(resolve => this.#idle.push(resolve))
    }
  }

  #newQueue(): InboundQueue {
    const { counts, ingest, warn, session } = this.#host
    return new InboundQueue(
      {
        // A broker keeps what is not acknowledged; to be cut would not help it.
        maxHoldMs: Infinity,
        ingest: async batch => ingest(batch.telemetry),
        settled: (batch, outcome) => this.#settled(batch, outcome),
        refused: ({ telemetry }, error) => {
          counts.refused += telemetry.length
          warn({ error: messageOf(error) }, 'refused messages of an outside broker')
        },
        retried: batch => void (counts.retried += batch.messages.length),
        acknowledge: packets => this.#acknowledge(packets),
        progress: () => this.#progress(),
        cut: (reason, error) => this.cut(`${reason}: ${messageOf(error)}`),
      },
      session,
    )
  }

  /** Batches of one append become durable in one turn: their acknowledgements are one write. */
  #acknowledge(packets: Buffer): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork()
      process.nextTick(() => this.#socket.uncork())
    }
    this.stream.send(packets)
  }

  #settled({ telemetry }: MessageBatch, { rejected }: MqttIngestOutcome): void {
    const { counts, warn } = this.#host
    counts.stored += telemetry.length
    let last = -1
    for (const { index, field, reason, detail } of rejected) {
      if (index !== last) {
        counts.stored--
        counts.refused++
      }
      last = index
      const topic = telemetry[index].route.topic.slice(0, 200)
      warn({ topic, field, reason, detail }, 'refused points of an outside broker')
    }
  }

  #close(error: Error | null): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const { session, counts, onClose } = this.#host
    const owed = this.#queue.abandon()
    counts.unacknowledged += owed.length
    for (const { packetId, arrivalUs } of owed) session.arrivals.set(packetId, arrivalUs)
    this.#received.clear()
    const socket = this.#socket
    if (socket.writableLength > 0 && !socket.writableEnded && this.#reason === undefined) {
      // What is written still goes out: acknowledgements, and DISCONNECT.
      socket.end()
      setTimeout(() => socket.destroy(), LINGER_MS).unref()
    } else socket.destroy()
    this.#progress()
    onClose(this.#reason ?? error?.message)
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
      this.#engineIsFull ||
      this.#queue.isHeld ||
      this.#queue.messages >= this.#host.maxInFlightMessages ||
      this.#queue.bytes >= MAX_IN_FLIGHT_BYTES ||
      this.#socket.writableNeedDrain
    )
  }

  #read(chunk: Buffer): void {
    if (this.#isClosed || this.#isStopping) return
    this.#received.push(chunk)
    if (this.#isPinged) this.#pong()
    this.#pump()
  }

  #pong(): void {
    this.#isPinged = false
    this.stream.push(PINGRESP_PACKET)
  }

  /** Handles the packets that are complete, as far as there is room, and opens or shuts the socket. */
  #pump(): void {
    if (this.#isPumping || this.#isClosed) return
    this.#isPumping = true
    try {
      this.#handlePackets()
    } catch (error) {
      const isTheirs = error instanceof ProtocolError
      this.cut(isTheirs ? error.message : `a fault in the bridge: ${messageOf(error)}`)
    }
    this.#isPumping = false
    if (this.#isClosed || this.#isStopping) return
    const isShut = this.#received.hasMore || !this.#mayRead()
    if (isShut === this.#socket.isPaused()) return
    if (!isShut) this.#socket.resume()
    else {
      this.#socket.pause()
      if (this.#isPinged) this.#pong()
    }
  }

  /** Messages that stand side by side go on together. */
  #handlePackets(): void {
    const { place } = this.#received
    let batch: MessageBatch | undefined
    const nowMs = Date.now()
    try {
      while (this.#mayRead() && this.#received.next()) {
        const { bytes } = this.#received
        if (bytes[place.at] >> 4 === PUBLISH) {
          batch ??= { messages: [], telemetry: [], bytes: 0, state: 'pending' }
          this.#add(batch, this.#reader.read(bytes, place, nowMs), place.end - place.at)
          if (this.#isFull(batch)) batch = this.#flush(batch)
        } else this.#engineIsFull = !this.stream.push(bytes.subarray(place.at, place.end))
        this.#received.consume()
      }
    } finally {
      this.#flush(batch)
    }
  }

  #isFull({ messages }: MessageBatch): boolean {
    const room = this.#host.maxInFlightMessages - this.#queue.messages
    return messages.length >= Math.min(MAX_BATCH, room)
  }

  #add(batch: MessageBatch, message: InboundMessage, size: number): void {
    const { counts, maxPacketBytes, warn } = this.#host
    counts.received++
    batch.messages.push(message)
    batch.bytes += message.payload.length
    if (message.target !== undefined) {
      batch.telemetry.push(message as InboundMessage & TelemetryMessage)
    } else if (message.route.target === undefined) counts.ignored++
    else if (size > maxPacketBytes) {
      counts.refused++
      const detail = `${size} bytes are more than ${maxPacketBytes} (mqtt.maxPacketBytes)`
      const topic = message.route.topic.slice(0, 200)
      warn({ topic, detail }, 'refused a message of an outside broker')
    } else counts.retained++
  }

  #flush(batch: MessageBatch | undefined): undefined {
    if (batch !== undefined) this.#queue.push(batch)
  }

  #checkSize(type: number, size: number): number | undefined {
    if (size <= this.#host.maxPacketBytes) return undefined
    if (type === PUBLISH) return Math.min(size, PUBLISH_HEAD_BYTES)
    throw new ProtocolError(`a packet of type ${type} has ${size} bytes`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
