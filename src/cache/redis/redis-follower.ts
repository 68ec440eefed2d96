import type { Redis } from 'ioredis'
import type { CacheFollower } from '../../ports/cache.ts'
import type { RedisLink } from '../../redis/redis-link.ts'

export interface RedisFollowerOptions {
  readonly link: RedisLink
  readonly channel: string
  /** Of this process: it knows what it has invalidated itself. */
  readonly origin: string
  readonly follower: CacheFollower
}

const PING_INTERVAL_MS = 500
/** Without an answer for this long others may have invalidated what we have not heard of. */
const PING_TIMEOUT_MS = 1000

/**
 * A connection of its own on which the other processes' invalidations come. It is asked twice a
 * second whether it is still there: its answer comes behind all messages before it. While Redis does
 * not answer commands either, nothing can be heard from others, because they cannot say it.
 */
export class RedisFollower {
  readonly #options: RedisFollowerOptions
  readonly #redis: Redis
  readonly #timer: NodeJS.Timeout
  #isSubscribed = false
  #isFollowing = false
  #pingedAtMs: number | undefined
  #isClosed = false

  constructor(options: RedisFollowerOptions) {
    this.#options = options
    const { link, channel } = options
    this.#redis = link.duplicate()
    this.#redis.on('message', (_channel: string, message: string) => this.#hear(message))
    this.#redis.on('ready', () => {
      const done = (): void => this.#look(true)
      this.#redis.subscribe(channel).then(done, () => this.#redis.disconnect(true))
    })
    this.#redis.on('close', () => this.#look(false))
    link.onUp(() => this.#look())
    link.onDown(() => this.#look())
    this.#timer = setInterval(() => this.#ping(), PING_INTERVAL_MS)
    this.#timer.unref()
    this.#redis.connect().catch(() => {})
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#redis.disconnect()
  }

  #look(isSubscribed = this.#isSubscribed): void {
    this.#isSubscribed = isSubscribed
    if (!isSubscribed) this.#pingedAtMs = undefined
    const { follower, link } = this.#options
    const isFollowing = isSubscribed && link.isUp && !this.#isClosed
    if (isFollowing === this.#isFollowing) return
    this.#isFollowing = isFollowing
    if (isFollowing) follower.following()
    else follower.lost()
  }

  #hear(message: string): void {
    const { origin, follower } = this.#options
    try {
      const [sender, scopes] = JSON.parse(message) as [string, string[] | null]
      if (sender !== origin) follower.forget(scopes ?? undefined)
    } catch {
      // None of ours: whoever sent it, nothing is lost by starting anew.
      follower.forget(undefined)
    }
  }

  #ping(): void {
    if (!this.#isSubscribed) return
    const nowMs = performance.now()
    if (this.#pingedAtMs === undefined) {
      this.#pingedAtMs = nowMs
      const answered = (): void => void (this.#pingedAtMs = undefined)
      this.#redis.ping().then(answered, () => {})
    } else if (nowMs - this.#pingedAtMs > PING_TIMEOUT_MS) {
      this.#look(false)
      this.#redis.disconnect(true)
    }
  }
}
