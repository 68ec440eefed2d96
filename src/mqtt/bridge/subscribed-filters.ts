import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * The filters that the broker may have in the bridge's session, on disk: what the configuration no
 * longer names has to be unsubscribed, or the broker would send it for ever.
 */
export class SubscribedFilters {
  readonly #file: string
  /** Which session; that of another client id or broker has filters of its own. */
  readonly #session: string
  #filters: readonly string[]

  constructor(file: string, session: string) {
    this.#file = file
    this.#session = session
    this.#filters = read(file, session)
  }

  /** Those that are not wanted any more. */
  stale(wanted: readonly string[]): string[] {
    return this.#filters.filter(filter => !wanted.includes(filter))
  }

  /** To be called before the broker is asked for more, and after it has let go of some. */
  remember(filters: readonly string[]): void {
    const wanted = [...new Set(filters)].sort()
    if (JSON.stringify(wanted) === JSON.stringify(this.#filters)) return
    mkdirSync(dirname(this.#file), { recursive: true })
    // A file that is cut short by a crash would forget all.
    const next = `${this.#file}.new`
    writeFileSync(next, `${JSON.stringify({ session: this.#session, filters: wanted })}\n`)
    renameSync(next, this.#file)
    this.#filters = wanted
  }
}

function read(file: string, session: string): readonly string[] {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as { session: string; filters: string[] }
    return kept.session === session ? kept.filters : []
  } catch {
    // Not there yet, or lost with the power: then a stale filter stays, and no more than that.
    return []
  }
}
