import type { GroupState } from './group-state.ts'
import type { NatsLink } from './link.ts'

interface Told {
  readonly subject: string
  readonly data: Uint8Array
  readonly reply?: string
  json(): unknown
}
type Callback = (error: null, message: Told) => void

interface Consumer {
  readonly stream: string
  callback: Callback | undefined
  next: number
  delivered: number
  wanted: number
}

/**
 * What engine parts need of a server, in memory: streams that are read by pull consumers, and
 * messages that nobody keeps. Everything arrives a turn of the event loop later.
 */
export class ScriptedNats {
  /** Connections of as many processes as a test likes share it. */
  readonly link: NatsLink
  readonly #streams = new Map<string, Uint8Array[]>()
  readonly #consumers = new Map<string, Consumer>()
  readonly #listeners = new Map<string, Set<Callback>>()
  #names = 0

  constructor() {
    const consumers = {
      add: (stream: string, { opt_start_seq: next }: { opt_start_seq: number }) => {
        const name = `c${++this.#names}`
        const consumer = { stream, next, delivered: 0, wanted: 0, callback: undefined }
        this.#consumers.set(name, consumer)
        return Promise.resolve({ name })
      },
      delete: (_stream: string, name: string) => Promise.resolve(this.#consumers.delete(name)),
    }
    const connection = {
      subscribe: (subject: string, { callback }: { callback: Callback }) => {
        const all = this.#listeners.get(subject) ?? new Set()
        this.#listeners.set(subject, all.add(callback))
        return { unsubscribe: () => all.delete(callback) }
      },
      publish: (subject: string, text: string, { reply = '' } = {}) =>
        this.#publish(subject, text, reply),
    }
    const link = {
      ...{ isUp: true, downMs: 0, maxPayload: 1 << 20, requestTimeoutMs: 1000 },
      ...{ connection, manager: { consumers }, onUp: () => () => {} },
    }
    this.link = link as unknown as NatsLink
  }

  append(stream: string, ...messages: readonly Uint8Array[]): void {
    this.#streams.set(stream, [...(this.#streams.get(stream) ?? []), ...messages])
    for (const [name, { stream: read }] of this.#consumers) if (read === stream) this.#serve(name)
  }

  /** Resolves when what is on its way has arrived. */
  async settled(): Promise<void> {
    for (let turns = 0; turns < 10; turns++) await new Promise(resolve => setImmediate(resolve))
  }

  #publish(subject: string, text: string, reply: string): void {
    const name = subject.startsWith('$JS') ? subject.slice(subject.lastIndexOf('.') + 1) : undefined
    const consumer = name === undefined ? undefined : this.#consumers.get(name)
    if (name === undefined) {
      const message = { subject, data: Buffer.from(text), json: () => JSON.parse(text) as unknown }
      const listeners = [...(this.#listeners.get(subject) ?? [])]
      for (const listen of listeners) setImmediate(() => listen(null, message))
    } else if (consumer !== undefined) {
      const inbox = `${reply.slice(0, reply.lastIndexOf('.'))}.*`
      ;[consumer.callback] = [...(this.#listeners.get(inbox) ?? [])]
      consumer.wanted = (JSON.parse(text) as { batch: number }).batch
      this.#serve(name)
    }
  }

  #serve(name: string): void {
    setImmediate(() => {
      const consumer = this.#consumers.get(name)
      if (consumer === undefined) return
      const messages = this.#streams.get(consumer.stream) ?? []
      for (; consumer.wanted > 0 && consumer.next <= messages.length; consumer.wanted--) {
        const sequence = consumer.next++
        const reply = `$JS.ACK.${consumer.stream}.${name}.1.${sequence}.${++consumer.delivered}.0.0`
        const data = messages[sequence - 1]
        const message = { subject: consumer.stream, reply, data, json: () => undefined }
        consumer.callback?.(null, message)
      }
    })
  }
}

/** What processes of a log agree on, in the memory of one. */
export class ScriptedState {
  /** Writes fail while it is set. */
  isAway = false
  readonly kept = new Map<string, unknown>()
  readonly #listeners = new Set<() => void>()

  get asState(): GroupState {
    return this as unknown as GroupState
  }

  get(subject: string): unknown {
    return this.kept.get(subject)
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async swap(subject: string, value: unknown): Promise<boolean> {
    const seen = this.kept.get(subject)
    await new Promise(resolve => setImmediate(resolve))
    if (this.isAway) throw new Error('no answer')
    if (this.kept.get(subject) !== seen) return false
    this.kept.set(subject, value)
    for (const listen of this.#listeners) listen()
    return true
  }
}
