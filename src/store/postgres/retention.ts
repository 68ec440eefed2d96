import type { Clock } from '../../ports/clock.ts'
import type { Partitions } from './partitions.ts'

const HOUR_MS = 3_600_000

/** Drops partitions whose points are all older than is kept, at the start and then every hour. */
export class Retention {
  readonly #stopTimer: () => void
  readonly #drop: () => Promise<unknown>
  #dropping: Promise<unknown> = Promise.resolve()

  constructor(partitions: Pick<Partitions, 'dropBefore'>, options: RetentionOptions) {
    const { clock, retentionMs } = options
    this.#drop = () => partitions.dropBefore((clock.nowMs() - retentionMs) * 1000)
    this.#run()
    this.#stopTimer = clock.every(HOUR_MS, () => this.#run())
  }

  async stop(): Promise<void> {
    this.#stopTimer()
    await this.#dropping
  }

  #run(): void {
    // A database that is away is asked again in an hour.
    this.#dropping = this.#dropping.then(this.#drop).catch(() => undefined)
  }
}

export interface RetentionOptions {
  readonly clock: Clock
  readonly retentionMs: number
}
