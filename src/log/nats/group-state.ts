import type { Names } from './names.ts'
import { WeirError } from '../../ports/errors.ts'
import { WRONG_LAST_SEQUENCE } from './errors.ts'
import type { NatsLink } from './link.ts'
import { StreamReader } from './reader.ts'

interface Kept {
  readonly value: unknown
  /** The sequence of the message that says it, which a conditional write names. */
  readonly revision: number
}

/**
 * What the processes of a log agree on, in a stream that keeps the last message of each subject:
 * every process follows all of it, and a write says which state it has seen, so that of two that
 * want the same only one succeeds.
 */
export class GroupState {
  readonly #link: NatsLink
  readonly #reader: StreamReader
  readonly #kept = new Map<string, Kept>()
  readonly #listeners = new Set<() => void>()
  #seen = 0
  #wake: (() => void) | undefined

  /** Resolves when everything that is there has been read. */
  static async open(link: NatsLink, names: Names): Promise<GroupState> {
    const { stream } = names.state
    const { state } = await link.manager.streams.info(stream)
    const opened = new GroupState(link, stream)
    try {
      await opened.#readUpTo(state.messages === 0 ? 0 : state.last_seq)
    } catch (error) {
      opened.close()
      throw error
    }
    return opened
  }

  private constructor(link: NatsLink, stream: string) {
    this.#link = link
    this.#reader = new StreamReader({ link, stream, from: 0, onMessages: () => this.#take() })
  }

  get(subject: string): unknown {
    return this.#kept.get(subject)?.value
  }

  /** A number that somebody has put there. */
  number(subject: string): number | undefined {
    const value = this.get(subject)
    return typeof value === 'number' ? value : undefined
  }

  subjects(): Iterable<string> {
    return this.#kept.keys()
  }

  /** Called after each change, whoever made it. Returns what ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Writes, whatever was there. */
  async put(subject: string, value: unknown): Promise<void> {
    await this.#publish(subject, value)
  }

  /** Writes if nobody else has written since this process has read it; whether it did. */
  async swap(subject: string, value: unknown): Promise<boolean> {
    const revision = this.#kept.get(subject)?.revision ?? 0
    try {
      await this.#publish(subject, value, revision)
      return true
    } catch (error) {
      if ((error as { code?: number }).code === WRONG_LAST_SEQUENCE) return false
      throw error
    }
  }

  close(): void {
    this.#reader.close()
    this.#listeners.clear()
    this.#wake?.()
  }

  async #publish(subject: string, value: unknown, revision?: number): Promise<void> {
    if (!this.#link.isUp) throw new WeirError('retryable', 'NATS is away')
    const expect = revision === undefined ? {} : { expect: { lastSubjectSequence: revision } }
    const data = JSON.stringify(value)
    const { seq } = await this.#link.manager.jetstream().publish(subject, data, expect)
    this.#keep(subject, { value, revision: seq })
  }

  #keep(subject: string, kept: Kept): void {
    const known = this.#kept.get(subject)
    if (known !== undefined && known.revision >= kept.revision) return
    this.#kept.set(subject, kept)
    for (const listener of this.#listeners) listener()
  }

  #take(): void {
    for (const { offset, subject, message } of this.#reader.take()) {
      this.#seen = offset + 1
      this.#keep(subject, { value: message.json(), revision: offset + 1 })
    }
    this.#wake?.()
  }

  async #readUpTo(sequence: number): Promise<void> {
    const end = performance.now() + this.#link.requestTimeoutMs
    while (this.#seen < sequence) {
      const leftMs = end - performance.now()
      if (leftMs <= 0) throw new WeirError('retryable', 'NATS does not deliver what groups have')
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, leftMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}
