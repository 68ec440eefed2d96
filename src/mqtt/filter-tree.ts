interface Node<T> {
  readonly children: Map<string, Node<T>>
  readonly values: Set<T>
}

/** Topic filters with their wildcards, and what is registered under each. */
export class FilterTree<T> {
  /** Rises with every change, so that answers can be kept until then. */
  version = 0
  readonly #root: Node<T> = { children: new Map(), values: new Set() }

  add(filter: string, value: T): void {
    let node = this.#root
    for (const level of filter.split('/')) {
      let child = node.children.get(level)
      if (child === undefined) {
        child = { children: new Map(), values: new Set() }
        node.children.set(level, child)
      }
      node = child
    }
    node.values.add(value)
    this.version++
  }

  remove(filter: string, value: T): void {
    const path: Node<T>[] = [this.#root]
    const levels = filter.split('/')
    for (const level of levels) {
      const child = path[path.length - 1].children.get(level)
      if (child === undefined) return
      path.push(child)
    }
    path[levels.length].values.delete(value)
    for (let i = levels.length; i > 0; i--) {
      const { children, values } = path[i]
      if (children.size > 0 || values.size > 0) break
      path[i - 1].children.delete(levels[i - 1])
    }
    this.version++
  }

  match(topic: string): T[] {
    const found: T[] = []
    collect(this.#root, topic.split('/'), { at: 0, found })
    return found
  }

  /** Whether anything matches. */
  matches(topic: string): boolean {
    return this.#root.children.size > 0 && this.match(topic).length > 0
  }
}

/** `#` also matches the level above it: `a/#` matches `a`. */
function collect<T>(
  node: Node<T>,
  levels: readonly string[],
  { at, found }: { at: number; found: T[] },
): void {
  const rest = node.children.get('#')
  if (rest !== undefined) for (const value of rest.values) found.push(value)
  if (at === levels.length) {
    for (const value of node.values) found.push(value)
    return
  }
  const exact = node.children.get(levels[at])
  if (exact !== undefined) collect(exact, levels, { at: at + 1, found })
  const any = node.children.get('+')
  if (any !== undefined) collect(any, levels, { at: at + 1, found })
}
