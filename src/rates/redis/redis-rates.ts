import { createHash } from 'node:crypto'
import { TokenBucket } from '../../kit/token-bucket.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Bucket, RateOptions, Rates } from '../../ports/rates.ts'
import type { ServerHealth } from '../../ports/server-health.ts'
import { RedisLink, type RedisLinkOptions } from '../../redis/redis-link.ts'
import { SharedBucket } from './shared-bucket.ts'

export interface RedisRatesOptions extends RedisLinkOptions {
  /** What all keys begin with: processes that share limits have the same. */
  readonly keyPrefix: string
  readonly clock: Clock
}

const TELL_INTERVAL_MS = 100
/** Of one call of the script. */
const MAX_BUCKETS = 200

/**
 * KEYS: the buckets. ARGV: of each its tokens a second, its burst, and what was taken. Returns how
 * many tokens each has left. Time is Redis's, one for all; a bucket that is full again is forgotten.
 */
const lua = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local left = {}
for i = 1, #KEYS do
  local rate, burst = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local kept = redis.call('HMGET', KEYS[i], 'left', 'at')
  local tokens = burst
  if kept[1] then
    local passed = math.max(0, now - tonumber(kept[2]))
    tokens = math.min(burst, tonumber(kept[1]) + passed * rate / 1000)
  end
  tokens = tokens - tonumber(ARGV[3 * i])
  redis.call('HSET', KEYS[i], 'left', string.format('%.3f', tokens), 'at', string.format('%.3f', now))
  redis.call('PEXPIRE', KEYS[i], math.ceil((burst - tokens) / rate * 1000) + 1000)
  left[i] = string.format('%.3f', tokens)
end
return left
`
const TELL = { lua, sha1: createHash('sha1').update(lua).digest('hex') }

/**
 * Limits that processes count together. Nobody waits for Redis: each takes from what it knows to be
 * left and tells what it took every 100 ms, or at once when that is a sixteenth of the burst, all
 * buckets in one command; the answer says what the others left. So of n processes each may take, in
 * the time of a round trip, what it does not know to be gone: together they take at most n
 * sixteenths of the burst, and what comes in within one round trip, too much at once. That is owed
 * afterwards, by all, so in the long run the rate holds exactly.
 *
 * While Redis does not answer, each process counts for itself.
 */
export class RedisRates implements Rates {
  readonly capabilities = { isShared: true }
  readonly #link: RedisLink
  readonly #prefix: string
  readonly #clock: Clock
  readonly #timer: NodeJS.Timeout
  /** What was taken from them has not been told. */
  readonly #taken = new Set<SharedBucket>()
  #isTelling = false
  #isDue = false

  private constructor(options: RedisRatesOptions) {
    this.#link = new RedisLink(options)
    this.#prefix = options.keyPrefix
    this.#clock = options.clock
    this.#timer = setInterval(() => void this.#tell(), TELL_INTERVAL_MS)
    this.#timer.unref()
  }

  /** Resolves, whether Redis can be reached or not. */
  static async open(options: RedisRatesOptions): Promise<RedisRates> {
    const rates = new RedisRates(options)
    await rates.#link.open()
    return rates
  }

  bucket(id: string, { perSecond, ...options }: RateOptions): Bucket {
    return new SharedBucket(id, new TokenBucket(perSecond, options), this.#onTaken)
  }

  health(): ServerHealth {
    return this.#link.health()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#tell()
    await this.#link.close()
  }

  #onTaken = (bucket: SharedBucket, isMuch: boolean): void => {
    this.#taken.add(bucket)
    if (!isMuch || this.#isDue || this.#isTelling) return
    // With what the other requests of this turn take.
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      void this.#tell()
    })
  }

  /** One at a time, so that what is learned is never older than what was told. */
  async #tell(): Promise<void> {
    if (this.#isTelling || this.#taken.size === 0) return
    this.#isTelling = true
    const buckets = [...this.#taken]
    this.#taken.clear()
    const some: Promise<void>[] = []
    for (let i = 0; i < buckets.length; i += MAX_BUCKETS) {
      some.push(this.#tellOf(buckets.slice(i, i + MAX_BUCKETS)))
    }
    await Promise.all(some)
    this.#isTelling = false
  }

  async #tellOf(buckets: readonly SharedBucket[]): Promise<void> {
    const keys = buckets.map(({ id }) => `${this.#prefix}r:${id}`)
    const args = buckets.flatMap(bucket => [bucket.perSecond, bucket.burst, bucket.tell()])
    const left = (await this.#link.run(TELL, { keys, args })) as Buffer[] | undefined
    if (left === undefined) return
    const nowMs = this.#clock.nowMs()
    for (const [i, bucket] of buckets.entries()) bucket.learn(Number(left[i]), nowMs)
  }
}
