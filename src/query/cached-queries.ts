import { scopesOf } from '../model/data-scope.ts'
import type { Cache, CacheKey } from '../ports/cache.ts'
import type { SeriesSelector } from '../ports/store.ts'
import { KeptAnswers } from './kept-answers.ts'
import type { Queries } from './queries.ts'

/** What answers queries: the store's `Queries`, or the same through a cache. */
export type QueryService = Pick<Queries, 'rows' | 'buckets' | 'chart' | 'columns'>

export interface CachedQueriesOptions {
  readonly queries: Queries
  readonly cache: Cache
  /** How long an answer may be reused while nothing of its devices is written. */
  readonly ttlMs: number
}

/**
 * Queries whose answers are kept for a while, for dashboards with many viewers, and forgotten when
 * points of their devices are written. Off (`cache.queryTtlMs: 0`) unless asked for: units and what
 * other processes write may be seen later, by the time to live at most.
 */
export class CachedQueries implements QueryService {
  readonly #queries: Queries
  readonly #ttlMs: number
  readonly #kept: KeptAnswers

  constructor({ queries, cache, ttlMs }: CachedQueriesOptions) {
    this.#queries = queries
    this.#ttlMs = ttlMs
    this.#kept = new KeptAnswers(cache)
  }

  rows(request: Parameters<Queries['rows']>[0]): Promise<Uint8Array> {
    const select = { tenant: request.tenant, devices: [request.device] }
    return this.#through(select, ['rows', request], () => this.#queries.rows(request))
  }

  buckets(request: Parameters<Queries['buckets']>[0]): Promise<Uint8Array> {
    return this.#through(request.select, ['buckets', request], () => this.#queries.buckets(request))
  }

  chart(read: Parameters<Queries['chart']>[0]): Promise<Uint8Array> {
    return this.#through(read.select, ['chart', read], () => this.#queries.chart(read))
  }

  columns(read: Parameters<Queries['columns']>[0]): Promise<Uint8Array> {
    return this.#through(read.select, ['columns', read], () => this.#queries.columns(read))
  }

  async #through(
    { tenant, devices }: Pick<SeriesSelector, 'tenant' | 'devices'>,
    question: unknown,
    read: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    if (this.#ttlMs === 0) return read()
    const name = `query ${JSON.stringify(question)}`
    const key: CacheKey = { scopes: scopesOf(tenant, devices), name }
    return (await this.#kept.get(key, this.#ttlMs, read)).value
  }
}
