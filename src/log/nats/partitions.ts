import type { LogStatus } from '../../ports/log.ts'
import type { NatsLink } from './link.ts'
import type { Names } from './names.ts'

interface PartitionState {
  /** The oldest offset that is kept. */
  first: number
  /** The offset that comes next. */
  next: number
  bytes: number
}

/** What is known of each partition's stream: asked now and then, and told by each append. */
export class Partitions {
  readonly #link: NatsLink
  readonly #names: Names
  readonly #states: PartitionState[]
  #lost: string | undefined

  constructor(link: NatsLink, names: Names, count: number) {
    this.#link = link
    this.#names = names
    this.#states = Array.from({ length: count }, () => ({ first: 0, next: 0, bytes: 0 }))
  }

  get count(): number {
    return this.#states.length
  }

  of(partition: number): Readonly<PartitionState> | undefined {
    return this.#states[partition]
  }

  get all(): readonly Readonly<PartitionState>[] {
    return this.#states
  }

  async refresh(): Promise<void> {
    await Promise.all(this.#states.map((_, partition) => this.#refreshOne(partition)))
  }

  /** An append was acknowledged with this sequence, which counts from 1. */
  appended(partition: number, sequence: number): void {
    const state = this.#states[partition]
    state.next = Math.max(state.next, sequence)
  }

  status(): LogStatus['partitions'] {
    return this.#states.map(({ first, next }, partition) => ({ partition, first, next }))
  }

  get bytes(): number {
    return this.#states.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /**
   * What a server has forgotten that it had acknowledged: after a power failure, or because somebody
   * made the stream anew. What comes next has offsets of entries that the store has already.
   */
  get lost(): string | undefined {
    return this.#lost
  }

  async #refreshOne(partition: number): Promise<void> {
    const { stream } = this.#names.entries(partition)
    const known = this.#states[partition]
    // As it was when the server was asked: acknowledgements may overtake its answer.
    const { next } = known
    const { state } = await this.#link.manager.streams.info(stream)
    if (state.last_seq < next) {
      const places = `it ended before ${next} and ends before ${state.last_seq} now`
      this.#lost ??= `NATS has lost entries of stream ${stream}: ${places}`
    }
    // Of a new stream the first sequence is 0, of one that was emptied it is the next one.
    known.first = Math.max(known.first, state.first_seq - 1)
    known.next = Math.max(known.next, state.last_seq)
    known.bytes = state.bytes
  }
}
