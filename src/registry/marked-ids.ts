const ABSENT = 0
const MARKED = 1
/** Still among those that wait, where taking it out would cost a search. */
const DROPPED = 2

/** A set of dense ids that costs a byte an id, for the hot path. */
export class MarkedIds {
  #marks = new Uint8Array(0)
  /** Each id that is not absent and has not been taken, once. */
  #waiting: number[] = []

  /** Hot. */
  add(id: number): void {
    if (this.#marks[id] === MARKED) return
    if (id >= this.#marks.length) this.#grow(id)
    if (this.#marks[id] === ABSENT) this.#waiting.push(id)
    this.#marks[id] = MARKED
  }

  /** Whether it was added, and neither dropped nor cleared since. */
  has(id: number): boolean {
    return this.#marks[id] === MARKED
  }

  /** How many wait to be taken, or somewhat less. */
  get size(): number {
    return this.#waiting.length
  }

  /** It need not be taken any more. */
  drop(id: number): void {
    if (this.#marks[id] === MARKED) this.#marks[id] = DROPPED
  }

  /** All that wait, dropped ones too. They stay as they are until they are cleared. */
  take(): number[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  /** Taken ids wait again. */
  putBack(ids: readonly number[]): void {
    for (const id of ids) this.#waiting.push(id)
  }

  /** Of a taken id: it may be added anew. Whether it was still marked. */
  clear(id: number): boolean {
    const wasMarked = this.#marks[id] === MARKED
    this.#marks[id] = ABSENT
    return wasMarked
  }

  #grow(id: number): void {
    const grown = new Uint8Array(Math.max(1024, id + 1, 2 * this.#marks.length))
    grown.set(this.#marks)
    this.#marks = grown
  }
}
