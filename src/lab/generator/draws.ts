/**
 * Random numbers that depend on nothing but (seed, stream, index): a request draws the same kind,
 * device and values whenever it is sent, and after whatever. Nothing is kept per request.
 * (mulberry32, started at a hash; `simulate/random.ts` has a better sequence, at 100 times the start.)
 */
export class Draws {
  readonly #seed: number
  #state = 0

  constructor(seed: number) {
    // Seeds beyond 32 bits are different ones too.
    this.#seed = mixed((seed | 0) ^ mixed(Math.floor(seed / 4294967296) | 0))
  }

  /** What is drawn next is drawn for this request of this stream. */
  seek(stream: number, index: number): void {
    const from = mixed(this.#seed ^ Math.imul(stream + 1, 0x9e3779b1))
    this.#state = mixed((from + Math.imul(index + 1, 0x85ebca6b)) | 0)
  }

  /** At least 0, less than 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** A whole number from 0, less than `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }
}

/** Streams of their own, so that one more draw in one of them moves none of the others. */
export const STREAMS = { arrivals: 0, requests: 1, users: 2, devices: 3 } as const

function mixed(value: number): number {
  let z = Math.imul(value ^ (value >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return z ^ (z >>> 15)
}
