/** How far each consumer group of this process has come; what all have passed may be deleted. */
export class GroupPositions {
  readonly #needs = new Map<string, number>()

  /** The group reads from `offset` on: nothing from there on may be deleted until it commits. */
  join(group: string, offset: number): void {
    if (!this.#needs.has(group)) this.#needs.set(group, offset)
  }

  /** The group needs nothing before `offset`; an older offset changes nothing. */
  commit(group: string, offset: number): void {
    this.#needs.set(group, Math.max(offset, this.#needs.get(group) ?? 0))
  }

  /** Everything before this is needed by no group. */
  floor(): number {
    let floor = Infinity
    for (const offset of this.#needs.values()) floor = Math.min(floor, offset)
    return floor === Infinity ? 0 : floor
  }
}
