/** Numbers by name, with their sum: what is counted for each tenant and for all. */
export class Tally {
  total = 0
  readonly #counts = new Map<string, number>()

  add(name: string, count: number): void {
    this.total += count
    this.#counts.set(name, this.of(name) + count)
  }

  names(): readonly string[] {
    return [...this.#counts.keys()]
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }
}
