import { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'
import type { FromWorker, WriteMessage } from './protocol.ts'

/** Memory that travels to the worker and back; a larger write gets memory of its own. */
const STAGE_BYTES = 256 << 10
/** Messages under way before further writes are gathered into one. */
const MAX_UNDER_WAY = 2
/** Stages kept for later. */
const MAX_SPARE = 8

interface Write {
  readonly resolve: () => void
  readonly reject: (error: WeirError) => void
}

/**
 * Writes on their way to the worker. Frames are copied once, into memory that goes there and
 * comes back. While messages are under way, further writes gather in the next one, so that many
 * small writes cost little; nothing waits for a timer.
 */
export class WriteQueue {
  readonly #post: (message: WriteMessage, transfer: ArrayBuffer[]) => void
  readonly #spare: ArrayBuffer[] = []
  /** Writes not answered yet; the first is number `#first`. */
  #writes: Write[] = []
  #first = 1
  #next = 1
  #stage: ArrayBuffer | undefined = undefined
  #bytes: Uint8Array = new Uint8Array(0)
  #used = 0
  #frames: number[] = []
  #underWay = 0
  #sentThrough = 0

  constructor(post: (message: WriteMessage, transfer: ArrayBuffer[]) => void) {
    this.#post = post
  }

  add(entries: readonly StoreEntry[]): Promise<void> {
    const number = this.#next++
    const promise = new Promise<void>((resolve, reject) => this.#writes.push({ resolve, reject }))
    for (const { frame, position } of entries) {
      // Points in the head are only memory: without a log to replay they would be lost.
      if (position === undefined) throw new Error('blocks need entries that a log keeps')
      const at = this.#reserve(frame.byteLength, number)
      this.#bytes.set(frame, at)
      this.#frames.push(number, position.partition, position.offset, at, frame.byteLength)
    }
    if (this.#underWay < MAX_UNDER_WAY) this.#send(number)
    return promise
  }

  /** Sends what is gathered, because a question follows. */
  sendNow(): void {
    if (this.#sentThrough < this.#next - 1) this.#send(this.#next - 1)
  }

  taken({ through, buffer, refused }: Extract<FromWorker, { kind: 'taken' }>): void {
    this.#underWay--
    if (buffer.byteLength === STAGE_BYTES && this.#spare.length < MAX_SPARE) {
      this.#spare.push(buffer)
    }
    for (const { write, error } of refused) {
      this.#writes[write - this.#first]?.reject(new WeirError(error.kind, error.message))
    }
    const count = through - this.#first + 1
    for (let i = 0; i < count; i++) this.#writes[i].resolve()
    if (count > 0) {
      this.#writes = this.#writes.slice(count)
      this.#first = through + 1
    }
    if (this.#underWay < MAX_UNDER_WAY) this.sendNow()
  }

  fail(error: WeirError): void {
    for (const { reject } of this.#writes) reject(error)
    this.#writes = []
    this.#frames = []
  }

  /** Room for a frame in the stage, 8-aligned so that it is read in place. */
  #reserve(length: number, number: number): number {
    const at = (this.#used + 7) & ~7
    if (this.#stage !== undefined && at + length <= this.#stage.byteLength) {
      this.#used = at + length
      return at
    }
    // The write goes on in the next message, so this one completes only the writes before it.
    if (this.#frames.length > 0) this.#send(number - 1)
    if (this.#stage === undefined || length > this.#stage.byteLength) {
      if (length > STAGE_BYTES) this.#stage = new ArrayBuffer(length)
      else this.#stage = this.#spare.pop() ?? new ArrayBuffer(STAGE_BYTES)
      this.#bytes = new Uint8Array(this.#stage)
    }
    this.#used = length
    return 0
  }

  #send(through: number): void {
    const stage = this.#stage ?? new ArrayBuffer(0)
    this.#post({ kind: 'write', buffer: stage, frames: this.#frames, through }, [stage])
    this.#stage = undefined
    this.#used = 0
    this.#frames = []
    this.#underWay++
    this.#sentThrough = through
  }
}
