/**
 * Long work in short turns, so that the messages that arrive meanwhile are served in between.
 * `take()` is called between steps and waits for the event loop when the turn has been used up.
 */
export class Turns {
  readonly #turnMs: number
  #startedAt = performance.now()

  constructor(turnMs: number) {
    this.#turnMs = turnMs
  }

  get isOver(): boolean {
    return performance.now() - this.#startedAt >= this.#turnMs
  }

  async rest(): Promise<void> {
    await new Promise<void>(resolve => setImmediate(resolve))
    this.#startedAt = performance.now()
  }
}
