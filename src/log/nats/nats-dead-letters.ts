import { crc32 } from 'node:zlib'
import { AckPolicy, DeliverPolicy, type JsMsg } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import {
  deadLetterId,
  type DeadLetter,
  type DeadLetters,
  type NewDeadLetter,
} from '../../ports/dead-letters.ts'
import { WeirError } from '../../ports/errors.ts'
import { HEADER_BYTES } from './entry.ts'
import type { NatsLink } from './link.ts'
import type { Names } from './names.ts'
import type { Outgoing, Publisher } from './publisher.ts'

export interface NatsDeadLettersOptions {
  readonly link: NatsLink
  readonly names: Names
  readonly publisher: Publisher
}

/** What is known of a letter besides its bytes, as JSON in URI encoding. */
const ABOUT_HEADER = 'Weir-Letter'
const LETTERS_AT_ONCE = 50
const EXPIRES_MS = 2000
/** In URI encoding a character may take nine bytes: within `HEADER_BYTES` with all the rest. */
const MAX_REASON = 300

type About = Pick<DeadLetter, 'reason' | 'source' | 'group' | 'atMs'>

/** In a stream of their own, which keeps one message of each id. */
export class NatsDeadLetters implements DeadLetters {
  readonly #options: NatsDeadLettersOptions

  constructor(options: NatsDeadLettersOptions) {
    this.#options = options
  }

  async put(letters: readonly NewDeadLetter[]): Promise<void> {
    const atMs = Date.now()
    await this.#options.publisher.publish(letters.map(letter => this.#outgoing(letter, atMs)))
  }

  async *list(): AsyncIterable<DeadLetter> {
    const { link, names } = this.#options
    const { stream } = names.dead
    const { state } = await this.#ask(() => link.manager.streams.info(stream))
    if (state.messages === 0) return
    const { name } = await this.#ask(() =>
      link.manager.consumers.add(stream, {
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.All,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanos(60_000),
      }),
    )
    try {
      const consumer = await this.#ask(() => link.manager.jetstream().consumers.get(stream, name))
      for (let left = state.messages; left > 0;) {
        const max_messages = Math.min(left, LETTERS_AT_ONCE)
        const found: DeadLetter[] = []
        for await (const message of await consumer.fetch({ max_messages, expires: EXPIRES_MS })) {
          left--
          if (message.seq > state.last_seq) left = 0
          else found.push(this.#letter(message))
        }
        if (found.length === 0) return
        yield* found
      }
    } finally {
      link.manager.consumers.delete(stream, name).catch(() => {})
    }
  }

  async remove(ids: readonly string[]): Promise<void> {
    const { link, names } = this.#options
    for (const id of ids) {
      // Only what can be one: a subject with wildcards would be all of them.
      if (!/^[\w-]+$/.test(id)) continue
      const filter = names.deadLetter(id)
      await this.#ask(() => link.manager.streams.purge(names.dead.stream, { filter }))
    }
  }

  #outgoing({ bytes, reason, source, group }: NewDeadLetter, atMs: number): Outgoing {
    const { link, names } = this.#options
    const id = deadLetterId(source, crc32(bytes))
    // Somebody may have put a record into the log that leaves no room for what is said about it.
    const most = link.maxPayload - HEADER_BYTES
    const data = bytes.length <= most ? bytes : bytes.subarray(0, most)
    const cut = data === bytes ? '' : ` (the first ${most} of ${bytes.length} bytes)`
    const about: About = { reason: reason.slice(0, MAX_REASON) + cut, source, group, atMs }
    const headers = { [ABOUT_HEADER]: encodeURIComponent(JSON.stringify(about)) }
    return { subject: names.deadLetter(id), data, headers, isOnce: true }
  }

  #letter({ subject, data, headers }: Pick<JsMsg, 'subject' | 'data' | 'headers'>): DeadLetter {
    const about = JSON.parse(decodeURIComponent(headers?.get(ABOUT_HEADER) ?? '')) as About
    const id = subject.slice(subject.lastIndexOf('.') + 1)
    return { id, bytes: data, ...about }
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    const { connection, isUp } = this.#options.link
    if (connection.isClosed()) throw new WeirError('closed', 'the log is closed')
    if (!isUp) throw new WeirError('retryable', 'NATS is away')
    try {
      return await question()
    } catch (cause) {
      const { message } = cause as Error
      throw new WeirError('retryable', `dead letters in NATS: ${message}`, { cause })
    }
  }
}
