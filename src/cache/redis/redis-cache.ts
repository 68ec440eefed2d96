import { createHash, randomBytes } from 'node:crypto'
import { ScopeTimes } from '../../kit/scope-times.ts'
import type {
  CacheFollower,
  CacheHit,
  CacheKey,
  CacheMiss,
  CacheStats,
  SharedCache,
} from '../../ports/cache.ts'
import type { ServerHealth } from '../../ports/server-health.ts'
import { RedisLink, type RedisLinkOptions } from '../../redis/redis-link.ts'
import { DoubtfulScopes } from './doubtful-scopes.ts'
import { RedisFollower } from './redis-follower.ts'
import { CLEAR, INVALIDATE, LOOK_UP } from './scripts.ts'

export interface RedisCacheOptions extends RedisLinkOptions {
  /** What all keys and the channel begin with: processes that share a cache have the same. */
  readonly keyPrefix: string
}

interface Look {
  readonly key: CacheKey
  readonly resolve: (found: CacheHit | CacheMiss) => void
}

/** Look-ups and generations of one call of a script: Redis does nothing else meanwhile. */
const MAX_LOOKS = 128
const MAX_SCOPES = 500
/** Larger values would hold up all others on the connection. */
const MAX_VALUE_BYTES = 1024 * 1024
/** Longer names are told apart by their hash. */
const MAX_NAME_LENGTH = 100
/** A generation outlives every value that was tagged with the one before. */
const MAX_TTL_MS = 24 * 3_600_000
const GENERATION_MS = MAX_TTL_MS + 60_000
const RETRY_INTERVAL_MS = 250

/**
 * Answers that processes share. A value is kept under a tag: the epoch of the cache and the
 * generations of its scopes as they were when it was looked up. To invalidate a scope is to give it a
 * new generation, one SET however many values are made of it; no key is sought. So what a process
 * read before an invalidation and keeps after it has an old tag, and nobody takes it (as the leases
 * of memcache do, "Scaling Memcache at Facebook", NSDI 2013, 3.2.1). Values and generations leave by
 * their time to live.
 *
 * Look-ups that are asked for in one turn of the event loop are one command. A look-up that Redis
 * does not answer by the deadline is a miss that keeps nothing. An invalidation that Redis may not
 * have taken is repeated until it has; meanwhile this process looks none of those scopes up.
 */
export class RedisCache implements SharedCache {
  readonly capabilities = { isShared: true }
  readonly #link: RedisLink
  readonly #prefix: string
  readonly #origin = randomBytes(6).toString('base64url')
  readonly #doubtful = new DoubtfulScopes()
  /** By this process. */
  readonly #invalidated = new ScopeTimes()
  readonly #retry: NodeJS.Timeout
  #looks: Look[] = []
  #follower: RedisFollower | undefined
  #isRetrying = false

  private constructor(options: RedisCacheOptions) {
    const link = new RedisLink(options)
    this.#link = link
    this.#prefix = options.keyPrefix
    // What it has may be from before our last invalidations.
    link.onRestart(() => void this.clear())
    link.onUp(() => void this.#resend())
    this.#retry = setInterval(() => void this.#resend(), RETRY_INTERVAL_MS)
    this.#retry.unref()
  }

  /** Resolves, whether Redis can be reached or not: until it is, all look-ups are misses. */
  static async open(options: RedisCacheOptions): Promise<RedisCache> {
    const cache = new RedisCache(options)
    await cache.#link.open()
    return cache
  }

  get(key: CacheKey): Promise<CacheHit | CacheMiss> {
    return new Promise(resolve => {
      if (!this.#link.isUp || this.#doubtful.has(key.scopes)) {
        resolve(this.#missOf(key))
        return
      }
      if (this.#looks.push({ key, resolve }) === 1) setImmediate(() => this.#lookUp())
    })
  }

  async invalidate(scopes: readonly string[]): Promise<void> {
    const sent: Promise<boolean>[] = []
    for (const scope of scopes) this.#invalidated.note(scope)
    for (let i = 0; i < scopes.length; i += MAX_SCOPES) {
      sent.push(this.#invalidate(scopes.slice(i, i + MAX_SCOPES)))
    }
    await Promise.all(sent)
  }

  async clear(): Promise<void> {
    await this.#clear()
  }

  follow(follower: CacheFollower): void {
    this.#follower = new RedisFollower({
      ...{ link: this.#link, channel: this.#channel, origin: this.#origin, follower },
    })
  }

  stats(): CacheStats {
    return { entries: 0, bytes: 0, evictions: 0 }
  }

  health(): ServerHealth {
    return this.#link.health()
  }

  async close(): Promise<void> {
    clearInterval(this.#retry)
    this.#follower?.close()
    await this.#link.close()
  }

  get #channel(): string {
    return `${this.#prefix}invalidated`
  }

  #message(scopes: readonly string[] | undefined): string {
    return JSON.stringify([this.#origin, scopes ?? null])
  }

  #lookUp(): void {
    const looks = this.#looks
    this.#looks = []
    for (let i = 0; i < looks.length; i += MAX_LOOKS) void this.#ask(looks.slice(i, i + MAX_LOOKS))
  }

  async #ask(looks: readonly Look[]): Promise<void> {
    const keys = [`${this.#prefix}epoch`]
    for (const { key } of looks) {
      keys.push(this.#valueKey(key))
      for (const scope of key.scopes) keys.push(this.#generationKey(scope))
    }
    const scopeCounts = looks.map(({ key }) => key.scopes.length)
    const args = [newGeneration(), GENERATION_MS, ...scopeCounts]
    const sentMs = performance.now()
    const found = (await this.#link.run(LOOK_UP, { keys, args })) as unknown[] | undefined
    const wayMs = performance.now() - sentMs
    for (let i = 0; i < looks.length; i++) {
      const { key, resolve } = looks[i]
      if (found === undefined) resolve(this.#missOf(key))
      else {
        const [value, other] = [found[2 * i] as Buffer | null, found[2 * i + 1]]
        if (value === null) resolve(this.#missOf(key, other as Buffer))
        else resolve({ value, leftMs: (other as number) - wayMs, tier: 'shared' })
      }
    }
  }

  /** Without the tag that a value has to have nothing is kept. */
  #missOf(key: CacheKey, tag?: Buffer): CacheMiss {
    // Of our own invalidations, some may not be in the tag yet.
    const own = this.#invalidated.lastOf(key.scopes)
    if (tag === undefined) return { version: String(own) }
    return { version: `${own} ${tag.toString('latin1')}`, keep: this.#keeper(key, tag) }
  }

  #keeper(key: CacheKey, tag: Buffer): NonNullable<CacheMiss['keep']> {
    return async (value, ttlMs) => {
      if (value.byteLength > MAX_VALUE_BYTES || !(ttlMs >= 1)) return
      const tagged = Buffer.concat([tag, value])
      const px = Math.floor(Math.min(ttlMs, MAX_TTL_MS))
      const name = this.#valueKey(key)
      await this.#link.ask(redis => redis.set(name, tagged, 'PX', px), tagged.byteLength)
    }
  }

  async #clear(): Promise<boolean> {
    const stamp = this.#doubtful.addAll()
    this.#invalidated.noteAll()
    const taken = await this.#link.run(CLEAR, {
      keys: [`${this.#prefix}epoch`],
      args: [newGeneration(), this.#channel, this.#message(undefined)],
    })
    if (taken !== undefined) this.#doubtful.settleAll(stamp)
    return taken !== undefined
  }

  async #invalidate(scopes: readonly string[]): Promise<boolean> {
    // Noted before it is sent: only an answer says that Redis has it.
    const stamp = this.#doubtful.begin()
    const taken = await this.#link.run(INVALIDATE, {
      keys: scopes.map(scope => this.#generationKey(scope)),
      args: [newGeneration(), GENERATION_MS, this.#channel, this.#message(scopes)],
    })
    if (taken === undefined) this.#doubtful.add(scopes)
    else this.#doubtful.settle(scopes, stamp)
    return taken !== undefined
  }

  /** Tells Redis what it may have missed. */
  async #resend(): Promise<void> {
    if (this.#isRetrying || this.#doubtful.isEmpty || !this.#link.isUp) return
    this.#isRetrying = true
    for (let isTaken = true; isTaken && !this.#doubtful.isEmpty;) {
      isTaken = this.#doubtful.isAll
        ? await this.#clear()
        : await this.#invalidate(this.#doubtful.some(MAX_SCOPES))
    }
    this.#isRetrying = false
  }

  #generationKey(scope: string): string {
    return `${this.#prefix}g:${scope}`
  }

  /** The length keeps scopes and name apart, whatever they hold. */
  #valueKey({ scopes, name }: CacheKey): string {
    const long = scopes.length > 1 || name.length > MAX_NAME_LENGTH
    const short = long ? hash([...scopes, name]) : name
    return `${this.#prefix}v:${scopes[0].length}:${scopes[0]}:${short}`
  }
}

const newGeneration = (): string => randomBytes(9).toString('base64url')

const hash = (parts: readonly string[]): string =>
  `#${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`
