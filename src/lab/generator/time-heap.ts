/** Owners by the time at which each is due next: a binary heap without objects. */
export class TimeHeap {
  size = 0
  readonly #times: Float64Array
  readonly #owners: Uint32Array

  constructor(capacity: number) {
    this.#times = new Float64Array(capacity)
    this.#owners = new Uint32Array(capacity)
  }

  /** Infinity when it is empty. */
  get firstMs(): number {
    return this.size === 0 ? Infinity : this.#times[0]
  }

  get firstOwner(): number {
    return this.#owners[0]
  }

  /** How many are due by then. */
  countBy(nowMs: number): number {
    let count = 0
    for (let i = 0; i < this.size; i++) if (this.#times[i] <= nowMs) count++
    return count
  }

  push(timeMs: number, owner: number): void {
    let at = this.size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#times[parent] <= timeMs) break
      this.#move(parent, at)
      at = parent
    }
    this.#put(at, timeMs, owner)
  }

  pop(): void {
    const last = --this.size
    const timeMs = this.#times[last]
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= last) break
      if (child + 1 < last && this.#times[child + 1] < this.#times[child]) child++
      if (this.#times[child] >= timeMs) break
      this.#move(child, at)
      at = child
    }
    this.#put(at, timeMs, this.#owners[last])
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from], this.#owners[from])
  }

  #put(at: number, timeMs: number, owner: number): void {
    this.#times[at] = timeMs
    this.#owners[at] = owner
  }
}
