/** The names of one tenant's devices in order of UTF-16 code units, for paging. */
export class Directory {
  #sorted: string[] = []
  /** Added since the last look, in no order: first contacts cost no sorting. */
  #fresh: string[] = []

  add(name: string): void {
    this.#fresh.push(name)
  }

  remove(name: string): void {
    const names = this.names()
    const at = firstAfter(names, name) - 1
    if (at >= 0 && names[at] === name) this.#sorted.splice(at, 1)
  }

  /** All names in order. The array is the directory's own: valid until the next change. */
  names(): readonly string[] {
    if (this.#fresh.length > 0) {
      this.#sorted = merged(this.#sorted, this.#fresh.sort())
      this.#fresh = []
    }
    return this.#sorted
  }

  /** The place in `names()` of the first name that comes after `name`, which need not exist. */
  indexAfter(name: string): number {
    return firstAfter(this.names(), name)
  }
}

function firstAfter(names: readonly string[], name: string): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (names[middle] <= name) low = middle + 1
    else high = middle
  }
  return low
}

function merged(left: readonly string[], right: readonly string[]): string[] {
  const all: string[] = []
  let l = 0
  let r = 0
  while (l < left.length && r < right.length) {
    all.push(left[l] < right[r] ? left[l++] : right[r++])
  }
  while (l < left.length) all.push(left[l++])
  while (r < right.length) all.push(right[r++])
  return all
}
