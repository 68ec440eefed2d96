import { errorText } from '../../kit/error-text.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Partitions } from './partitions.ts'

const INTERVAL_MS = 10 * 60_000

export interface RetentionOptions {
  readonly clock: Clock
  readonly retentionMs: number
  readonly onWarning: (message: string) => void
}

/** Drops partitions whose points are all older than is kept, at the start and then every ten minutes. */
export class Retention {
  readonly #partitions: Pick<Partitions, 'dropBefore'>
  readonly #options: RetentionOptions
  readonly #stopTimer: () => void
  #dropping: Promise<void> = Promise.resolve()

  constructor(partitions: Pick<Partitions, 'dropBefore'>, options: RetentionOptions) {
    this.#partitions = partitions
    this.#options = options
    this.#run()
    this.#stopTimer = options.clock.every(INTERVAL_MS, () => this.#run())
  }

  async stop(): Promise<void> {
    this.#stopTimer()
    await this.#dropping
  }

  #run(): void {
    this.#dropping = this.#dropping.then(() => this.#drop())
  }

  async #drop(): Promise<void> {
    const { clock, retentionMs, onWarning } = this.#options
    try {
      await this.#partitions.dropBefore((clock.nowMs() - retentionMs) * 1000)
    } catch (error) {
      // Somebody dumps it, or the database is away: it is there the next time.
      onWarning(`points that are older than is kept could not be dropped: ${errorText(error)}`)
    }
  }
}
