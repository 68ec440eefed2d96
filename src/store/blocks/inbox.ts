import { WeirError } from '../../ports/errors.ts'
import type { Engine } from './engine.ts'
import { FRAME_FIELDS } from './protocol.ts'
import type { FromWorker, PlainError, WriteMessage } from './protocol.ts'

type Taken = Extract<FromWorker, { kind: 'taken' }>

/** A read that waits for the writes before it. */
interface Reader {
  readonly kind: 'reader'
  readonly serve: () => void
}

/**
 * Writes and reads in order of arrival. Normally each is taken at once; when the head is full,
 * writes wait for the flush, and reads wait for the writes that came before them (not for later
 * ones, or they would wait for ever under load). Only while the flush fails are reads served
 * without them.
 */
export class Inbox {
  readonly #engine: Engine
  readonly #answer: (taken: Taken) => void
  #waiting: (WriteMessage | Reader)[] = []
  /** The next frame of the first message that waits. */
  #place = 0
  #refused: { write: number; error: PlainError }[] = []

  constructor(engine: Engine, answer: (taken: Taken) => void) {
    this.#engine = engine
    this.#answer = answer
    engine.loop.onEnd(() => this.#go())
    engine.onRoom = () => this.#go()
  }

  write(message: WriteMessage): void {
    this.#waiting.push(message)
    if (this.#waiting.length === 1) this.#go()
  }

  /** Resolves when all that was written before is visible, or cannot be for now. */
  async settled(): Promise<void> {
    if (this.#waiting.length === 0 || this.#engine.loop.failure !== undefined) return
    await new Promise<void>(serve => this.#waiting.push({ kind: 'reader', serve }))
  }

  #go(): void {
    while (this.#waiting.length > 0) {
      const message = this.#waiting[0]
      if (message.kind === 'reader') {
        this.#waiting.shift()
        message.serve()
        continue
      }
      if (!this.#takeAll(message)) break
      this.#waiting.shift()
      const { through, buffer } = message
      this.#answer({ kind: 'taken', through, buffer, refused: this.#refused })
      this.#place = 0
      this.#refused = []
    }
    if (this.#waiting.length > 0 && this.#engine.loop.failure !== undefined) this.#serveAll()
  }

  #serveAll(): void {
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ kind }) => kind !== 'reader')
    for (const message of waiting) if (message.kind === 'reader') message.serve()
  }

  #takeAll({ frames, buffer }: WriteMessage): boolean {
    for (; this.#place < frames.length; this.#place += FRAME_FIELDS) {
      const [write, partition, offset, at, length] = frames.slice(
        this.#place,
        this.#place + FRAME_FIELDS,
      )
      try {
        const frame = new Uint8Array(buffer, at, length)
        if (!this.#engine.take(frame, { partition, offset })) return false
      } catch (error) {
        this.#refused.push({ write, error: plainError(error) })
      }
    }
    return true
  }
}

export function plainError(error: unknown): PlainError {
  if (!(error instanceof WeirError)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { kind: 'retryable', message }
  }
  const { kind, message, code, limit } = error
  return {
    ...{ kind, message },
    ...(code === undefined ? {} : { code }),
    ...(limit === undefined ? {} : { limit }),
  }
}
