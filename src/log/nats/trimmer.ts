import type { GroupState } from './group-state.ts'
import type { NatsLink } from './link.ts'
import type { Names } from './names.ts'
import type { Partitions } from './partitions.ts'

export interface TrimmerOptions {
  readonly link: NatsLink
  readonly names: Names
  readonly state: GroupState
  readonly partitions: Partitions
  readonly trimDelayMs: number
}

const MIN_INTERVAL_MS = 250
const MAX_INTERVAL_MS = 5000

/**
 * Deletes what every group has committed, a while later, because somebody may have read a position
 * and not begun there yet. A group that has ever had or committed a partition is waited for.
 */
export class Trimmer {
  readonly #options: TrimmerOptions
  readonly #timer: NodeJS.Timeout
  /** Per partition: how far all groups were, and when that was seen. */
  readonly #seen = new Map<number, { atMs: number; offset: number }[]>()
  #running: Promise<void> | undefined

  constructor(options: TrimmerOptions) {
    this.#options = options
    const wished = options.trimDelayMs / 4
    const intervalMs = Math.min(Math.max(wished, MIN_INTERVAL_MS), MAX_INTERVAL_MS)
    this.#timer = setInterval(() => {
      this.#running ??= this.#trimAll().finally(() => (this.#running = undefined))
    }, intervalMs)
    this.#timer.unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
  }

  async #trimAll(): Promise<void> {
    const { link, partitions } = this.#options
    for (let partition = 0; partition < partitions.count; partition++) {
      if (!link.isUp) return
      const to = this.#trimTo(partition)
      if (to === undefined) continue
      // What does not work now is tried again soon.
      await this.#trim(partition, to).catch(() => {})
    }
  }

  /** Up to where everybody was long enough ago, if that is further than was trimmed. */
  #trimTo(partition: number): number | undefined {
    const { trimDelayMs, partitions } = this.#options
    const atMs = performance.now()
    const offset = this.#floor(partition)
    if (offset === undefined) return undefined
    const seen = this.#seen.get(partition) ?? []
    seen.push({ atMs, offset })
    this.#seen.set(partition, seen)
    let to: number | undefined
    while (seen.length > 0 && atMs - seen[0].atMs >= trimDelayMs) to = seen.shift()?.offset
    const { first = 0, next = 0 } = partitions.of(partition) ?? {}
    return to !== undefined && to > first && to <= next ? to : undefined
  }

  #floor(partition: number): number | undefined {
    const { state, names } = this.#options
    const groups = [...names.groupsOf(state.subjects())]
    if (groups.length === 0) return undefined
    return Math.min(...groups.map(group => state.number(names.committed(group, partition)) ?? 0))
  }

  async #trim(partition: number, to: number): Promise<void> {
    const { link, names } = this.#options
    // Up to this sequence, which is the one behind the last to go.
    await link.manager.streams.purge(names.entries(partition).stream, { seq: to + 1 })
  }
}
