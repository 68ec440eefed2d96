import { AckPolicy, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream'
import { createInbox, nanos, type Msg, type Subscription } from '@nats-io/transport-node'
import { Backoff } from '../../kit/backoff.ts'
import type { NatsLink } from './link.ts'

export interface StreamMessage {
  /** From 0: one less than the stream's sequence. */
  readonly offset: number
  readonly subject: string
  /** When the server had it, milliseconds since 1970. */
  readonly atMs: number
  readonly data: Uint8Array
  readonly message: Msg
}

export interface StreamReaderOptions {
  readonly link: NatsLink
  readonly stream: string
  /** The first offset wanted. */
  readonly from: number
  /** Something has come to be taken. */
  readonly onMessages: () => void
}

/** What one request asks for; the next is sent when it is done. */
const PULL_MESSAGES = 512
const PULL_BYTES = 4 << 20
const PULL_EXPIRES_MS = 30_000
const HEARTBEAT_MS = 3000
/** Without a sign of life for so long, the consumer is made anew. */
const SILENCE_MS = 3 * HEARTBEAT_MS
/** How long the server keeps a consumer that nobody asks anything. */
const IDLE_MS = 60_000
/** While so much waits to be taken, nothing more is asked for. */
const MAX_QUEUED_BYTES = 8 << 20
const AGAIN = { firstMs: 50, lastMs: 2000 }

/**
 * Reads a stream in its order from an offset on, each message once, for as long as it is open: an
 * ephemeral consumer without acknowledgements, made anew behind the last message whenever the
 * connection or the server lost something.
 *
 * The client library has such ordered consumers too. This one bounds messages and bytes at once (a
 * pull of theirs has one of the two bounds, and one with bytes stalls where a message is larger
 * than the rest), and hands over what has come at once rather than one message after the other.
 */
export class StreamReader {
  readonly #options: StreamReaderOptions
  #next: number
  #queue: StreamMessage[] = []
  #queuedBytes = 0
  #consumer: Consumer | undefined
  #serial = 0
  #isMaking = false
  #isClosed = false
  #watchdog: NodeJS.Timeout
  readonly #unlisten: () => void

  constructor(options: StreamReaderOptions) {
    this.#options = options
    this.#next = options.from
    this.#unlisten = options.link.onUp(() => this.#restart())
    this.#watchdog = setInterval(() => this.#watch(), HEARTBEAT_MS)
    this.#watchdog.unref()
    this.#restart()
  }

  /** Everything that has come since the last call, in order. */
  take(): readonly StreamMessage[] {
    if (this.#queue.length === 0) return this.#queue
    const taken = this.#queue
    this.#queue = []
    this.#queuedBytes = 0
    this.#pull()
    return taken
  }

  get hasMessages(): boolean {
    return this.#queue.length > 0
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#watchdog)
    this.#unlisten()
    this.#drop()
  }

  #restart(): void {
    this.#drop()
    if (!this.#isMaking) void this.#make()
  }

  #drop(): void {
    const { link, stream } = this.#options
    const consumer = this.#consumer
    this.#consumer = undefined
    if (consumer === undefined || !link.isUp) return
    consumer.subscription.unsubscribe()
    // What is not deleted ends by itself.
    link.manager.consumers.delete(stream, consumer.name).catch(() => {})
  }

  async #make(): Promise<void> {
    const backoff = new Backoff(AGAIN)
    this.#isMaking = true
    // When the connection is back, it is begun anew.
    while (!this.#isClosed && this.#consumer === undefined && this.#options.link.isUp) {
      try {
        this.#consumer = await this.#create()
      } catch {
        // Whatever it is, reading goes on when it is over; appends are what tells people.
        await new Promise(resolve => setTimeout(resolve, backoff.next()))
      }
    }
    this.#isMaking = false
    if (this.#isClosed) this.#drop()
    else this.#pull()
  }

  async #create(): Promise<Consumer> {
    const { link, stream } = this.#options
    const serial = ++this.#serial
    const inbox = createInbox()
    const { name } = await link.manager.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.#next + 1,
      replay_policy: ReplayPolicy.Instant,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(IDLE_MS),
    })
    const subscription = link.connection.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (this.#consumer?.serial !== serial) return
        if (error !== null) return this.#restart()
        this.#receive(this.#consumer, message)
      },
    })
    return {
      ...{ name, serial, inbox, subscription },
      ...{ pulls: 0, left: 0, delivered: 0, heardAt: performance.now() },
    }
  }

  #receive(consumer: Consumer, message: Msg): void {
    consumer.heardAt = performance.now()
    if (message.subject.startsWith(consumer.inbox)) return this.#status(consumer, message)
    const { streamSequence, consumerSequence, atMs } = placeOf(message.reply ?? '')
    // The server counts what it delivers: a gap there was lost on the way, one in the stream's own
    // sequence alone was deleted.
    if (consumerSequence !== consumer.delivered + 1) return this.#restart()
    consumer.delivered = consumerSequence
    const offset = streamSequence - 1
    const { data, subject } = message
    this.#next = offset + 1
    this.#queue.push({ offset, subject, atMs, data, message })
    this.#queuedBytes += data.length
    if (--consumer.left === 0) this.#pull()
    this.#options.onMessages()
  }

  #status(consumer: Consumer, message: Msg): void {
    const code = message.headers?.code ?? 0
    const isHeartbeat = code === 100
    // Of an earlier request, which its last message has ended already.
    if (isHeartbeat || !message.subject.endsWith(`.${consumer.pulls}`)) return
    const isEnd = code === 404 || code === 408 || isEndOf(message)
    if (!isEnd) return this.#restart()
    consumer.left = 0
    this.#pull()
  }

  #pull(): void {
    const consumer = this.#consumer
    const { link, stream } = this.#options
    if (consumer === undefined || consumer.left > 0 || !link.isUp) return
    if (this.#queuedBytes > MAX_QUEUED_BYTES) return
    consumer.left = PULL_MESSAGES
    consumer.heardAt = performance.now()
    const request = {
      batch: PULL_MESSAGES,
      max_bytes: Math.max(PULL_BYTES, 2 * link.maxPayload),
      expires: nanos(PULL_EXPIRES_MS),
      idle_heartbeat: nanos(HEARTBEAT_MS),
    }
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer.name}`
    const reply = `${consumer.inbox}.${++consumer.pulls}`
    link.connection.publish(subject, JSON.stringify(request), { reply })
  }

  #watch(): void {
    const { link } = this.#options
    if (!link.isUp || this.#consumer === undefined || this.#consumer.left === 0) return
    if (performance.now() - this.#consumer.heardAt > SILENCE_MS) this.#restart()
  }
}

interface Consumer {
  readonly name: string
  readonly serial: number
  readonly inbox: string
  readonly subscription: Subscription
  /** Requests so far; the number of the last one is the end of its reply subject. */
  pulls: number
  /** Messages that the last request may bring still; 0: it is done. */
  left: number
  delivered: number
  heardAt: number
}

/** 409 is also said of a consumer that is gone. */
function isEndOf(message: Msg): boolean {
  return (
    message.headers?.code === 409 && /max ?bytes|batch completed/i.test(message.headers.description)
  )
}

interface MessagePlace {
  readonly streamSequence: number
  readonly consumerSequence: number
  readonly atMs: number
}

/**
 * `$JS.ACK.<stream>.<consumer>.<tries>.<stream seq>.<consumer seq>.<time>.<pending>`, and with two
 * tokens more in front of the stream, and perhaps one at the end, in newer servers (ADR-15).
 */
function placeOf(reply: string): MessagePlace {
  const tokens = reply.split('.')
  const at = tokens.length >= 11 ? 7 : 5
  const [streamSequence, consumerSequence, nanos] = tokens.slice(at, at + 3).map(Number)
  return { streamSequence, consumerSequence, atMs: Math.floor(nanos / 1e6) }
}
