import { errorText } from '../../kit/error-text.ts'
import type { Clock } from '../../ports/clock.ts'

const INTERVAL_MS = 10 * 60_000

/** What has to be done to old points now and then. */
export interface Task {
  /** What it means that it failed. */
  readonly failure: string
  readonly run: () => Promise<void>
  /** Breaks off what runs. */
  readonly stop?: () => Promise<void>
}

export interface UpkeepOptions {
  readonly clock: Clock
  readonly onWarning: (message: string) => void
}

/**
 * Does its tasks one after the other, at the start and then every ten minutes. What failed is told, and is done the next
 * time: somebody dumps the tables, or the database is away.
 */
export class Upkeep {
  readonly #tasks: readonly Task[]
  readonly #onWarning: (message: string) => void
  readonly #stopTimer: () => void
  #isStopped = false
  #running: Promise<void> = Promise.resolve()

  constructor(tasks: readonly Task[], { clock, onWarning }: UpkeepOptions) {
    this.#tasks = tasks
    this.#onWarning = onWarning
    this.#start()
    this.#stopTimer = clock.every(INTERVAL_MS, () => this.#start())
  }

  async stop(): Promise<void> {
    this.#stopTimer()
    this.#isStopped = true
    await Promise.all(this.#tasks.map(async ({ stop }) => stop?.()))
    await this.#running
  }

  #start(): void {
    this.#running = this.#running.then(() => this.#run())
  }

  async #run(): Promise<void> {
    for (const { failure, run } of this.#tasks) {
      if (this.#isStopped) return
      try {
        await run()
      } catch (error) {
        this.#onWarning(`${failure}: ${errorText(error)}`)
      }
    }
  }
}
