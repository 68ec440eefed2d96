import { WeirError } from '../../ports/errors.ts'
import type { Engine } from './engine.ts'
import { FRAME_FIELDS } from './protocol.ts'
import type { FromWorker, PlainError, WriteMessage } from './protocol.ts'

type Taken = Extract<FromWorker, { kind: 'taken' }>

/**
 * Writes in order of arrival. Normally each is taken at once; when the head is full they wait for
 * the flush, and reads that came after them wait too, so that a read sees what was written
 * before it. Only while the flush fails are reads served without them.
 */
export class Inbox {
  readonly #engine: Engine
  readonly #answer: (taken: Taken) => void
  readonly #waiting: WriteMessage[] = []
  /** The next frame of the first message that waits. */
  #place = 0
  #refused: { write: number; error: PlainError }[] = []
  #readers: (() => void)[] = []

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
    await new Promise<void>(resolve => this.#readers.push(resolve))
  }

  #go(): void {
    while (this.#waiting.length > 0) {
      const message = this.#waiting[0]
      if (!this.#takeAll(message)) break
      this.#waiting.shift()
      const { through, buffer } = message
      this.#answer({ kind: 'taken', through, buffer, refused: this.#refused })
      this.#place = 0
      this.#refused = []
    }
    if (this.#waiting.length > 0 && this.#engine.loop.failure === undefined) return
    const readers = this.#readers
    this.#readers = []
    for (const resolve of readers) resolve()
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
  const { kind, message, code } = error
  return code === undefined ? { kind, message } : { kind, message, code }
}
