import type { LogPosition } from '../../ports/log.ts'
import type { GroupState } from './group-state.ts'
import type { NatsLink } from './link.ts'
import type { Names } from './names.ts'

export interface CommittedPositionsOptions {
  readonly link: NatsLink
  readonly names: Names
  readonly state: GroupState
}

const FLUSH_INTERVAL_MS = 500

/** What this process has committed, told to all processes a little later. */
export class CommittedPositions {
  readonly #options: CommittedPositionsOptions
  /** By subject. */
  readonly #pending = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(options: CommittedPositionsOptions) {
    this.#options = options
  }

  commit(group: string, positions: readonly LogPosition[]): void {
    for (const { partition, offset } of positions) {
      const known = this.of(group, partition) ?? 0
      if (offset <= known) continue
      this.#pending.set(this.#options.names.committed(group, partition), offset)
    }
    if (this.#pending.size > 0) this.#soon()
  }

  of(group: string, partition: number): number | undefined {
    const { names, state } = this.#options
    const subject = names.committed(group, partition)
    return this.#pending.get(subject) ?? state.number(subject)
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#flushing
    await this.#flush()
    clearTimeout(this.#timer)
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#flushing = this.#flush()
    }, FLUSH_INTERVAL_MS)
    this.#timer.unref()
  }

  async #flush(): Promise<void> {
    const { link, state } = this.#options
    if (link.isUp) {
      const flushed = [...this.#pending].map(async ([subject, offset]) => {
        await state.put(subject, offset)
        if (this.#pending.get(subject) === offset) this.#pending.delete(subject)
      })
      await Promise.allSettled(flushed)
    }
    if (this.#pending.size > 0) this.#soon()
  }
}
