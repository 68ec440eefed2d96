import { WeirError } from '../ports/errors.ts'
import type {
  BucketRead,
  DownsampleRead,
  RawRead,
  SeriesBuckets,
  SeriesPoints,
  Store,
} from '../ports/store.ts'

/** What of the store is asked for clients. */
export type Reads = Pick<Store, 'read' | 'buckets' | 'downsample'>

export interface BoundedReadsOptions {
  /** `query.maxPoints`, `query.maxBuckets`: of one answer, over all series. */
  readonly maxPoints: number
  readonly maxBuckets: number
  /** `query.timeoutMs` */
  readonly timeoutMs: number
}

/** The store's reads, of which none gives more than fits, and none is waited for too long. */
export class BoundedReads implements Reads {
  readonly #reads: Reads
  readonly #options: BoundedReadsOptions

  constructor(reads: Reads, options: BoundedReadsOptions) {
    this.#reads = reads
    this.#options = options
  }

  read(request: RawRead): Promise<SeriesPoints[]> {
    return this.#timely(this.#reads.read({ ...request, bound: this.#points }))
  }

  buckets(request: BucketRead): Promise<SeriesBuckets[]> {
    const bound = { most: this.#options.maxBuckets, limit: 'query.maxBuckets' }
    return this.#timely(this.#reads.buckets({ ...request, bound }))
  }

  downsample(request: DownsampleRead): Promise<SeriesPoints[]> {
    return this.#timely(this.#reads.downsample({ ...request, bound: this.#points }))
  }

  get #points() {
    return { most: this.#options.maxPoints, limit: 'query.maxPoints' }
  }

  /** The store goes on with what it was asked for; its answer is not waited for. */
  async #timely<T>(reading: Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      const message = `the query took longer than ${timeoutMs} ms; ask for less, or try again`
      const options = { limit: 'query.timeoutMs', retryAfterMs: 1000 }
      late.reject(new WeirError('overloaded', message, options))
    }, timeoutMs)
    try {
      return await Promise.race([reading, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }
}
