import { WeirError } from '../../ports/errors.ts'

const RETRY_FIRST_MS = 250
const RETRY_MOST_MS = 15_000

export interface FlushSteps<Generation> {
  /** The generation to flush, new or left over from a failure; undefined when there is nothing. */
  freeze(): Generation | undefined
  /** Flushes it and gives its memory back. */
  flush(generation: Generation): Promise<void>
}

/**
 * Runs one flush after the other, never two at once. A flush that fails is tried again after a
 * while, longer each time, until it works; meanwhile `failure` says why.
 */
export class FlushLoop<Generation> {
  failure: WeirError | undefined = undefined
  readonly #steps: FlushSteps<Generation>
  #running: Promise<void> | undefined = undefined
  #retry: NodeJS.Timeout | undefined = undefined
  #retryMs = RETRY_FIRST_MS
  #stopped = false
  readonly #listeners = new Set<() => void>()

  constructor(steps: FlushSteps<Generation>) {
    this.#steps = steps
  }

  /** Starts a flush, unless one is under way or waits to be tried again. */
  start(): void {
    if (this.#stopped || this.#running !== undefined || this.#retry !== undefined) return
    void this.#run().catch(() => undefined)
  }

  /**
   * Flushes all that is there now.
   *
   * @throws WeirError why it failed; it will be tried again all the same.
   */
  async all(): Promise<void> {
    // What was frozen before a failure and what came since are two generations.
    await this.#again()
    await this.#again()
  }

  /** Resolves when no flush is under way. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => undefined)
  }

  /** Called after each flush, whether it worked or not. */
  onEnd(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#retry)
    await this.#running?.catch(() => undefined)
  }

  async #again(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined)
    clearTimeout(this.#retry)
    this.#retry = undefined
    await this.#run()
  }

  #run(): Promise<void> {
    const generation = this.#steps.freeze()
    if (generation === undefined) return Promise.resolve()
    this.#running = this.#flush(generation).finally(() => {
      this.#running = undefined
      for (const listener of this.#listeners) listener()
    })
    return this.#running
  }

  async #flush(generation: Generation): Promise<void> {
    try {
      await this.#steps.flush(generation)
      this.failure = undefined
      this.#retryMs = RETRY_FIRST_MS
    } catch (error) {
      const failure =
        error instanceof WeirError
          ? error
          : new WeirError('retryable', String(error), { cause: error })
      this.failure = failure
      if (!this.#stopped) this.#retryLater()
      throw failure
    }
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.start()
    }, this.#retryMs)
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MOST_MS)
  }
}
