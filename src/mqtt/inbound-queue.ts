import type { InboundSession } from './inbound-sessions.ts'
import type { InboundMessage, MessageBatch } from './message.ts'
import type { MqttIngestOutcome } from './options.ts'
import { failedIngest } from './outcome.ts'
import { PUBACK, PUBREC } from './packets.ts'

/** What the queue needs of the connection and the door around it. */
export interface InboundQueueHost {
  readonly maxHoldMs: number
  readonly ingest: (batch: MessageBatch) => Promise<MqttIngestOutcome>
  /** The batch is durable, or refused for good: delivers it to the subscribers. */
  readonly settled: (batch: MessageBatch, outcome: MqttIngestOutcome) => void
  /** Refused for good as a whole. */
  readonly refused: (batch: MessageBatch, error: unknown) => void
  /** Tried again after the log did not take it. */
  readonly retried: (batch: MessageBatch) => void
  readonly acknowledge: (packets: Buffer) => void
  /** There is room, or nothing is held any more. */
  readonly progress: () => void
  /** The messages cannot be stored: the connection is to be closed. */
  readonly cut: (reason: string, error: unknown) => void
}

const FIRST_RETRY_MS = 20
const LAST_RETRY_MS = 1000
const nothing: MqttIngestOutcome = { accepted: 0, rejected: [] }

/**
 * The messages of one connection from the socket to their acknowledgement, in the order in which
 * they came. Acknowledgements keep that order too, as MQTT asks; one that waits holds back those
 * behind it.
 */
export class InboundQueue {
  readonly #host: InboundQueueHost
  readonly #batches: MessageBatch[] = []
  #messages = 0
  #bytes = 0
  readonly #session: InboundSession
  #isAbandoned = false
  #heldSince = 0
  #retryMs = FIRST_RETRY_MS
  #timer: NodeJS.Timeout | undefined

  constructor(host: InboundQueueHost, session: InboundSession) {
    this.#host = host
    this.#session = session
  }

  /** Of the payloads. */
  get bytes(): number {
    return this.#bytes
  }

  get messages(): number {
    return this.#messages
  }

  /** The log refuses: nothing more is to be read until it takes what is here. */
  get isHeld(): boolean {
    return this.#heldSince > 0
  }

  push(batch: MessageBatch): void {
    this.#batches.push(batch)
    this.#messages += batch.messages.length
    this.#bytes += batch.bytes
    if (batch.telemetry.length === 0) this.#done(batch, nothing)
    // Behind a batch that waits for its next try, so that the log sees them in order.
    else if (this.isHeld) batch.state = 'held'
    else this.#ingest(batch)
  }

  /**
   * The connection has ended. What is on its way to the log is stored and delivered all the same,
   * without an acknowledgement; what is held is dropped: its client sends it again.
   *
   * Returns the messages that were never acknowledged.
   */
  abandon(): InboundMessage[] {
    this.#isAbandoned = true
    clearTimeout(this.#timer)
    const owed = this.#batches.flatMap(({ messages }) => messages.filter(({ qos }) => qos > 0))
    for (const batch of this.#batches) if (batch.state === 'held') batch.state = 'done'
    return owed
  }

  #ingest(batch: MessageBatch): void {
    batch.state = 'pending'
    this.#host
      .ingest(batch)
      .then(
        outcome => this.#done(batch, outcome),
        (error: unknown) => this.#failed(batch, error),
      )
      .catch((error: unknown) => this.#host.cut('a fault in the MQTT door', error))
  }

  #done(batch: MessageBatch, outcome: MqttIngestOutcome): void {
    this.#host.settled(batch, outcome)
    this.#finish(batch)
  }

  #finish(batch: MessageBatch): void {
    batch.state = 'done'
    if (this.isHeld) this.#releaseOrRetry()
    this.#acknowledge()
    this.#host.progress()
  }

  #failed(batch: MessageBatch, error: unknown): void {
    const answer = failedIngest(error)
    if (answer === 'refuse') {
      this.#host.refused(batch, error)
      this.#finish(batch)
      return
    }
    batch.state = 'held'
    if (this.#isAbandoned) return
    const now = performance.now()
    if (this.#heldSince === 0) this.#heldSince = now
    if (answer === 'cut' || now - this.#heldSince > this.#host.maxHoldMs) {
      this.#host.cut('its messages could not be stored', error)
      return
    }
    this.#timer ??= setTimeout(() => this.#retry(), this.#retryMs)
  }

  #releaseOrRetry(): void {
    if (this.#batches.some(({ state }) => state === 'held')) {
      this.#timer ??= setTimeout(() => this.#retry(), 0)
    } else {
      this.#heldSince = 0
      this.#retryMs = FIRST_RETRY_MS
    }
  }

  #retry(): void {
    this.#timer = undefined
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS)
    for (const batch of this.#batches) {
      if (batch.state !== 'held') continue
      this.#host.retried(batch)
      this.#ingest(batch)
    }
  }

  #acknowledge(): void {
    let count = 0
    let owed = 0
    for (const { state, messages } of this.#batches) {
      if (state !== 'done') break
      count++
      for (const { qos } of messages) if (qos > 0) owed++
    }
    if (count === 0) return
    const packets = Buffer.allocUnsafe(4 * owed)
    let at = 0
    for (let i = 0; i < count; i++) {
      const { messages, bytes } = this.#batches[i]
      this.#messages -= messages.length
      this.#bytes -= bytes
      for (const message of messages) if (message.qos > 0) at = this.#write(packets, at, message)
    }
    this.#batches.splice(0, count)
    if (owed > 0 && !this.#isAbandoned) this.#host.acknowledge(packets)
  }

  #write(packets: Buffer, at: number, message: InboundMessage): number {
    const { qos, packetId, isRepeated } = message
    packets[at] = (qos === 1 ? PUBACK : PUBREC) << 4
    packets[at + 1] = 2
    packets[at + 2] = packetId >> 8
    packets[at + 3] = packetId & 0xff
    // One that came again may have been released since.
    if (qos === 2 && !isRepeated) {
      this.#session.pending.delete(packetId)
      this.#session.received.add(packetId)
    }
    return at + 4
  }
}
