import { createInbox, headers, type Msg, type MsgHdrs } from '@nats-io/transport-node'
import { WeirError } from '../../ports/errors.ts'
import { publishError, RETRYABLE_NOW, WRONG_LAST_SEQUENCE, type AckError } from './errors.ts'
import type { NatsLink } from './link.ts'

export interface Outgoing {
  readonly subject: string
  readonly data: Uint8Array
  readonly headers: Readonly<Record<string, string>>
  /** Only if its subject has no message; where there is one, that will do. */
  readonly isOnce?: boolean
}

export interface Acknowledged {
  /** From 1, as the stream counts. */
  readonly sequence: number
}

interface Round {
  readonly acks: (Acknowledged | undefined)[]
  left: number
  error: WeirError | undefined
  done(): void
}

interface Waiting {
  readonly token: string
  readonly outgoing: Outgoing
  readonly headers: MsgHdrs
  readonly round: Round
  readonly place: number
}

/** How long to wait where the server is up and its stream is not yet. */
const AGAIN_MS = 100

/**
 * Publishes and waits for the acknowledgements of the streams. What the connection lost is sent
 * again when it is back, under the same id, so that the stream keeps it once; but never for longer
 * than `requestTimeoutMs` in all.
 */
export class Publisher {
  readonly #link: NatsLink
  readonly #inbox = createInbox()
  /** In the order of publishing, in which it is also sent again. */
  readonly #waiting = new Map<string, Waiting>()
  readonly #end: () => void
  #count = 0
  #again: NodeJS.Timeout | undefined
  /** The server has let something wait for too long: ask it before it is given more. */
  #isStalled = false

  constructor(link: NatsLink) {
    this.#link = link
    const subscription = link.connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#settle(message)
      },
    })
    const unlisten = link.onUp(() => this.#sendAgain())
    this.#end = () => {
      unlisten()
      clearTimeout(this.#again)
      if (!link.connection.isClosed()) subscription.unsubscribe()
    }
  }

  /**
   * Resolves when all are acknowledged, in their order.
   *
   * @throws WeirError `retryable`: some of them may be in the stream; `rejected`: one can never be.
   */
  async publish(messages: readonly Outgoing[]): Promise<readonly Acknowledged[]> {
    const { requestTimeoutMs } = this.#link
    if (this.#link.downMs > requestTimeoutMs) throw away(this.#link.downMs)
    const deadline = performance.now() + requestTimeoutMs
    if (this.#isStalled) await this.#probe(deadline)
    const { promise, resolve } = Promise.withResolvers<void>()
    const acks = messages.map(() => undefined)
    const round: Round = { acks, left: messages.length, error: undefined, done: resolve }
    const waiting = messages.map((outgoing, place): Waiting => {
      const token = (++this.#count).toString(36)
      const own = headers()
      for (const [name, value] of Object.entries(outgoing.headers)) own.set(name, value)
      // The id of the stream's own look for repeated messages.
      own.set('Nats-Msg-Id', `${this.#inbox}.${token}`)
      if (outgoing.isOnce === true) own.set('Nats-Expected-Last-Subject-Sequence', '0')
      return { token, outgoing, headers: own, round, place }
    })
    for (const one of waiting) this.#waiting.set(one.token, one)
    for (const one of waiting) this.#send(one)
    const timer = setTimeout(resolve, Math.max(deadline - performance.now(), 0))
    await promise
    clearTimeout(timer)
    for (const { token } of waiting) this.#waiting.delete(token)
    if (round.error !== undefined) throw round.error
    if (round.left > 0) {
      this.#isStalled = true
      throw away(requestTimeoutMs)
    }
    return round.acks as Acknowledged[]
  }

  /** What waits is given up. */
  close(): void {
    this.#end()
    for (const { round } of this.#waiting.values()) {
      round.error ??= new WeirError('closed', 'the log is closed')
      round.done()
    }
  }

  #send({ token, outgoing, headers: own }: Waiting): void {
    if (!this.#link.isUp) return
    try {
      const options = { reply: `${this.#inbox}.${token}`, headers: own }
      this.#link.connection.publish(outgoing.subject, outgoing.data, options)
    } catch (cause) {
      const { message } = cause as Error
      this.#fail(token, new WeirError('rejected', `NATS cannot take it: ${message}`, { cause }))
    }
  }

  #sendAgain(): void {
    clearTimeout(this.#again)
    this.#again = undefined
    for (const one of this.#waiting.values()) this.#send(one)
  }

  #settle(message: Msg): void {
    const token = message.subject.slice(this.#inbox.length + 1)
    const waiting = this.#waiting.get(token)
    if (waiting === undefined) return
    const { sequence, error } = readAck(message)
    const isThere = waiting.outgoing.isOnce === true && error?.err_code === WRONG_LAST_SEQUENCE
    if (error !== undefined && !isThere) {
      if (RETRYABLE_NOW.has(error.err_code)) this.#again ??= this.#soon()
      else this.#fail(token, publishError(error))
      return
    }
    this.#waiting.delete(token)
    waiting.round.acks[waiting.place] = { sequence }
    if (--waiting.round.left === 0) waiting.round.done()
  }

  /** The others of the round are waited for: what is known to be in the stream is known. */
  #fail(token: string, error: WeirError): void {
    const waiting = this.#waiting.get(token)
    if (waiting === undefined) return
    this.#waiting.delete(token)
    waiting.round.error ??= error
    if (--waiting.round.left === 0) waiting.round.done()
  }

  #soon(): NodeJS.Timeout {
    return setTimeout(() => this.#sendAgain(), AGAIN_MS)
  }

  async #probe(deadline: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>(resolve => {
      timer = setTimeout(() => resolve(false), Math.max(deadline - performance.now(), 0))
    })
    const { connection, isUp } = this.#link
    const answers = isUp
      ? connection.flush().then(
          () => true,
          () => false,
        )
      : late
    const isBack = await Promise.race([answers, late])
    clearTimeout(timer)
    if (!isBack && !this.#link.isUp) return
    if (!isBack) throw away(this.#link.requestTimeoutMs)
    this.#isStalled = false
  }
}

function away(ms: number): WeirError {
  return new WeirError('retryable', `NATS has not answered for ${Math.round(ms)} ms`, {
    retryAfterMs: 1000,
  })
}

function readAck(message: Msg): { sequence: number; error?: AckError } {
  // Nobody listens at the subject: JetStream reads its streams still, or elects their leader.
  if (message.data.length === 0) return { sequence: 0, error: { err_code: 0, description: '' } }
  const answer = message.json<{ seq?: number; error?: AckError }>()
  if (answer.error !== undefined) return { sequence: 0, error: answer.error }
  return { sequence: answer.seq ?? 0 }
}
