import { singleFlight } from '../kit/single-flight.ts'
import type { Cache } from '../ports/cache.ts'
import type { Queries } from './queries.ts'

/** What answers queries: the store's `Queries`, or the same through a cache. */
export type QueryService = Pick<Queries, 'rows' | 'buckets' | 'chart' | 'columns'>

export interface CachedQueriesOptions {
  readonly queries: Queries
  readonly cache: Cache
  /** How old an answer may be; it is this stale at most. */
  readonly ttlMs: number
}

/**
 * Queries whose answers are kept for a while, for dashboards with many viewers. Whoever asks for
 * what is being read already waits for that answer. Off (`cache.queryTtlMs: 0`) unless asked for,
 * because an answer may then miss points that were acknowledged in the meantime.
 */
export class CachedQueries implements QueryService {
  readonly #options: CachedQueriesOptions
  readonly #flight = singleFlight<Uint8Array>()
  #requests = 0
  #hits = 0

  constructor(options: CachedQueriesOptions) {
    this.#options = options
  }

  /** Look-ups so far, and those that the cache answered. */
  counts(): { readonly requests: number; readonly hits: number } {
    return { requests: this.#requests, hits: this.#hits }
  }

  rows(request: Parameters<Queries['rows']>[0]): Promise<Uint8Array> {
    return this.#through(['rows', request], () => this.#options.queries.rows(request))
  }

  buckets(request: Parameters<Queries['buckets']>[0]): Promise<Uint8Array> {
    return this.#through(['buckets', request], () => this.#options.queries.buckets(request))
  }

  chart(read: Parameters<Queries['chart']>[0]): Promise<Uint8Array> {
    return this.#through(['chart', read], () => this.#options.queries.chart(read))
  }

  columns(read: Parameters<Queries['columns']>[0]): Promise<Uint8Array> {
    return this.#through(['columns', read], () => this.#options.queries.columns(read))
  }

  async #through(question: unknown, load: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const { cache, ttlMs } = this.#options
    if (ttlMs === 0) return load()
    this.#requests++
    const key = `query:${JSON.stringify(question)}`
    const kept = await cache.get(key)
    if (kept !== undefined) {
      this.#hits++
      return kept
    }
    return this.#flight(key, async () => {
      const answer = await load()
      await cache.set(key, answer, ttlMs)
      return answer
    })
  }
}
