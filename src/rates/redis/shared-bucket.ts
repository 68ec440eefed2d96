import { TokenBucket } from '../../kit/token-bucket.ts'
import type { Bucket } from '../../ports/rates.ts'

/** Of the burst: who takes so much without having told the others does so at once. */
const SLICE = 1 / 16

/**
 * What this process knows of a bucket that several take from: what was there when Redis was asked
 * last, what time has brought since, and what it took itself.
 */
export class SharedBucket implements Bucket {
  readonly id: string
  readonly #known: TokenBucket
  readonly #onTaken: (bucket: SharedBucket, isMuch: boolean) => void
  #untold = 0

  constructor(
    id: string,
    known: TokenBucket,
    onTaken: (bucket: SharedBucket, isMuch: boolean) => void,
  ) {
    this.id = id
    this.#known = known
    this.#onTaken = onTaken
  }

  get perSecond(): number {
    return this.#known.perSecond
  }

  get burst(): number {
    return this.#known.burst
  }

  left(nowMs: number): number {
    return this.#known.left(nowMs)
  }

  take(tokens: number, nowMs: number): void {
    this.#known.take(tokens, nowMs)
    this.#untold += tokens
    this.#onTaken(this, this.#untold >= Math.max(1, this.burst * SLICE))
  }

  waitMs(tokens: number, nowMs: number): number {
    return this.#known.waitMs(tokens, nowMs)
  }

  /**
   * What it took since the last call, to be told now. Where that cannot be told it stays this
   * process's own: time has brought it back meanwhile, which Redis would not know.
   */
  tell(): number {
    const told = this.#untold
    this.#untold = 0
    return told
  }

  /** Redis had so many, with all that this process has told. */
  learn(left: number, nowMs: number): void {
    this.#known.set(left - this.#untold, nowMs)
  }
}
