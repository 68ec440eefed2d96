/**
 * So many tokens a second, and a burst of what some seconds bring. What is taken may exceed what is
 * there, once: the bucket then owes it, and nothing more may be taken until time has paid. So the
 * size of a request need not be known before, and in the long run the rate holds exactly.
 */
export class TokenBucket {
  readonly perSecond: number
  readonly burst: number
  #tokens: number
  #atMs: number

  constructor(perSecond: number, { burstMs, nowMs }: { burstMs: number; nowMs: number }) {
    this.perSecond = perSecond
    this.burst = Math.max(1, (perSecond * burstMs) / 1000)
    this.#tokens = this.burst
    this.#atMs = nowMs
  }

  /** Tokens that are there; below 0: what is owed. */
  left(nowMs: number): number {
    // A clock that was set back brings nothing, and takes nothing away.
    if (nowMs > this.#atMs) {
      const fresh = ((nowMs - this.#atMs) * this.perSecond) / 1000
      this.#tokens = Math.min(this.burst, this.#tokens + fresh)
    }
    this.#atMs = nowMs
    return this.#tokens
  }

  take(tokens: number, nowMs: number): void {
    this.#tokens = this.left(nowMs) - tokens
  }

  /** Somebody who knows better says how many there are; never more than the burst. */
  set(tokens: number, nowMs: number): void {
    this.#tokens = Math.min(this.burst, tokens)
    this.#atMs = nowMs
  }

  /** Milliseconds until `tokens` are there; 0: now. */
  waitMs(tokens: number, nowMs: number): number {
    const missing = tokens - this.left(nowMs)
    return missing <= 0 ? 0 : Math.ceil((1000 * missing) / this.perSecond)
  }
}
