/** A set of dense ids that costs a byte an id, for the hot path. */
export class MarkedIds {
  #marks = new Uint8Array(0)
  /** Each id that is marked and has not been taken, once. */
  #waiting: number[] = []

  /** Hot. */
  add(id: number): void {
    if (id >= this.#marks.length) this.#grow(id)
    if (this.#marks[id] !== 0) return
    this.#marks[id] = 1
    this.#waiting.push(id)
  }

  /** Whether it was added and not cleared since. */
  has(id: number): boolean {
    return this.#marks[id] === 1
  }

  /** How many wait to be taken. */
  get size(): number {
    return this.#waiting.length
  }

  /** All that wait. They stay marked until they are cleared, so that they are not added again. */
  take(): number[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  /** Taken ids wait again. */
  putBack(ids: readonly number[]): void {
    for (const id of ids) this.#waiting.push(id)
  }

  clear(id: number): void {
    this.#marks[id] = 0
  }

  #grow(id: number): void {
    const grown = new Uint8Array(Math.max(1024, id + 1, 2 * this.#marks.length))
    grown.set(this.#marks)
    this.#marks = grown
  }
}
