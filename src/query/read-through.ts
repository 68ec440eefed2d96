import type { Cache } from '../ports/cache.ts'
import { KeptAnswers } from './kept-answers.ts'

export interface ReadThroughAnswer {
  readonly text: string
  readonly source: 'cache' | 'database'
}

/**
 * Answers that are kept for a while, whatever is written meanwhile, and say so. Whoever asks for what
 * is being read already waits for that answer. Keys must hold the tenant.
 */
export class ReadThrough {
  readonly #kept: KeptAnswers
  readonly #ttlMs: number

  constructor(cache: Cache, ttlMs: number) {
    this.#kept = new KeptAnswers(cache)
    this.#ttlMs = ttlMs
  }

  async get(question: readonly unknown[], load: () => Promise<string>): Promise<ReadThroughAnswer> {
    // A scope that no write touches.
    const key = { scopes: ['kept'], name: JSON.stringify(question) }
    const read = async (): Promise<Uint8Array> => Buffer.from(await load())
    const { value, isKept } = await this.#kept.get(key, this.#ttlMs, read)
    const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
    return { text, source: isKept ? 'cache' : 'database' }
  }
}
