import { KeptBytes } from './kept-bytes.ts'

const SLOTS = 1 << 17
const MASK = SLOTS - 1
/** Of a slot: device id + 1 (0: empty), where its bytes are and how many, shape, its series. */
const FIELDS = 8
const [DEVICE, BYTES, LENGTH, SHAPE, SERIES, ROOM] = [0, 1, 2, 3, 4, 5]
const MAX_SERIES = 1 << 23

/** What is known of a head. */
export interface KnownHead {
  readonly device: number
  readonly shape: number
  /** The series of each field of the shape. */
  readonly series: readonly number[]
}

/**
 * From the bytes of a line's head (measurement and tags) to its device, the shape of its fields and
 * their series, without making a string: a direct-mapped cache in flat memory, like `NameCache`. What
 * it finds has been compared byte by byte.
 */
export class LineHeads {
  /** Of the head found last. */
  device = 0
  shape = 0
  /** Where its series begin in `series`. */
  at = 0
  series: Uint32Array = new Uint32Array(1 << 12)
  readonly #slots = new Int32Array(SLOTS * FIELDS)
  readonly #heads = new KeptBytes()
  #used = 0

  /** Looks for the head in [from, to), of at least four bytes; `view` is of the same bytes. */
  find(view: DataView, from: number, to: number, seed: number): boolean {
    const slots = this.#slots
    const slot = (hashOf(view, from, to, seed) & MASK) * FIELDS
    const length = to - from
    if (slots[slot] === 0 || slots[slot + LENGTH] !== length) return false
    const heads = this.#heads
    const place = slots[slot + BYTES]
    let i = 0
    for (; i + 4 <= length; i += 4) {
      if (view.getInt32(from + i, true) !== heads.wordAt(place + i)) return false
    }
    // The last word once more, or its end.
    if (view.getInt32(to - 4, true) !== heads.wordAt(place + length - 4)) return false
    this.device = slots[slot + DEVICE] - 1
    this.shape = slots[slot + SHAPE]
    this.at = slots[slot + SERIES]
    return true
  }

  /** Keeps what is known of the head in [from, to) of `bytes`, in place of what was in its slot. */
  learn(bytes: Buffer, place: HeadPlace, known: KnownHead): void {
    const { view, from, to, seed } = place
    if (to - from < 4) return
    const slots = this.#slots
    const slot = (hashOf(view, from, to, seed) & MASK) * FIELDS
    const { series } = known
    const isSame = slots[slot] > 0 && this.find(view, from, to, seed)
    let kept = slots[slot + BYTES]
    if (!isSame) kept = this.#heads.keep(bytes, from, to)
    let at = slots[slot + SERIES]
    if (slots[slot] === 0 || slots[slot + ROOM] < series.length) {
      at = this.#room(series.length)
      slots[slot + ROOM] = series.length
    }
    if (kept < 0 || at < 0) {
      // Full: what is in use is soon learnt again.
      slots.fill(0)
      this.#heads.clear()
      this.#used = 0
      return
    }
    slots[slot + DEVICE] = known.device + 1
    slots[slot + BYTES] = kept
    slots[slot + LENGTH] = to - from
    slots[slot + SHAPE] = known.shape
    slots[slot + SERIES] = at
    this.series.set(series, at)
  }

  /** Forgets everything. */
  clear(): void {
    this.#slots.fill(0)
    this.#heads.clear()
    this.#used = 0
  }

  #room(length: number): number {
    const at = this.#used
    if (at + length > this.series.length) {
      if (at + length > MAX_SERIES) return -1
      const larger = new Uint32Array(2 * (at + length))
      larger.set(this.series)
      this.series = larger
    }
    this.#used = at + length
    return at
  }
}

/** Where a head stands. */
export interface HeadPlace {
  readonly view: DataView
  readonly from: number
  readonly to: number
  /** Differs from tenant to tenant. */
  readonly seed: number
}

/** Of all bytes: heads differ anywhere, often in the middle. FxHash's step, murmur3's end. */
function hashOf(view: DataView, from: number, to: number, seed: number): number {
  let hash = seed ^ (to - from)
  let at = from
  for (; at + 4 <= to; at += 4) {
    hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ view.getInt32(at, true), 0x9e3779b1)
  }
  hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ view.getInt32(to - 4, true), 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
