import { WeirError } from '../ports/errors.ts'

/** Bounds how many exports and imports run at once: each has memory and a connection of its own. */
export class Slots {
  readonly #most: number
  readonly #limit: string
  #taken = 0

  /** `limit` is the configuration path of the bound. */
  constructor(most: number, limit: string) {
    this.#most = most
    this.#limit = limit
  }

  get taken(): number {
    return this.#taken
  }

  /**
   * Takes a slot; the function returned gives it back, once however often it is called.
   *
   * @throws WeirError `overloaded` when none is free.
   */
  take(): () => void {
    if (this.#taken >= this.#most) {
      const message = `${this.#most} exports and imports are running already`
      throw new WeirError('overloaded', message, { limit: this.#limit, retryAfterMs: 5000 })
    }
    this.#taken++
    let isHeld = true
    return () => {
      if (isHeld) this.#taken--
      isHeld = false
    }
  }
}
