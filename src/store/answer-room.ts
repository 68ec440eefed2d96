import { WeirError } from '../ports/errors.ts'
import type { AnswerBound } from '../ports/store.ts'

/** How much an answer may still hold, counted series by series. */
export class AnswerRoom {
  readonly #bound: AnswerBound | undefined
  /** Values of one more series that may be gathered: one that is over the bound tells as much as all. */
  left: number

  constructor(bound: AnswerBound | undefined) {
    this.#bound = bound
    this.left = bound?.most ?? Infinity
  }

  /** @throws WeirError `rejected` when that was too much. */
  take(values: number): void {
    this.left -= values
    if (this.left < 0) throw this.refusal()
  }

  refusal(): WeirError {
    const { most = Infinity, limit = '' } = this.#bound ?? {}
    const message = `the answer would hold more than ${most} values of all series; ask for less`
    return new WeirError('rejected', message, { limit })
  }
}
