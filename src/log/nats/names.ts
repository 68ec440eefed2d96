/** What a log is called on its servers: streams by its prefix, subjects below it. */
export class Names {
  readonly #prefix: string
  readonly #stream: string

  constructor(prefix: string) {
    this.#prefix = prefix
    // A stream's name must not have the dots that subjects have.
    this.#stream = prefix.replaceAll('.', '_')
  }

  /** Each partition is a stream of its own. */
  entries(partition: number): { readonly stream: string; readonly subject: string } {
    return {
      stream: `${this.#stream}-log-${partition}`,
      subject: `${this.#prefix}.log.${partition}`,
    }
  }

  /** Matches the subjects of all partitions. */
  get allEntries(): string {
    return `${this.#prefix}.log.*`
  }

  /** What groups have committed and who has which partition. */
  get state(): { readonly stream: string; readonly subject: string } {
    return { stream: `${this.#stream}-state`, subject: `${this.#prefix}.state.>` }
  }

  committed(group: string, partition: number): string {
    return `${this.#prefix}.state.commit.${group}.${partition}`
  }

  lease(group: string, partition: number): string {
    return `${this.#prefix}.state.lease.${group}.${partition}`
  }

  /** Groups that have committed or had a partition, of the subjects of the state. */
  groupsOf(subjects: Iterable<string>): Set<string> {
    const groups = new Set<string>()
    const skip = this.#prefix.length + '.state.'.length
    for (const subject of subjects) {
      const [kind, group] = subject.slice(skip).split('.')
      if (kind === 'commit' || kind === 'lease') groups.add(group)
    }
    return groups
  }

  /** Where the members of a group tell each other that they live; no stream keeps it. */
  members(group: string): string {
    return `${this.#prefix}.members.${group}`
  }

  get dead(): { readonly stream: string; readonly subject: string } {
    return { stream: `${this.#stream}-dead`, subject: `${this.#prefix}.dead.*` }
  }

  deadLetter(id: string): string {
    return `${this.#prefix}.dead.${id}`
  }
}
